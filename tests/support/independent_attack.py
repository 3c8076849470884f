"""A second attacker, written apart from the package's: what released figures say, as a linear program for SciPy.

It knows less (nothing of life tables), so that what it works out can be worked out. It is slow, and for small sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import duckdb
import numpy as np
from scipy import sparse
from scipy.optimize import linprog

Key = tuple[str, str, str, str]
HALF_DOWN, HALF_UP = 2, 2
"""Rounded half up to fives, 13 to 17 are shown as 15."""


class IndependentAttack:
    """What can be worked out of the figures in a table of the marts' database."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, figures: str) -> None:
        self.connection = connection
        cells = connection.execute(
            "SELECT count_id, clinic_id, dimension, category, value::DOUBLE, is_count FROM agg_cells ORDER BY ALL"
        ).fetchall()
        self.place: dict[Key, int] = {tuple(row[:4]): place for place, row in enumerate(cells)}
        self.value = np.array([row[4] for row in cells])
        self.is_count = np.array([row[5] for row in cells])
        self.least = np.where(self.is_count, 0.0, -np.inf)
        self.most = np.full(len(cells), np.inf)
        self.rows: list[tuple[dict[int, float], float]] = []
        self.told: set[int] = set()
        self.parts = self._parts()
        self._relations()
        for figure in connection.execute(f"SELECT * FROM {figures} INNER JOIN dim_measures USING (measure)").fetchall():
            self._say(dict(zip([one[0] for one in connection.description], figure, strict=True)))

    def _parts(self) -> dict[str, dict[str, int]]:
        parts: dict[str, dict[str, int]] = {}
        for figure, role, *key in self.connection.execute("FROM agg_figure_cells").fetchall():
            parts.setdefault(figure, {})[role] = self.place[tuple(key)]
        return parts

    def _relations(self) -> None:
        relations: dict[tuple[str, str], dict[int, float]] = {}
        for name, comparison, *key, coefficient in self.connection.execute(
            "SELECT relation_id, comparison, count_id, clinic_id, dimension, category, coefficient FROM agg_relations"
        ).fetchall():
            relations.setdefault((name, comparison), {})[self.place[tuple(key)]] = coefficient
        for (_, comparison), members in relations.items():
            self._at_most(members, 0)
            if comparison == "=":
                self._at_most({cell: -coefficient for cell, coefficient in members.items()}, 0)

    def _at_most(self, members: dict[int, float], bound: float) -> None:
        self.rows.append((members, bound))

    def _between(self, cell: int, lower: float, upper: float) -> None:
        self.least[cell] = max(self.least[cell], lower)
        self.most[cell] = min(self.most[cell], upper)

    def _rounded(self, cell: int, shown: float) -> None:
        if shown == 0:
            self._between(cell, 0, 0)
        else:
            self._between(cell, max(13, shown - HALF_DOWN), shown + HALF_UP)

    def _say(self, figure: dict[str, Any]) -> None:
        parts = self.parts[figure["figure_id"]]
        if figure["status"] != "shown":
            if figure["figure_type"] == "count" and self.value[parts["numerator"]] > 0:
                self._between(parts["numerator"], 1, np.inf)
            return
        self.told |= {cell for role, cell in parts.items() if role != "exposure"}
        value, half = float(figure["shown_value"]), float(figure["shown_step"] or 0) / 2
        if figure["figure_type"] == "count":
            self._rounded(parts["numerator"], value)
            return
        denominator = parts["denominator"]
        if figure["shown_denominator"] is not None:
            self._rounded(denominator, float(figure["shown_denominator"]))
        if figure["figure_type"] == "rate":
            if half and value - half > 0:
                self._between(parts["numerator"], 13, np.inf)
            if half and value + half < 100:
                self._between(parts["remainder"], 13, np.inf)
            self._share(parts["numerator"], denominator, value, half, 100)
        elif figure["figure_type"] == "mean":
            self._share(parts["numerator"], denominator, value, half, 1)

    def _share(self, numerator: int, denominator: int, value: float, half: float, scale: float) -> None:
        self._at_most({numerator: 1, denominator: -(value + half) / scale}, 0)
        self._at_most({numerator: -1, denominator: (value - half) / scale}, 0)

    def interval(self, target: Key, clinics: Sequence[str]) -> tuple[float, float]:
        """The least and largest value that these clinics find possible of others' part of a cell, all together."""
        own = sum(
            float(row[0])
            for row in self.connection.execute(
                "SELECT value FROM agg_cells WHERE count_id = $1 AND dimension = $2 AND category = $3 "
                "AND list_contains($4, clinic_id) UNION ALL SELECT value FROM agg_contributions WHERE count_id = $1 "
                "AND dimension = $2 AND category = $3 AND list_contains($4, clinic_id)",
                [target[0], target[2], target[3], list(clinics)],
            ).fetchall()
        ) * (target[1] == "network")
        known = np.array([key[1] in clinics for key in self.place])
        least, most = np.where(known, self.value, self.least), np.where(known, self.value, self.most)
        cell = self.place[target]
        least[cell] = max(least[cell], own)
        ends = []
        for sign in (1, -1):
            cost = np.zeros(len(least))
            cost[cell] = sign
            found = linprog(cost, *self._program(), bounds=np.stack([least, most], axis=1), method="highs")
            if found.status == 3:
                ends.append(-sign * np.inf)
                continue
            assert found.status == 0, found.message
            ends.append(sign * found.fun)
        return ends[0] - own, ends[1] - own

    def _program(self) -> tuple[sparse.csr_matrix, list[float]]:
        entries = [(row, cell, one) for row, (members, _) in enumerate(self.rows) for cell, one in members.items()]
        rows, cells, coefficients = zip(*entries, strict=True)
        matrix = sparse.csr_matrix((coefficients, (rows, cells)), shape=(len(self.rows), len(self.value)))
        return matrix, [bound for _, bound in self.rows]

    def small_hidden(self) -> Iterator[Key]:
        """Counts of 1 to 12 of clinics that no shown figure is made of."""
        for key, cell in self.place.items():
            if self.is_count[cell] and 1 <= self.value[cell] < 13 and cell not in self.told and key[1] != "network":
                yield key

    def given_away(self, targets: Sequence[Key], attackers: int) -> tuple[Key, tuple[str, ...]] | None:
        """A target that so many clinics together know too well, if there is one; with these clinics."""
        clinics = sorted({key[1] for key in self.place} - {"network"})
        for coalition in combinations(clinics, min(attackers, len(clinics) - 1)):
            for target in targets:
                if target[1] not in coalition:
                    least, most = self.interval(target, coalition)
                    if np.floor(most + 1e-6) < 11 or np.floor(most + 1e-6) - np.ceil(least - 1e-6) < 5:
                        return target, coalition
        return None
