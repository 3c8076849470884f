"""The outline of a report: its sections, their order and wording, read from ``report.yml``."""

from __future__ import annotations

import functools
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from clinic_outcomes.files import parse_yaml

ROOM = Path(__file__).parent


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Completeness(_Part):
    """The measure that says of how many a section's figures are known, and below what percent to say so."""

    measure: str
    warn_below_percent: int


class FunnelStep(_Part):
    """One step of a funnel: how many reached it, and what share of those at the first step."""

    count: str
    share: str | None = None


class OutlinedSection(_Part):
    """One section: the figures of ``section`` in the marts, and the canonical table they come from."""

    section: str
    title: str
    introduction: str
    table: str | None = None
    funnel: tuple[FunnelStep, ...] = ()
    funnel_share: str = ""
    completeness: Completeness | None = None


class OutlinedDimension(_Part):
    """How the categories of a dimension are called and ordered: by ``size``, largest first, or as ``listed``."""

    dimension: str
    title: str
    code_list: str | None = None
    order: str = "size"


class Outline(_Part):
    """The whole of ``report.yml``."""

    title: str
    crisis_line: str
    draft_notice: str
    draft_reason: str
    headline: tuple[str, ...]
    comparison: tuple[str, ...]
    rows_kept_out: str
    column_names: dict[str, str] = {}
    """Short names of measures for column headings, beside a caption that says what the table is about."""
    sections: tuple[OutlinedSection, ...]
    dimensions: tuple[OutlinedDimension, ...]


@functools.cache
def load_outline() -> Outline:
    """The outline in ``report.yml``; pydantic's ``ValidationError`` names what is wrong with it."""
    return Outline.model_validate(parse_yaml((ROOM / "report.yml").read_text(encoding="utf-8")))
