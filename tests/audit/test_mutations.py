"""Each part of the auditor, broken on purpose, is missed by some release of a few cells that it judges otherwise."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import duckdb
import highspy
import pytest

import clinic_outcomes.audit
from clinic_outcomes.problems import ClinicOutcomesError
from tests.audit.audited_releases import RELEASES

ROOM = Path(clinic_outcomes.audit.__file__).parent


@dataclass(frozen=True)
class Mutation:
    """A text of one of the auditor's files, what stands there instead, and the release that shows it."""

    caught_by: str
    file: str
    text: str
    instead: str


MUTATIONS = {
    "no relations": Mutation(
        "one withheld",
        "rows.sql",
        "SELECT 'relation' AS kind, relation AS place",
        "SELECT 'none' AS kind, relation AS place",
    ),
    "relations of equality are of less": Mutation(
        "three clinics",
        "rows.sql",
        "CASE WHEN comparison = '=' THEN 0 ELSE '-infinity'::DOUBLE END",
        "'-infinity'::DOUBLE",
    ),
    "no lower bound of ratios": Mutation(
        "a rate of one",
        "rows.sql",
        "SELECT 'ratio_lower', figure, unnest([numerator, over])",
        "SELECT 'none', figure, unnest([numerator, over])",
    ),
    "no upper bound of ratios": Mutation(
        "a rate",
        "rows.sql",
        "SELECT 'ratio_upper', figure, unnest([numerator, over])",
        "SELECT 'none', figure, unnest([numerator, over])",
    ),
    "no lower bound of curves": Mutation(
        "a curve of one", "rows.sql", "SELECT 'step_lower', figure, unnest(", "SELECT 'none', figure, unnest("
    ),
    "no upper bound of curves": Mutation(
        "a curve", "rows.sql", "SELECT 'step_upper', figure, unnest(", "SELECT 'none', figure, unnest("
    ),
    "counts rounded up": Mutation(
        "one withheld", "bounds.sql", "said.rounded - policy.rounding_base // 2", "said.rounded - policy.rounding_base"
    ),
    "counts rounded down": Mutation(
        "one withheld",
        "bounds.sql",
        "said.rounded + (policy.rounding_base - 1) // 2",
        "said.rounded + policy.rounding_base",
    ),
    "nothing of denominators": Mutation(
        "a rate", "bounds.sql", "OR (shown_cell.role = 'denominator' AND shown.denominator IS NOT NULL)", ""
    ),
    "noughts are not known": Mutation(
        "all but noughts",
        "bounds.sql",
        "CASE WHEN said.rounded = 0 THEN 0 ELSE said.rounded +",
        "CASE WHEN FALSE THEN 0 ELSE said.rounded +",
    ),
    "rates of twice the step": Mutation(
        "a rate of one",
        "bounds.sql",
        "shown_value::DOUBLE - coalesce(numbered.shown_step, 0)::DOUBLE / 2 AS",
        "shown_value::DOUBLE - coalesce(numbered.shown_step, 0)::DOUBLE AS",
    ),
    "rates of no upper step": Mutation(
        "a rate",
        "bounds.sql",
        "numbered.shown_value + coalesce(numbered.shown_step, 0) / 2",
        "numbered.shown_value + 50",
    ),
    "any type will do": Mutation("an unknown type", "unplaced.sql", "'model_value')", "'model_value', 'median')"),
    "labels are not looked at": Mutation(
        "another label",
        "unplaced.sql",
        "IS DISTINCT FROM (exact.measure, exact.clinic_id, exact.dimension, exact.category)",
        "IS NULL",
    ),
    "cells need not be known": Mutation(
        "a rest that is not known", "unplaced.sql", "coalesce(known.cells, 0) < coalesce(meant.cells, 1)", "FALSE"
    ),
    "contradictions are let pass": Mutation(
        "a cell that is not known", "audit.py", "contradictions = _contradictions(system)", "contradictions = ()"
    ),
    "small counts are let pass": Mutation("a small count", "audit.py", "(cells.truth < smallest)", "(cells.truth < 0)"),
    "small rests are let pass": Mutation(
        "three clinics", "audit.py", "(unknown > 0) & (unknown < smallest)", "(unknown < 0)"
    ),
    "exact numbers are let pass": Mutation(
        "an exact number", "unplaced.sql", "figures.shown_value % policy.rounding_base = 0", "TRUE"
    ),
    "marks that hold a number": Mutation(
        "a number beside a mark",
        "unplaced.sql",
        "figures.shown_step, figures.shown_denominator\n            ) IS NULL",
        "figures.shown_step, figures.shown_denominator\n            ) IS NULL OR TRUE",
    ),
    "withheld is not at least one": Mutation(
        "five withheld", "system.py", "lower[counts] = np.maximum(lower[counts], 1)", "pass"
    ),
    "nothing is hidden": Mutation(
        "one withheld", "system.py", "(cells.truth >= 1) & ~self.is_part_of_shown", "(cells.truth < 0)"
    ),
    "clinics do not know themselves": Mutation(
        "three clinics", "worlds.py", "free = ~np.isin(cells.clinic, clinics) &", "free ="
    ),
    "an upper bound of 10 will do": Mutation(
        "one withheld", "attack.py", "(most >= self.smallest_upper) &", "(most >= 0) &"
    ),
    "a width of nothing will do": Mutation(
        "three clinics", "attack.py", "most - least >= self.smallest_width", "most >= least"
    ),
    "nobody in a pair": Mutation(
        "three clinics", "attack.py", "min(size, max(0, clinics - 1))", "min(1, max(0, clinics - 1))"
    ),
    "everybody in a coalition": Mutation(
        "one withheld of one clinic", "attack.py", "min(size, max(0, clinics - 1))", "min(size, clinics)"
    ),
    "further than is asked is not looked": Mutation("one withheld", "worlds.py", "MARGIN = 1.0", "MARGIN = -10.0"),
    "moves to the truth will do": Mutation(
        "one withheld", "worlds.py", "moved >= self.wanted - TOLERANCE", "moved >= 0"
    ),
    "an unsolved program will do": Mutation("unsolved", "worlds.py", "if status != SOLVED:", "if False:"),
    "bounds the wrong way round": Mutation(
        "one withheld", "worlds.py", "yield ends[0], ends[1]", "yield ends[1], ends[0]"
    ),
}


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Path]:
    """A copy of the auditor's package, to be imported as another one."""
    shutil.copytree(ROOM, tmp_path / "broken_audit", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path / "broken_audit").glob("*.py"):
        path.write_text(path.read_text().replace("clinic_outcomes.audit", "broken_audit"))
    sys.path.insert(0, str(tmp_path))
    yield tmp_path / "broken_audit"
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "broken_audit"]:
        del sys.modules[name]


def verdict(package: ModuleType, connection: duckdb.DuckDBPyConnection, attackers: int) -> object:
    """The rules that a release breaks, or that it was refused."""
    try:
        report = package.audit(connection, package.Limits(11, 5, attackers))
    except (ClinicOutcomesError, duckdb.Error):
        return "refused"
    return frozenset((one.rule, one.cell, one.lower, one.upper) for one in report.findings)


def verdict_of(package: ModuleType, name: str) -> object:
    """What an auditor says of a release, or whether it refuses what its solver has not solved."""
    if name == "unsolved":
        return refuses_the_unsolved(package)
    return verdict(package, RELEASES[name].open(), RELEASES[name].attackers)


def refuses_the_unsolved(package: ModuleType) -> bool:
    """Whether a program that has no solution is refused: it would look as if nothing more could be found out."""
    worlds = importlib.import_module(f"{package.__name__}.worlds")
    try:
        worlds._require(highspy.HighsModelStatus.kInfeasible)
    except ClinicOutcomesError:
        return True
    return False


@pytest.mark.parametrize("name", RELEASES)
def test_releases_are_judged_as_on_paper(name: str) -> None:
    assert bool(verdict_of(clinic_outcomes.audit, name)) == (not RELEASES[name].is_safe)


@pytest.mark.parametrize("name", sorted({one.caught_by for one in MUTATIONS.values()}))
def test_a_copy_that_is_not_broken_judges_the_same(copied: Path, name: str) -> None:
    assert verdict_of(importlib.import_module(copied.name), name) == verdict_of(clinic_outcomes.audit, name)


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_auditor_is_caught(copied: Path, name: str) -> None:
    mutation = MUTATIONS[name]
    path = copied / mutation.file
    text = path.read_text()
    assert text.count(mutation.text) == 1, "the auditor has changed: so must this mutation"
    path.write_text(text.replace(mutation.text, mutation.instead))
    broken = importlib.import_module(copied.name)
    assert verdict_of(broken, mutation.caught_by) != verdict_of(clinic_outcomes.audit, mutation.caught_by)


def test_there_are_enough_mutations() -> None:
    assert len(MUTATIONS) >= 15
