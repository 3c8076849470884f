"""Widened intervals against brute force: round every exact figure, keep those shown the same, take the hull."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint
from statsmodels.stats.rates import confint_poisson

from clinic_outcomes.statistics.effect_sizes import hedges_g
from clinic_outcomes.statistics.intervals import Group
from clinic_outcomes.statistics.rounded import (
    RoundedGroup,
    RoundedShare,
    difference_of_rounded_means,
    difference_of_rounded_shares,
    possible_counts,
    possible_shares,
    rounded_exact_share_interval,
    rounded_hedges_g,
    rounded_mean_interval,
    rounded_rate_interval,
    rounded_share_interval,
    rounded_upper_bound_of_none,
)


def close(expected: object) -> object:
    return pytest.approx(expected, rel=1e-9, abs=1e-9)


def round_half_up(value: Decimal, step: int) -> int:
    return int((value / step).quantize(Decimal(1), ROUND_HALF_UP)) * step


def shown_shares(step: int, base: int, largest: int) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Every exact share up to a denominator, by what would be shown of it."""
    shown: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for denominator in range(1, largest + 1):
        for numerator in range(denominator + 1):
            percent = round_half_up(Decimal(100 * numerator) / denominator, step)
            shown.setdefault((percent, round_half_up(Decimal(denominator), base)), []).append((numerator, denominator))
    return {key: exact for key, exact in shown.items() if key[1] <= largest - base}


@pytest.mark.parametrize(("step", "base"), [(1, 5), (5, 10), (1, 1)])
def test_share(step: int, base: int) -> None:
    for (percent, denominator), exact in shown_shares(step, base, 70).items():
        numerators, denominators = np.array(exact).T
        lower, upper = proportion_confint(numerators, denominators, method="wilson")
        if denominator == 0:
            continue
        result = rounded_share_interval(percent, step, denominator, base)
        # statsmodels leaves -1e-17 at the ends.
        assert result == close((max(lower.min(), 0), min(upper.max(), 1)))


@pytest.mark.parametrize(("step", "base"), [(1, 5), (5, 10), (1, 1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_exact_share(step: int, base: int, confidence: float) -> None:
    for (percent, denominator), exact in shown_shares(step, base, 70).items():
        if denominator == 0:
            continue
        numerators, denominators = np.array(exact).T
        lower, upper = proportion_confint(numerators, denominators, 1 - confidence, method="beta")
        result = rounded_exact_share_interval(percent, step, denominator, base, confidence)
        assert result == close((lower.min(), upper.max()))


@pytest.mark.parametrize("base", [1, 5, 10])
def test_none_seen(base: int) -> None:
    for denominator in range(base, 300, base):
        possible = [n for n in range(1, 400) if round_half_up(Decimal(n), base) == denominator]
        widest = max(1 - 0.05 ** (1 / n) for n in possible)
        assert rounded_upper_bound_of_none(denominator, base) == close(widest)
    # 1,985 people shown as 1,990 may be 1,985: 0.15 %.
    assert rounded_upper_bound_of_none(1_990, 10) == close(1 - 0.05 ** (1 / 1_985))


RATES = [("0.4", "0.1", 5, 5), ("12.0", "0.5", 30, 10), ("0.0", "0.1", 5, 5), ("0.1", "0.1", 0, 5), ("7", "1", 7, 1)]


@pytest.mark.parametrize(("rate", "step", "events", "base"), RATES)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_rate(rate: str, step: str, events: int, base: int, confidence: float) -> None:
    """Every number of events that would be shown so, with exposures that give every rate that would be shown so."""
    numbers = np.array([x for x in range(1, 100) if round_half_up(Decimal(x), base) == events])
    middle, half = float(rate), float(step) / 2
    # The rates run up to their least upper bound, which itself would be shown as the next.
    rates = np.linspace(max(1e-13, middle - half), middle + half, 41)
    counts, exposures = (grid.ravel() for grid in np.broadcast_arrays(numbers, numbers / rates[:, None]))
    lower, upper = confint_poisson(counts, exposures, method="exact-c", alpha=1 - confidence)
    assert rounded_rate_interval(Decimal(rate), Decimal(step), events, base, confidence) == close(
        (lower.min(), upper.max())
    )


def test_every_rate_a_hundred_sessions_lies_within() -> None:
    """Whole sessions and events: each exact interval lies within that of what is shown of it."""
    for sessions in range(7, 900, 41):
        for events in range(1, min(sessions, 40)):
            rate = (Decimal(100 * events) / sessions).quantize(Decimal("0.1"), ROUND_HALF_UP)
            shown = round_half_up(Decimal(events), 5)
            if rate == 0 and shown == 0:
                continue
            lower, upper = confint_poisson(events, sessions / 100, method="exact-c")
            result = rounded_rate_interval(rate, Decimal("0.1"), shown, 5)
            assert result[0] * (1 - 1e-12) <= lower
            assert upper <= result[1] * (1 + 1e-12)


def test_possible_shares_are_those_shown() -> None:
    for (percent, denominator), exact in shown_shares(5, 5, 60).items():
        if denominator > 0:
            possible = possible_shares(RoundedShare(Decimal(percent), Decimal(5), denominator, 5))
            spelled_out = {(x, n) for lowest, highest, n in possible for x in range(lowest, highest + 1)}
            assert spelled_out == set(exact)


def test_difference_of_shares() -> None:
    shown = shown_shares(5, 5, 40)
    pairs = [((5, 25), (95, 30)), ((0, 25), (0, 30)), ((40, 35), (55, 25)), ((100, 30), (50, 35)), ((20, 10), (5, 15))]
    for first, second in pairs:
        intervals = [
            confint_proportions_2indep(*a, *b, method="newcomb", compare="diff")
            for a in shown[first]
            for b in shown[second]
        ]
        result = difference_of_rounded_shares(
            RoundedShare(first[0], 5, first[1], 5), RoundedShare(second[0], 5, second[1], 5)
        )
        assert result == close((min(low for low, _ in intervals), max(high for _, high in intervals)))


def exact_groups(group: RoundedGroup, values: int = 25) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and SDs, densely, that would be shown as those of ``group``."""
    numbers = np.array([n for n in range(200) if round_half_up(Decimal(n), group.base) == group.n])
    half = group.sd_step / 2
    deviations = np.linspace(max(0.0, group.sd - half), group.sd + half, values)
    grid = np.meshgrid(numbers, deviations)
    return grid[0].ravel(), grid[1].ravel()


GROUPS = [
    RoundedGroup(25, 5, 31.0, 1.0, 12.0, 1.0),
    RoundedGroup(30, 5, 18.5, 0.5, 0.0, 0.5),
    RoundedGroup(5, 5, 40.0, 1.0, 20.0, 10.0),
    RoundedGroup(2, 1, 40.0, 1.0, 3.0, 2.0),
    RoundedGroup(130, 10, -11.0, 1.0, 15.0, 5.0),
]


@pytest.mark.parametrize("group", GROUPS)
def test_mean(group: RoundedGroup) -> None:
    n, sd = exact_groups(group)
    half = (stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n)).max() + group.mean_step / 2
    assert rounded_mean_interval(group) == close((group.mean - half, group.mean + half))


@pytest.mark.parametrize("second", GROUPS)
@pytest.mark.parametrize("first", GROUPS)
@pytest.mark.parametrize("confidence", [0.95, 0.998])
def test_difference_of_means(first: RoundedGroup, second: RoundedGroup, confidence: float) -> None:
    n_1, sd_1 = (values[:, None] for values in exact_groups(first))
    n_2, sd_2 = exact_groups(second)
    part_1, part_2 = sd_1**2 / n_1, sd_2**2 / n_2
    with np.errstate(invalid="ignore"):
        df = (part_1 + part_2) ** 2 / (part_1**2 / (n_1 - 1) + part_2**2 / (n_2 - 1))
        width = np.nanmax(stats.t.ppf((1 + confidence) / 2, df) * np.sqrt(part_1 + part_2))
    half = (first.mean_step + second.mean_step) / 2 + width
    difference = first.mean - second.mean
    expected = (difference - half, difference + half)
    assert difference_of_rounded_means(first, second, confidence) == close(expected)


def test_hedges_g() -> None:
    first, second = GROUPS[0], GROUPS[2]
    effects = [
        hedges_g(Group(int(n_1), first.mean + shift, sd_1), Group(int(n_2), second.mean, sd_2))
        for n_1, sd_1 in zip(*exact_groups(first, 4), strict=True)
        for n_2, sd_2 in zip(*exact_groups(second, 4), strict=True)
        for shift in np.linspace(-1.0, 1.0, 5)
    ]
    result = rounded_hedges_g(first, second)
    assert result.lower == close(min(effect.lower for effect in effects))
    assert result.upper == close(max(effect.upper for effect in effects))
    assert result.value == close(hedges_g(Group(25, 31.0, 12.0), Group(5, 40.0, 20.0)).value)


def test_what_nothing_rounds_to() -> None:
    with pytest.raises(ValueError, match="no exact share"):
        rounded_share_interval(50, 1, 3, 1)
    with pytest.raises(ValueError, match="multiple of its base"):
        rounded_share_interval(50, 1, 27, 5)
    with pytest.raises(ValueError, match="at least 2 values"):
        rounded_mean_interval(RoundedGroup(1, 1, 4.0, 1.0, 2.0, 1.0))
    with pytest.raises(ValueError, match="without spread"):
        rounded_hedges_g(GROUPS[1], GROUPS[1])
    with pytest.raises(ValueError, match="no exact share"):
        rounded_exact_share_interval(50, 1, 3, 1)
    with pytest.raises(ValueError, match="somebody"):
        rounded_upper_bound_of_none(0, 1)
    with pytest.raises(ValueError, match="no bound without its exposure"):
        rounded_rate_interval(0, Decimal("0.1"), 0, 5)
    with pytest.raises(ValueError, match="no exact rate"):
        rounded_rate_interval(Decimal("0.3"), Decimal("0.1"), 0, 1)


def test_possible_counts() -> None:
    assert list(possible_counts(25, 5)) == [23, 24, 25, 26, 27]
    assert list(possible_counts(20, 10)) == [15, 16, 17, 18, 19, 20, 21, 22, 23, 24]
    assert list(possible_counts(0, 5)) == [0, 1, 2]
    assert list(possible_counts(7, 1)) == [7]
