"""Small releases at random, every possible world of which is tried: the audit must allow nothing that these do not.

What a world would have been told is worked out by rounding its numbers, not by the bounds that the audit writes down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clinic_outcomes.audit import Limits, audit
from clinic_outcomes.audit.worlds import Worlds
from tests.support.small_releases import (
    BASE,
    SMALLEST_SHOWN,
    Shown,
    Small,
    count,
    key,
    open_small,
    rate,
    read_small,
    total,
)

Numbers = NDArray[np.int64]
World = dict[str, Any]
UPPER, WIDTH = 11, 5
SEEDS = range(25)
CLINICS = ("a", "b", "c")


def half_up(dividend: Any, divisor: Any) -> Any:
    return (2 * dividend + divisor) // (2 * divisor)


def tells(one: Shown, world: World) -> Any:
    """What a figure would say of each of many worlds, and whether it might be shown there at all."""
    parts = {role: world[cell] for role, cell in one.cells.items()}
    if one.figure_type == "count":
        number = parts["numerator"]
        return half_up(number, BASE) * BASE, (number == 0) | (number >= SMALLEST_SHOWN)
    step = round((one.step or 0) * 10)
    scale = 1000 if one.figure_type == "rate" else 10
    value = half_up(scale * parts["numerator"], np.maximum(1, parts["denominator"]) * step) * step / 10
    enough = parts["denominator"] >= SMALLEST_SHOWN
    for role in ("numerator", "remainder"):
        number = parts.get(role, 0)
        enough = enough & ((number == 0) | (number >= SMALLEST_SHOWN))
    return value, enough


def told_the_same(small: Small, worlds: World) -> NDArray[np.bool_]:
    """Which of many worlds would have been released as the exact one was."""
    same = np.ones_like(next(iter(worlds.values())), dtype=bool)
    for one in small.figures.values():
        if one.value is None:
            if one.figure_type == "count" and small.cells[one.cells["numerator"]] > 0:
                same &= worlds[one.cells["numerator"]] >= 1
            continue
        value, enough = tells(one, worlds)
        same &= enough & (np.abs(value - one.value) < 1e-9)
        if one.denominator is not None:
            same &= half_up(worlds[one.cells["denominator"]], BASE) * BASE == one.denominator
    return same


def shown(random: np.random.Generator, one: Callable[[bool], Shown], world: World, chance: float = 0.7) -> Shown:
    """A figure with what it says of a world, shown if it may be and, so often, if it happens to be."""
    figure = one(True)
    value, enough = tells(figure, world)
    if not enough or random.random() > chance:
        return one(False)
    denominator = figure.cells.get("denominator")
    of = None if denominator is None else int(half_up(world[denominator], BASE) * BASE)
    return Shown(figure.figure_type, figure.cells, float(value), figure.step, of, unit=figure.unit)


def a_count(cell: str) -> Callable[[bool], Shown]:
    return lambda is_shown: count(cell, 0 if is_shown else None)


def a_rate(numerator: str, denominator: str, rest: str, step: float) -> Callable[[bool], Shown]:
    return lambda is_shown: rate(numerator, denominator, rest, 0 if is_shown else None, step, 0)


def a_mean(numerator: str, denominator: str, step: float) -> Callable[[bool], Shown]:
    cells = {"numerator": numerator, "denominator": denominator}
    return lambda is_shown: Shown("mean", cells, 0, step) if is_shown else Shown("mean", cells)


def grid(ranges: Mapping[str, range]) -> World:
    """All combinations of some numbers."""
    axes = np.meshgrid(*(np.array(list(one)) for one in ranges.values()), indexing="ij")
    return {name: axis.ravel() for name, axis in zip(ranges, axes, strict=True)}


class Parts:
    """One clinic's total of three categories."""

    attackers = 0
    are_whole = True
    relations = (total("all@a", "all[x]@a", "all[y]@a", "all[z]@a"),)

    def draw(self, random: np.random.Generator) -> dict[str, int]:
        return {f"all[{name}]@a": int(random.integers(0, 28)) for name in "xyz"}

    def worlds(self, truth: dict[str, int], known: tuple[str, ...]) -> World:
        return grid(dict.fromkeys(truth, range(70)))

    def complete(self, world: World) -> World:
        return world | {"all@a": world["all[x]@a"] + world["all[y]@a"] + world["all[z]@a"]}

    def figures(self) -> dict[str, Callable[[bool], Shown]]:
        return {cell: a_count(cell) for cell in ("all@a", "all[x]@a", "all[y]@a", "all[z]@a")}


class Clinics:
    """Three clinics with two categories, and the network of them."""

    attackers = 2
    are_whole = True
    relations = (
        *(total(f"all@{clinic}", f"all[x]@{clinic}", f"all[y]@{clinic}") for clinic in (*CLINICS, "network")),
        *(total(f"all{of}@network", *(f"all{of}@{clinic}" for clinic in CLINICS)) for of in ("", "[x]", "[y]")),
    )

    def draw(self, random: np.random.Generator) -> dict[str, int]:
        return {f"all[{name}]@{clinic}": int(random.integers(0, 30)) for clinic in CLINICS for name in "xy"}

    def worlds(self, truth: dict[str, int], known: tuple[str, ...]) -> World:
        unknown = [cell for cell in truth if key(cell)[1] not in known]
        ranges = dict.fromkeys(unknown, range(90))
        return grid(ranges) | {cell: value for cell, value in truth.items() if cell not in unknown}

    def complete(self, world: World) -> World:
        whole = dict(world)
        for name in "xy":
            whole[f"all[{name}]@network"] = sum(world[f"all[{name}]@{clinic}"] for clinic in CLINICS)
        for clinic in (*CLINICS, "network"):
            whole[f"all@{clinic}"] = whole[f"all[x]@{clinic}"] + whole[f"all[y]@{clinic}"]
        return whole

    def figures(self) -> dict[str, Callable[[bool], Shown]]:
        cells = [f"all{of}@{clinic}" for of in ("", "[x]", "[y]") for clinic in (*CLINICS, "network")]
        return {cell: a_count(cell) for cell in cells}


class Rates:
    """Shares of one denominator: those with more are some of those with yes."""

    attackers = 0
    are_whole = False
    relations = (
        total("all@a", "yes@a", "no@a"),
        total("all@a", "more@a", "less@a"),
        total("yes@a", "more@a", "only@a"),
    )
    step = 5.0

    def draw(self, random: np.random.Generator) -> dict[str, int]:
        return {name: int(random.integers(0, 35)) for name in ("more@a", "only@a", "no@a")}

    def worlds(self, truth: dict[str, int], known: tuple[str, ...]) -> World:
        return grid(dict.fromkeys(truth, range(80)))

    def complete(self, world: World) -> World:
        yes = world["more@a"] + world["only@a"]
        return world | {"yes@a": yes, "all@a": yes + world["no@a"], "less@a": world["only@a"] + world["no@a"]}

    def figures(self) -> dict[str, Callable[[bool], Shown]]:
        return {
            "all": a_count("all@a"),
            "only": a_count("only@a"),
            "more": a_count("more@a"),
            "share": a_rate("yes@a", "all@a", "no@a", self.step),
            "share_of_more": a_rate("more@a", "all@a", "less@a", self.step),
        }


class FineRates(Rates):
    """The same with a finer step, of which whole numbers are few."""

    step = 1.0


class Means:
    """Events of two terms, and how many they are a person."""

    attackers = 0
    are_whole = False
    relations = (total("events@a", "events[x]@a", "events[y]@a"),)

    def draw(self, random: np.random.Generator) -> dict[str, int]:
        return {
            "people@a": int(random.integers(20, 60)),
            "events[x]@a": int(random.integers(0, 40)),
            "events[y]@a": int(random.integers(0, 20)),
        }

    def worlds(self, truth: dict[str, int], known: tuple[str, ...]) -> World:
        return grid(dict.fromkeys(truth, range(90)))

    def complete(self, world: World) -> World:
        return world | {"events@a": world["events[x]@a"] + world["events[y]@a"]}

    def figures(self) -> dict[str, Callable[[bool], Shown]]:
        return {
            "people": a_count("people@a"),
            "events": a_count("events@a"),
            "x": a_count("events[x]@a"),
            "y": a_count("events[y]@a"),
            "mean": a_mean("events@a", "people@a", 0.1),
        }


FAMILIES = {one.__name__.lower(): one() for one in (Parts, Clinics, Rates, FineRates, Means)}


def release(family: Any, seed: int) -> tuple[Small, dict[str, int]]:
    """One release of a family with the numbers that all others follow from."""
    random = np.random.default_rng(seed)
    truth = family.draw(random)
    cells = {name: int(value) for name, value in family.complete(truth).items()}
    figures = {name: shown(random, one, cells) for name, one in family.figures().items()}
    return Small(cells, figures, family.relations), truth


def system_name(cell: str) -> str:
    return "/".join(key(cell))


def pairs(family: Any) -> tuple[tuple[int, ...], ...]:
    return ((0, 1), (0, 2), (1, 2)) if family.attackers else ((),)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_audit_knows_what_every_possible_world_tells(name: str, seed: int) -> None:
    family = FAMILIES[name]
    small, truth = release(family, seed)
    system = read_small(small)
    is_safe = True
    for coalition in pairs(family):
        known = tuple(CLINICS[clinic] for clinic in coalition)
        worlds = family.complete(family.worlds(truth, known))
        same = told_the_same(small, worlds)
        assert same.any()
        for target in np.flatnonzero(system.hidden):
            cell = next(one for one in small.cells if system_name(one) == system.cells.names[target])
            if key(cell)[1] in known:
                continue
            own = sum(truth_of(small, cell, clinic) for clinic in known) if key(cell)[1] == "network" else 0
            if small.cells[cell] - own < 1:
                continue
            possible = np.broadcast_to(worlds[cell], same.shape)[same]
            least, most = int(possible.min()), int(possible.max())
            is_safe &= most - own >= UPPER and most - least >= WIDTH
            wanted = np.arange(len(system.cells)) == target
            ((lower, upper),) = Worlds(system, coalition, wanted).extremes(np.array([target]))
            assert lower <= least + 1e-6
            assert upper >= most - 1e-6
            # Every number tried lies well under the largest tried, or the world may go on beyond it.
            if family.are_whole and most < 60:
                assert (lower, upper) == pytest.approx((least, most))
    report = audit(open_small(small), Limits(UPPER, WIDTH, family.attackers))
    disclosed = [one for one in report.findings if one.rule == "disclosed"]
    assert {one.rule for one in report.findings} <= {"disclosed", "small_count"}
    assert is_safe or disclosed
    if family.are_whole:
        assert bool(disclosed) == (not is_safe)


def truth_of(small: Small, cell: str, clinic: str) -> float:
    return small.cells[cell.replace("@network", f"@{clinic}")]
