"""Sets of linked tables as release marts have them, drawn at random from a seed.

People are drawn with a clinic, an arm (each in one), drugs (in none, one or both), and whether they are veterans
(told of the network alone), sessions, events by term in a system class, whether they were assessed and how that came
out, and how long a response lasted. A set holds counts, rates that share denominators, means, a life table and a rate
of events of those people, a figure for each clinic and the network, with the relations between their cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ROOM = Path(__file__).parent

CLINIC_DIMENSIONS = {"arm": ("a", "b", "c"), "drug": ("x", "y")}
STRATA = ("no", "unknown", "yes")
TERMS = {"heart": ("chest_pain", "fast_pulse"), "mind": ("anxiety", "confusion", "panic")}
WEEKS = (1, 2, 3, 4)
PATIENTS, STRATIFIED = ("", "arm", "drug", "veteran"), ("", "arm", "veteran")
EVENTS = ("", "system_class", "term")
CATEGORIES = {
    "": ("",),
    **CLINIC_DIMENSIONS,
    "veteran": STRATA,
    "system_class": tuple(TERMS),
    "term": tuple(term for terms in TERMS.values() for term in terms),
}
"""Dimension → its categories; the whole is the empty one."""


@dataclass(frozen=True)
class Measure:
    """A measure: its figures' type and unit, in which dimensions it is told, and role → count."""

    figure_type: str
    dimensions: tuple[str, ...]
    counts: dict[str, str]
    contributors: str = "patient"
    unit: str = ""
    is_whole_denominator: bool = False
    instrument: str = ""
    quantity: str = ""
    interval_number: int | None = None
    count_measure: str = ""


def _rate(numerator: str, denominator: str, rest: str, dimensions: tuple[str, ...], whole: bool = False) -> Measure:
    counts = {"numerator": numerator, "denominator": denominator, "remainder": rest}
    return Measure("rate", dimensions, counts, unit="percent", is_whole_denominator=whole)


MEASURES = {
    "patients_treated": Measure("count", PATIENTS, {"numerator": "patients_treated"}),
    "sessions_given": Measure("count", ("", "arm"), {"numerator": "sessions_given"}, "session"),
    "adverse_events": Measure("count", EVENTS, {"numerator": "adverse_events"}, "event"),
    "assessed": Measure("count", STRATIFIED, {"numerator": "assessed"}),
    "any_event_share": _rate("with_event", "patients_treated", "any_event_share/rest", EVENTS, whole=True),
    "response_share": _rate("responded", "assessed", "response_share/rest", STRATIFIED),
    "remission_share": _rate("remission_share", "assessed", "remission_share/rest", STRATIFIED),
    "worst_case_share": _rate("responded", "patients_treated", "worst_case_share/rest", ("", "arm")),
    "best_case_share": _rate("best_case_share", "patients_treated", "response_share/rest", ("", "arm")),
    "score_change": Measure(
        "mean", ("", "arm"), {"numerator": "score_change/sum", "denominator": "assessed"}, unit="points"
    ),
    "events_per_patient": Measure(
        "mean",
        ("",),
        {"numerator": "adverse_events", "denominator": "patients_treated"},
        unit="events per patient",
    ),
    "event_rate_per_100_sessions": Measure(
        "model_value",
        ("",),
        {"numerator": "with_event", "denominator": "patients_treated", "exposure": "sessions_given"},
        "event",
        "events per 100 sessions",
        count_measure="adverse_events",
    ),
    **{
        f"sustained_{week}": Measure(
            "life_table_row",
            ("",),
            {"numerator": f"sustained_{week}", "denominator": f"sustained_{week}/of"},
            unit="percent",
            instrument="scale",
            quantity="sustained_response",
            interval_number=week,
        )
        for week in WEEKS
    },
}
CONTRIBUTORS = {"sessions_given": "session", "adverse_events": "event"}
"""Of counts that are not of patients."""


@dataclass(frozen=True)
class Column:
    """One number of every clinic: a count in a category of a dimension."""

    count_id: str
    dimension: str
    category: str


@cache
def columns() -> tuple[Column, ...]:
    """Every count in every category of the dimensions that a measure of it is told in."""
    found = {
        Column(count, dimension, category): None
        for measure in MEASURES.values()
        for role, count in measure.counts.items()
        for dimension in _dimensions_of(measure, role)
        for category in CATEGORIES[dimension]
    }
    return tuple(found)


def _dimensions_of(measure: Measure, role: str) -> tuple[str, ...]:
    return ("",) if measure.is_whole_denominator and role == "denominator" else measure.dimensions


@dataclass(frozen=True)
class People:
    """People drawn at random, one an element of each array; ``events`` has a column a term."""

    clinic: Array
    member: dict[tuple[str, str], Array]
    sessions: Array
    events: Array
    assessed: Array
    responded: Array
    remitted: Array
    change: Array
    lost_week: Array
    censored_week: Array


def sizes(random: np.random.Generator, clinics: int) -> Array:
    """How many people each clinic treated: alike, small, large, one with nearly all, falling off, or some with none."""
    kind = random.integers(6)
    if kind == 0:
        return np.full(clinics, random.integers(10, 60))
    if kind == 1:
        return random.integers(1, 15, clinics)
    if kind == 2:
        return random.integers(60, 160, clinics)
    if kind == 3:
        people = random.integers(1, 20, clinics)
        people[random.integers(clinics)] = random.integers(100, 400)
        return people
    falling = np.minimum(400, (random.pareto(1.1, clinics) + 0.3) * 20).astype(np.int64)
    return falling if kind == 4 else falling * random.integers(0, 2, clinics)


def draw(seed: int, clinics: int) -> People:
    """People of one set."""
    random = np.random.default_rng([seed, clinics])
    clinic = np.repeat(np.arange(clinics), sizes(random, clinics))
    people = len(clinic)
    chance = random.random((people, 10))
    # Each clinic has its own mix of arms, and its own share of everything.
    mixes = random.dirichlet([1.2, 0.8, 0.3], clinics).cumsum(axis=1)[clinic]
    arm = (chance[:, :1] > mixes).sum(axis=1).clip(0, 2)
    stratum = (chance[:, 1:2] > [0.6, 0.65]).sum(axis=1)
    habit = random.beta(2, 2, (clinics, 5))[clinic]
    member: dict[tuple[str, str], Array] = {("", ""): np.ones(people, dtype=bool)}
    member |= {("arm", name): arm == place for place, name in enumerate(CATEGORIES["arm"])}
    member |= {("veteran", name): stratum == place for place, name in enumerate(STRATA)}
    member |= {("drug", "x"): chance[:, 2] < habit[:, 0], ("drug", "y"): chance[:, 3] < 0.3}
    assessed = chance[:, 4] < 0.4 + 0.6 * habit[:, 1]
    responded = assessed & (chance[:, 5] < habit[:, 2])
    remitted = responded & (chance[:, 6] < 0.5)
    events = random.poisson(habit[:, 3:4] * random.exponential(0.4, len(CATEGORIES["term"])), (people, 5))
    return People(
        clinic=clinic,
        member=member,
        sessions=random.integers(1, 10, people),
        events=events,
        assessed=assessed,
        responded=responded,
        remitted=remitted,
        change=random.integers(-45, 10, people),
        lost_week=np.where(chance[:, 7] < 0.7, random.integers(1, 9, people), 99),
        censored_week=np.where(chance[:, 8] < 0.4, random.integers(1, 9, people), 99),
    )


def _weights(people: People) -> dict[str, Array]:
    """Count → what each person adds to it; an element for each person."""
    one = np.ones(len(people.clinic))
    lost = people.responded & (people.lost_week <= people.censored_week)
    weights: dict[str, Array] = {
        "patients_treated": one,
        "sessions_given": people.sessions,
        "assessed": people.assessed,
        "responded": people.responded,
        "response_share/rest": people.assessed & ~people.responded,
        "remission_share": people.remitted,
        "remission_share/rest": people.assessed & ~people.remitted,
        "worst_case_share/rest": ~people.responded,
        "best_case_share": people.responded | ~people.assessed,
        "score_change/sum": np.where(people.assessed, people.change, 0),
    }
    for week in WEEKS:
        weights[f"sustained_{week}"] = lost & (people.lost_week <= week)
        weights[f"sustained_{week}/of"] = people.responded & (people.lost_week >= week) & (people.censored_week >= week)
    return weights


def _of_events(people: People, column: Column) -> Array:
    terms = CATEGORIES["term"]
    within = {"": terms, "system_class": TERMS.get(column.category, ()), "term": (column.category,)}[column.dimension]
    return people.events[:, [terms.index(term) for term in within]].sum(axis=1)


def parts(people: People, clinics: int) -> tuple[Array, Array]:
    """What each clinic has of each column, and how many of its people are behind that; a row a clinic."""
    weights = _weights(people)
    added, behind = [], []
    for column in columns():
        if column.count_id in ("adverse_events", "with_event", "any_event_share/rest"):
            events = _of_events(people, column)
            added.append(
                {"adverse_events": events, "with_event": events > 0, "any_event_share/rest": events == 0}[
                    column.count_id
                ]
            )
            behind.append(added[-1] > 0)
        else:
            member = people.member[column.dimension, column.category]
            added.append(weights[column.count_id] * member)
            sums = column.count_id.endswith("/sum")
            behind.append((people.assessed if sums else weights[column.count_id] > 0) & member)
    of_clinic = np.arange(clinics)[:, None] == people.clinic
    return of_clinic @ np.array(added, dtype=np.int64).T, of_clinic.astype(np.int64) @ np.array(
        behind, dtype=np.int64
    ).T


def survival(people: People, clinics: int) -> dict[str, Array]:
    """The actuarial life table of response, of each clinic and, last, the network: columns of a table."""
    of_clinic = np.vstack([np.arange(clinics)[:, None] == people.clinic, np.ones(len(people.clinic), dtype=bool)])
    kept = np.ones(clinics + 1)
    found = []
    for week in WEEKS:
        watched = people.responded & (people.lost_week >= week) & (people.censored_week >= week)
        lost = watched & (people.lost_week == week)
        censored = watched & ~lost & (people.censored_week == week)
        at_risk = of_clinic @ watched.astype(np.float64) - of_clinic @ censored.astype(np.float64) / 2
        events = of_clinic @ lost.astype(np.float64)
        kept = kept * (1 - np.divide(events, at_risk, out=np.zeros(clinics + 1), where=at_risk > 0))
        found.append(kept)
    return {
        "week": np.repeat(WEEKS, clinics + 1),
        "place": np.tile([*range(clinics), -1], len(WEEKS)),
        "survival": np.concatenate(found).round(6),
    }


GROUPS = {
    "safety": (
        "sessions_given",
        "adverse_events",
        "any_event_share",
        "events_per_patient",
        "event_rate_per_100_sessions",
    ),
    "outcome": ("assessed", "response_share", "remission_share", "score_change"),
    "bounds": ("assessed", "response_share", "worst_case_share", "best_case_share"),
    "curve": tuple(f"sustained_{week}" for week in WEEKS),
}
"""Measures that sets tell of together, besides the people treated."""


def chosen(seed: int, clinics: int) -> list[tuple[str, str]]:
    """The measures of one set and the dimensions they are told in: of one or two groups, the whole and some others."""
    random = np.random.default_rng([seed, clinics, 1])
    groups = random.choice(list(GROUPS), size=random.integers(1, 3), replace=False)
    # Terms are told with their classes.
    told = {""} | {dimension for dimension in CATEGORIES if random.random() < 0.5}
    told |= {"system_class"} if "term" in told else set()
    measures = {"patients_treated"}.union(*(GROUPS[group] for group in groups))
    return [
        (name, dimension) for name in sorted(measures) for dimension in MEASURES[name].dimensions if dimension in told
    ]


class TableSets:
    """Table sets of one number of clinics, some at a time in one database as if they were one release.

    Sets have no cell and no relation in common: what is released of one says nothing of another.
    """

    def __init__(self, clinics: int, together: int = 1) -> None:
        self.clinics = clinics
        self.names = [f"set {number:02} " for number in range(together)]
        self.connection = duckdb.connect(config={"threads": 1})
        self.connection.execute(
            "CREATE TABLE clinic AS SELECT unnest(range($1)) AS place, unnest($2) AS clinic_id",
            [clinics, [f"clinic_{number:02}" for number in range(clinics)]],
        )
        self.connection.execute("CREATE TABLE set_place AS SELECT unnest($1) AS set_name", [self.names])
        for name, rows in _described().items():
            self.connection.execute(f"CREATE TABLE {name} {TABLES[name]}")
            marks = ", ".join("?" for _ in rows[0])
            self.connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        self.connection.execute((ROOM / "table_set_marts.sql").read_text(encoding="utf-8"))

    def make(self, seeds: Sequence[int]) -> None:
        """Put the numbers of other sets into the marts, as many at most as lie together."""
        part: list[dict[str, Array]] = []
        life_table: list[dict[str, Array]] = []
        told: list[tuple[str, str, str]] = []
        for place, (seed, name) in enumerate(zip(seeds, self.names, strict=False)):
            people = draw(seed, self.clinics)
            value, behind = parts(people, self.clinics)
            clinic, column = (axis.ravel() for axis in np.indices(value.shape))
            part.append({"place": column, "clinic": clinic, "value": value.ravel(), "people": behind.ravel()})
            life_table.append(survival(people, self.clinics))
            for table in (part[-1], life_table[-1]):
                table["set_place"] = np.full(len(table["place"]), place)
            told += [(name, *one) for one in chosen(seed, self.clinics)]
        self._fill("part", part)
        self._fill("survival", life_table)
        self.connection.execute("ALTER TABLE survival ADD COLUMN clinic_id VARCHAR")
        self.connection.execute(
            "UPDATE survival SET clinic_id = coalesce((SELECT clinic_id FROM clinic WHERE place = survival.place), "
            "'network')"
        )
        self.connection.execute(
            "CREATE OR REPLACE TABLE chosen AS "
            "SELECT unnest($1) AS set_name, unnest($2) AS measure, unnest($3) AS dimension",
            [list(column) for column in zip(*told, strict=True)],
        )
        self.connection.execute((ROOM / "table_set_figures.sql").read_text(encoding="utf-8"))

    def _fill(self, table: str, sets: list[dict[str, Array]]) -> None:
        """A table of the columns of all sets, one after the other, with the sets' names."""
        together = {column: np.concatenate([one[column] for one in sets]) for column in sets[0]}
        self.connection.register("together", together)
        self.connection.execute(
            f"CREATE OR REPLACE TABLE {table} AS SELECT together.* EXCLUDE (set_place), $1[set_place + 1] AS set_name "
            "FROM together",
            [self.names],
        )
        self.connection.unregister("together")


TABLES = {
    "dim_measures": "(measure VARCHAR, figure_type VARCHAR, unit VARCHAR, contributors VARCHAR, instrument VARCHAR, "
    "quantity VARCHAR, interval_number INTEGER, count_measure VARCHAR, section VARCHAR, time_point VARCHAR)",
    "dim_counts": "(measure VARCHAR, role VARCHAR, count_id VARCHAR, is_count BOOLEAN, network_count_id VARCHAR)",
    "figure_part": "(measure VARCHAR, dimension VARCHAR, category VARCHAR, role VARCHAR, count_id VARCHAR, "
    "cell_dimension VARCHAR, cell_category VARCHAR)",
    "part_column": "(place INTEGER, count_id VARCHAR, dimension VARCHAR, category VARCHAR, is_count BOOLEAN, "
    "contributors VARCHAR)",
}


def _described() -> dict[str, list[tuple[Any, ...]]]:
    """Rows of the tables that say what is counted: the same of all sets."""
    told = [
        (name, one, dimension, category)
        for name, one in MEASURES.items()
        for dimension in one.dimensions
        for category in CATEGORIES[dimension]
    ]
    return {
        "dim_measures": [
            (
                *(name, one.figure_type, one.unit, one.contributors),
                *(one.instrument, one.quantity, one.interval_number, one.count_measure, "", ""),
            )
            for name, one in MEASURES.items()
        ],
        "dim_counts": [
            (name, role, count, not count.endswith("/sum"), count)
            for name, one in MEASURES.items()
            for role, count in one.counts.items()
        ],
        "figure_part": [
            (
                *(name, dimension, category, role, count),
                *((dimension, category) if dimension in _dimensions_of(one, role) else ("", "")),
            )
            for name, one, dimension, category in told
            for role, count in one.counts.items()
        ],
        "part_column": [
            (
                *(place, one.count_id, one.dimension, one.category),
                *(not one.count_id.endswith("/sum"), CONTRIBUTORS.get(one.count_id, "patient")),
            )
            for place, one in enumerate(columns())
        ],
    }
