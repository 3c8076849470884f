"""Why a figure is withheld or shown, in words, for engineers.

Nothing of it may leave: it tells where small counts lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any

import duckdb

from clinic_outcomes.database import quote_text, session
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect.planning import engineers_file
from clinic_outcomes.protect.policy import ROOM, Policy, load_policy
from clinic_outcomes.protect.stage import FIGURES, released_folder
from clinic_outcomes.settings import Settings

WORDS = {
    "shown": "every rule holds, by itself and together with other figures",
    "repeated": "shown as an earlier release showed it: since then too little has changed to show it anew",
    "not_told": "the policy tells it of nobody, or of the network alone",
    "no_value": "more than half of the events have no end, and leaving the figure out would tell that",
    "small_denominator": "too few are in its denominator",
    "too_few_people": "too few people, and not nobody, are in it, in its numerator, or left out of its numerator",
    "too_few_clinics": "too few clinics have a part in it, or in its numerator",
    "dominated": "one clinic holds too much of it, or too few remain without the clinics that hold most",
    "all_or_none": "it would be nobody or everybody, and is not listed among what may be shown so",
    "few_events_between": "too few events, and not none, lie between this row of a life table and the row shown last",
    "not_refreshed": "too little has changed to show it anew, and nothing shown of it before can be repeated",
    "complementary": "shown, it would let somebody work out a small count that is withheld elsewhere",
}
"""Reason in the engineers' file → what it means."""
KEYS = {
    "shown": (),
    "repeated": ("refresh.smallest_change",),
    "not_told": ("untold",),
    "no_value": (),
    "too_few_people": ("counts.smallest_shown",),
    "too_few_clinics": ("network.smallest_clinics",),
    "dominated": ("network.largest_share_percent", "network.clinics_set_aside", "counts.smallest_shown"),
    "all_or_none": ("all_or_none",),
    "few_events_between": ("life_tables.smallest_events_between",),
    "not_refreshed": ("refresh.smallest_change", "refresh.useful_within"),
    "complementary": ("attack.attackers", "attack.smallest_upper_bound", "attack.smallest_width"),
}
"""Reason → the keys of ``disclosure.yml`` that it follows; a small denominator's depend on the figure's type."""
SMALL_DENOMINATOR = {
    "rate": ("rates.smallest_denominator",),
    "mean": ("means.smallest_denominator",),
    "life_table_row": ("life_tables.smallest_denominator",),
    "model_value": ("model_values.smallest_denominator",),
}
MARTS = ("agg_figures", "agg_figure_cells", "agg_cells", "agg_relations", "dim_measures")


@dataclass(frozen=True)
class Made:
    """A count that a figure is made of, in a role; its value only where that was asked for."""

    role: str
    name: str
    value: str | None = None


@dataclass(frozen=True)
class Near:
    """A withheld small count so many relations away, and the withheld figures that are made of it."""

    name: str
    relations: int
    figures: tuple[str, ...]


@dataclass(frozen=True)
class Explanation:
    """What is said of a figure: ``rules`` has each rule it breaks in words, with the policy's keys and numbers.

    ``protects`` is of a ``complementary`` figure: the nearest withheld small counts within two relations.
    """

    figure_id: str
    status: str
    reason: str
    rules: tuple[str, ...]
    made_of: tuple[Made, ...]
    protects: tuple[Near, ...]

    def lines(self) -> list[str]:
        """The explanation as lines of text."""
        told = [f"{self.figure_id}: {self.status} ({self.reason})", *(f"  {rule}" for rule in self.rules)]
        told += [
            f"  {made.role}: {made.name}" + (f" = {made.value}" if made.value is not None else "")
            for made in self.made_of
        ]
        for near in self.protects:
            told.append(f"  protects, {_distance(near.relations)}: {near.name}")
            told += [f"    withheld with it: {figure}" for figure in near.figures]
        if self.reason == "complementary" and not self.protects:
            told.append("  what it protects lies more than two relations away, or was told by an earlier release")
        return told


def explain(settings: Settings, name: str, *, exact: bool = False) -> tuple[Explanation, ...]:
    """Why the figure of an id, or each figure made of the count cell of a name, is withheld or shown.

    It is of the latest build, as last protected. With ``exact`` the counts' values are told, too.
    ``ClinicOutcomesError`` where the build is not protected yet, or nothing has the name; the error tells the three
    nearest.
    """
    released = released_folder(settings)
    reasons = engineers_file(released, "reasons")
    if not released.is_dir() or not reasons.is_file():
        raise ClinicOutcomesError("the latest build is not protected under today's policy; run the stage protect first")
    policy = load_policy()
    with session(settings) as connection:
        views = {mart: released.parent / "release" / f"{mart}.parquet" for mart in MARTS}
        for view, path in {**views, "figures": released / FIGURES, "reasons": reasons}.items():
            connection.execute(f"CREATE TEMP VIEW {view} AS FROM read_parquet({quote_text(path)})")
        connection.execute(
            f"CREATE TEMP TABLE explain_policy AS SELECT {policy.counts.smallest_shown} AS smallest_shown"
        )
        connection.execute((ROOM / "explaining.sql").read_text(encoding="utf-8"))
        return tuple(_explain(connection, figure, policy, exact) for figure in _named(connection, name))


def _named(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Ids of the figures meant: the one with this id, else those that are made of the cell."""
    figures = [name] if connection.execute("FROM explained WHERE figure_id = $1", [name]).fetchone() else []
    if not figures:
        query = "SELECT DISTINCT figure_id FROM made_of WHERE name = $1 ORDER BY figure_id"
        figures = [figure for (figure,) in connection.execute(query, [name]).fetchall()]
    if figures:
        return figures
    nearest = connection.execute(
        "SELECT name FROM (SELECT figure_id AS name FROM explained UNION SELECT name FROM made_of) "
        "ORDER BY levenshtein(name, $1), name LIMIT 3",
        [name],
    ).fetchall()
    raise ClinicOutcomesError(
        "no figure and no count of a figure has this name; the nearest are " + ", ".join(near for (near,) in nearest)
    )


def _explain(connection: duckdb.DuckDBPyConnection, figure_id: str, policy: Policy, exact: bool) -> Explanation:
    ((figure_type, is_banded, status, reason, detail),) = connection.execute(
        "SELECT figure_type, is_banded, status, reason, detail FROM explained WHERE figure_id = $1", [figure_id]
    ).fetchall()
    made_of = connection.execute(
        "SELECT role, name, value FROM made_of WHERE figure_id = $1 ORDER BY role, name", [figure_id]
    ).fetchall()
    near: list[tuple[Any, ...]] = []
    if reason == "complementary":
        query = "SELECT name, relations, figures FROM near_small($1) ORDER BY relations, name"
        near = connection.execute(query, [figure_id]).fetchall()
    nearest = min((relations for _, relations, _ in near), default=0)
    return Explanation(
        figure_id=figure_id,
        status=status,
        reason=reason,
        rules=tuple(_rules(reason, detail, figure_type, is_banded, policy)),
        made_of=tuple(Made(role, name, _value(value) if exact else None) for role, name, value in made_of),
        protects=tuple(
            Near(name, relations, tuple(figure for figure in figures if figure != figure_id))
            for name, relations, figures in near
            if relations == nearest
        ),
    )


def _rules(reason: str, detail: str, figure_type: str, is_banded: bool, policy: Policy) -> list[str]:
    """Each rule that is broken, in words with its keys; the one that decided first."""
    parts: dict[str, list[str]] = {reason: []}
    for one in filter(None, detail.split("; ")):
        broken, _, part = one.partition(": ")
        parts.setdefault(broken, []).append(part)
    told = []
    for broken, of in parts.items():
        keys = policy_keys(broken, figure_type, is_banded, policy)
        numbers = ", ".join(_number(policy, key) for key in keys)
        told.append(
            f"{broken}: {WORDS[broken]}"
            + (f"; by its {', '.join(of)}" if of else "")
            + (f" [{numbers}]" if numbers else "")
        )
    return told


def policy_keys(reason: str, figure_type: str, is_banded: bool, policy: Policy) -> tuple[str, ...]:
    """The keys of ``disclosure.yml`` that a reason follows, for a figure of a type."""
    if reason == "small_denominator":
        return ("row_shares.smallest_denominator",) if is_banded else SMALL_DENOMINATOR[figure_type]
    if reason == "too_few_clinics" and policy.attack.attackers == "pairs":
        return ("network.smallest_clinics_where_pairs_attack",)
    return KEYS[reason]


def _number(policy: Policy, key: str) -> str:
    """A key with its number; of a list, the key alone."""
    value = reduce(getattr, key.split("."), policy)
    return f"{key} = {value}" if isinstance(value, int | str) else key


def _value(value: Decimal | None) -> str:
    return "not known" if value is None else f"{value.normalize():f}"


def _distance(relations: int) -> str:
    return ("in itself", "in the same relation", "two relations away")[relations]
