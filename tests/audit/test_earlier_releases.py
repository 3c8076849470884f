"""What attackers know besides a release: exact counts of what is shown, and earlier releases."""

from __future__ import annotations

from dataclasses import replace

from clinic_outcomes.audit import Limits
from tests.audit.test_small_systems import TWO_WITHHELD, found
from tests.support.small_releases import Small, count, total

ROUNDED = Limits(11, 5, 0)
EXACT = replace(ROUNDED, exact_counts=True)
SECRETS = replace(EXACT, smallest_shown=13)

SLACK = Small(
    cells={"all@a": 40, "all[x]@a": 30, "all[y]@a": 10},
    figures={"all": count("all@a", 40), "x": count("all[x]@a", 30), "y": count("all[y]@a")},
    relations=[total("all@a", "all[x]@a", "all[y]@a")],
)
"""Rounded, 38 to 42 less 28 to 32 leave 6 to 14 for y. Exactly, they leave 10."""
LARGE = Small(
    cells={"all@a": 60, "all[x]@a": 40, "all[y]@a": 20},
    figures={"all": count("all@a", 60), "x": count("all[x]@a", 40), "y": count("all[y]@a")},
    relations=SLACK.relations,
)
"""Exactly, 20 are y: no small count."""
Y, Z = ("disclosed", "all/a/group/y", ()), ("disclosed", "all/a/group/z", ())


def test_what_rounding_leaves_open_is_known_exactly() -> None:
    assert found(SLACK, ROUNDED) == set()
    assert found(SLACK, EXACT) == {Y}


def test_a_large_count_that_is_withheld_for_others_is_no_secret() -> None:
    assert found(LARGE, EXACT) == {Y}
    assert found(LARGE, SECRETS) == set()


def test_two_withheld_parts_protect_each_other_from_exact_counts() -> None:
    """20 of 50 are y or z, each at least one: either may be 1 to 19."""
    assert found(TWO_WITHHELD, SECRETS) == set()


def test_a_part_that_was_told_and_stayed_is_known_though_it_is_withheld_today() -> None:
    """12 are z, as was told before: 8 remain for y."""
    small = replace(TWO_WITHHELD, history={"all[z]@a": (3, 1, 12, True)})
    assert found(small, SECRETS) == {Y}


def test_a_part_that_became_unknown_later_does_not_protect_one_that_never_was_known() -> None:
    """z was told as 10 before the second release: who knows that y stayed, knew y then, and so today.

    Of z no more than 19 are possible today, 9 more than was told: nobody but y could make room for 11.
    """
    history = {"all[y]@a": (1, 1, None, False), "all[z]@a": (2, 1, 10, False)}
    assert found(replace(TWO_WITHHELD, history=history), SECRETS) == {Y, Z}


def test_parts_that_became_unknown_together_protect_each_other() -> None:
    history = {"all[y]@a": (2, 1, None, False), "all[z]@a": (2, 1, None, False)}
    assert found(replace(TWO_WITHHELD, history=history), SECRETS) == set()


def test_a_part_that_was_small_once_makes_little_room() -> None:
    """Of 20, 11 are y and 9 are z. Where y once was 2 it can be but one less, and z 10 at most."""
    small = replace(
        TWO_WITHHELD,
        cells=TWO_WITHHELD.cells | {"all[y]@a": 11, "all[z]@a": 9},
        history={"all[y]@a": (1, 10, None, False), "all[z]@a": (1, 1, None, False)},
    )
    assert found(replace(small, history={}), SECRETS) == set()
    assert found(small, SECRETS) == {Z}


def test_a_change_that_is_small_is_a_secret_in_either_direction() -> None:
    """25 and 35 were told, and are 30 and 30 today: 60 in all leave 1 to 59, so that neither change is known."""
    small = Small(
        cells={"all@a": 100, "all[x]@a": 40, "all[y]@a": 30, "all[z]@a": 30},
        figures=dict(TWO_WITHHELD.figures) | {"all": count("all@a", 100), "x": count("all[x]@a", 40)},
        relations=TWO_WITHHELD.relations,
        history={"all[y]@a": (2, 1, 25, False), "all[z]@a": (2, 1, 35, False)},
    )
    assert found(small, SECRETS) == set()
    # Where z stayed as it was told, 30 remain for y, and 5 more came.
    known = replace(small, history=dict(small.history) | {"all[z]@a": (2, 1, 30, True)})
    assert found(known, SECRETS) == {Y}
