"""Which cells of a build are known to be equal, by its relations: who is told of one is told of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations

import duckdb


class EqualCells:
    """Cells in sets of equal ones, joined as more is known."""

    def __init__(self, cells: Iterable[int]) -> None:
        self._above = {cell: cell for cell in cells}

    def of(self, cell: int) -> int:
        """The cell that stands for all those known to be equal to this one."""
        while self._above[cell] != cell:
            self._above[cell] = self._above[self._above[cell]]
            cell = self._above[cell]
        return cell

    def join(self, first: int, second: int) -> bool:
        """Make two cells equal; whether that was not known before."""
        first, second = self.of(first), self.of(second)
        self._above[first] = second
        return first != second


def known_cells(marts: duckdb.DuckDBPyConnection) -> EqualCells:
    """What follows from relations of two and of three cells of ``cell_relations``, noughts being known."""
    cells = marts.sql("SELECT cell, value FROM cells ORDER BY cell").fetchall()
    equal = EqualCells([0, *(cell for cell, _ in cells)])
    for cell, value in cells:
        if value == 0:
            equal.join(cell, 0)
    pairs = [(parts[0], wholes[0]) for parts, wholes in _relations(marts, "<=") if len(parts) == len(wholes) == 1]
    at_most = set(pairs)
    for lesser, greater in pairs:
        if (greater, lesser) in at_most:
            equal.join(lesser, greater)
    sums: list[tuple[int, int, int]] = []
    for parts, wholes in _relations(marts, "="):
        if len(parts) < len(wholes):
            parts, wholes = wholes, parts
        if len(parts) == len(wholes) == 1:
            equal.join(parts[0], wholes[0])
        elif (len(parts), len(wholes)) == (2, 1):
            sums.append((parts[0], parts[1], wholes[0]))
    while _joined(equal, sums):
        pass
    return equal


def _relations(marts: duckdb.DuckDBPyConnection, comparison: str) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Of each relation of two or three cells, those that are added and those that are taken away."""
    query = f"""
        SELECT
            coalesce(list(cell ORDER BY cell) FILTER (coefficient = 1), []),
            coalesce(list(cell ORDER BY cell) FILTER (coefficient = -1), [])
        FROM cell_relations WHERE comparison = '{comparison}'
        GROUP BY relation_id HAVING count(*) BETWEEN 2 AND 3 ORDER BY relation_id
        """
    return marts.sql(query).fetchall()


def _joined(equal: EqualCells, sums: Sequence[tuple[int, int, int]]) -> bool:
    """Equal parts make equal wholes, and so on; whether anything was learnt."""
    seen: dict[tuple[str, int, int], int] = {}
    learnt = False
    for first, second, whole in sums:
        for one, other in permutations((first, second)):
            if equal.of(one) == equal.of(0):
                learnt |= equal.join(other, whole)
            if equal.of(one) == equal.of(whole):
                learnt |= equal.join(other, 0)
            learnt |= equal.join(seen.setdefault(("left", equal.of(whole), equal.of(one)), other), other)
            learnt |= equal.join(seen.setdefault(("sum", equal.of(one), equal.of(other)), whole), whole)
    return learnt
