"""What protect released, read into a few plain types. Publish knows nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb

from clinic_outcomes.database import quote_text, session
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect.policy import Policy
from clinic_outcomes.register import AuditSummary
from clinic_outcomes.settings import Settings

NETWORK = "network"
"""The recipient, and the clinic id of figures, that stands for all clinics together."""


@dataclass(frozen=True)
class Measure:
    """What a figure measures; texts that do not apply to it are empty.

    ``figure_type`` is ``count``, ``rate`` or ``life_table_row`` (both in percent), ``mean`` or ``model_value`` (both
    in ``unit``). ``completeness_measure`` names the rate that says of how many of those treated the figure knows,
    ``count_measure`` the count of what a rate per session or year is a rate of. ``interval_number`` is the place of a
    life table's row, empty for all else.
    """

    measure: str
    section: str
    sort_order: int
    label: str
    figure_type: str
    unit: str
    contributors: str
    definition: str
    instrument: str = ""
    time_point: str = ""
    time_point_label: str = ""
    interval_number: int | None = None
    quantity: str = ""
    completeness_measure: str = ""
    numerator_definition: str = ""
    denominator_definition: str = ""
    time_window: str = ""
    threshold_set: str = ""
    source: str = ""
    count_measure: str = ""

    @property
    def instrument_label(self) -> str:
        """The questionnaire as reports call it: the beginning of its measures' labels."""
        return self.label.partition(":")[0].removesuffix(f" {self.time_point_label}")


@dataclass(frozen=True)
class Figure:
    """One released figure. ``value``, ``upper`` and ``denominator`` are empty where it is withheld.

    ``upper`` is there only for shares given in bands: the true share lies from ``value`` to under ``upper``.
    ``as_of`` is the reporting period of the release whose number is repeated, empty where the figure is shown anew.
    """

    figure_id: str
    measure: str
    clinic_id: str
    dimension: str
    category: str
    status: str
    value: Decimal | None
    upper: Decimal | None
    denominator: int | None
    as_of: str = ""

    @property
    def shown(self) -> bool:
        """Whether the figure may be read, or is withheld."""
        return self.status == "shown"


@dataclass(frozen=True)
class ReportedClinic:
    """A clinic of the network; ``reporting_period`` is that of its latest delivery in use, empty for none.

    ``is_stale`` where a later delivery could not be used: the last good one is reported.
    """

    clinic_id: str
    title: str
    reporting_period: str | None
    is_stale: bool


@dataclass(frozen=True)
class Threshold:
    """One number of a named threshold set and where it comes from; ``is_used`` where figures were made with it.

    ``value`` is empty where it is worked out from the scores themselves.
    """

    instrument: str
    quantity: str
    threshold_set: str
    value: Decimal | None
    unit: str
    citation: str
    verification: str
    is_used: bool


@dataclass(frozen=True)
class Dimension:
    """What figures are broken down by; ``scope`` is ``network`` where single clinics are not told of, or ``clinic``."""

    dimension: str
    sort_order: int
    label: str
    scope: str


@dataclass(frozen=True)
class Released:
    """Everything of a released folder. ``coverage`` says, a clinic and table, whether it was delivered.

    ``measures`` and ``dimensions`` are those with a figure, shown or withheld. ``audited`` says whether what all
    figures reveal together, with earlier releases, was judged and passed; ``audit`` is what came of it, None where it
    was not judged. ``planning_basis`` names the part of the register that it was judged with.
    """

    build_id: str
    policy_id: str
    policy: Policy
    reporting_period: str
    measures: tuple[Measure, ...]
    figures: Mapping[tuple[str, str, str, str], Figure]
    clinics: tuple[ReportedClinic, ...]
    coverage: Mapping[tuple[str, str], bool]
    thresholds: tuple[Threshold, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    audited: bool = False
    audit: AuditSummary | None = None
    planning_basis: str = ""

    @cached_property
    def by_name(self) -> dict[str, Measure]:
        """The measures by their names."""
        return {measure.measure: measure for measure in self.measures}

    def holdings(self, audience: str) -> tuple[str, ...]:
        """What the policy gives to a class of recipients."""
        return next((one.holds for one in self.policy.recipients if one.recipient == audience), ())

    def figure(self, measure: str, clinic_id: str, dimension: str = "", category: str = "") -> Figure | None:
        """One figure, or None where the marts hold none."""
        return self.figures.get((measure, clinic_id, dimension, category))

    def measure(self, name: str) -> Measure | None:
        """The measure of that name, or None where no figure of it was released."""
        return self.by_name.get(name)


def read_released(folder: Path, settings: Settings) -> Released:
    """Read a released folder. ``ClinicOutcomesError`` where protect has not made it yet."""
    if not folder.is_dir():
        raise ClinicOutcomesError(
            "nothing was released from this build under this policy since the last release; run the stage protect first"
        )
    notes = json.loads((folder / "protect.json").read_text(encoding="utf-8"))
    with session(settings) as connection:
        figures = _rows(
            connection,
            folder / "figures.parquet",
            "figure_id, measure, clinic_id, dimension, category, status, shown_value, shown_upper, shown_denominator, "
            "repeats",
            "figure_id",
        )
        periods = dict(_rows(connection, folder / "repeats.parquet", "repeats, as_of", "repeats"))
        measures = _rows(connection, folder / "measures.parquet", _columns(Measure), "sort_order, measure")
        thresholds = _rows(connection, folder / "thresholds.parquet", _columns(Threshold), "ALL")
        dimensions = _rows(connection, folder / "dimensions.parquet", _columns(Dimension), "sort_order, dimension")
        clinics = _rows(
            connection, folder / "clinics.parquet", "clinic_id, title, reporting_period, is_stale", "clinic_id"
        )
        coverage = _rows(
            connection, folder / "coverage.parquet", "clinic_id, table_name, delivered", "clinic_id, table_name"
        )
    # Every release that is repeated has its period: one that has none is no number to be told.
    found = [Figure(*[*row, "" if repeats is None else periods[repeats]]) for *row, repeats in figures]
    measured = {figure.measure for figure in found}
    broken_down = {figure.dimension for figure in found}
    return Released(
        build_id=notes["record"]["build_id"],
        policy_id=notes["policy_id"],
        policy=Policy.model_validate(notes["policy"]),
        reporting_period=notes["reporting_period"],
        measures=tuple(one for one in (Measure(*row) for row in measures) if one.measure in measured),
        figures={(one.measure, one.clinic_id, one.dimension, one.category): one for one in found},
        clinics=tuple(ReportedClinic(*row) for row in clinics),
        coverage={(clinic_id, table): delivered for clinic_id, table, delivered in coverage},
        thresholds=tuple(Threshold(*row) for row in thresholds),
        dimensions=tuple(one for one in (Dimension(*row) for row in dimensions) if one.dimension in broken_down),
        audited=notes["audit"]["passed"] is True,
        audit=_audit(notes["audit"]),
        planning_basis=notes["planning_basis"],
    )


def _audit(notes: Mapping[str, Any]) -> AuditSummary | None:
    if not notes.get("done"):
        return None
    return AuditSummary(
        passed=notes["passed"], attackers=notes["coalitions"], cells=notes["cells"], failures=notes["findings"]
    )


def _columns(kind: type[Measure] | type[Threshold] | type[Dimension]) -> str:
    """The fields of a type as columns to select: empty text for null, numbers as Python has them."""
    expressions = {"str": "coalesce({0}, '')", "Decimal | None": "{0}::DECIMAL(18, 6)"}
    return ", ".join(expressions.get(str(one.type), "{0}").format(one.name) for one in fields(kind))


def _rows(connection: duckdb.DuckDBPyConnection, path: Path, columns: str, order: str) -> list[tuple[Any, ...]]:
    query = f"SELECT {columns} FROM read_parquet({quote_text(path)}) ORDER BY {order}"
    return connection.execute(query).fetchall()
