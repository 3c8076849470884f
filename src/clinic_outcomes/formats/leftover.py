"""What a file holds beside the cells of its sources."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Leftover:
    """Something in a file that is no cell of a source: metadata, a comment, a further sheet, an element of no list.

    ``rule`` names the gate's rule that it breaks, ``place`` where it lies, in words that hold nothing delivered.
    """

    rule: str
    place: str
    line: int | None = None
    rows: int | None = None
