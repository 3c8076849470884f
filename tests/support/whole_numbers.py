"""Whole numbers with a wanted sum and spread, built without chance."""

from __future__ import annotations

from statistics import NormalDist


def whole_numbers(count: int, total: int, sd: float, low: int, high: int) -> list[int]:
    """Ascending whole numbers from ``low`` to ``high`` that add up to ``total``, shaped like a normal distribution.

    Their sample SD is as near to ``sd`` as moving two of them by one at a time comes. ``AssertionError`` where no such
    numbers exist.
    """
    assert count * low <= total <= count * high, "no such numbers"
    quantiles = [NormalDist().inv_cdf((place + 0.5) / count) for place in range(count)]
    numbers = [min(max(round(total / count + sd * z), low), high) for z in quantiles]
    _reach_total(numbers, total, low, high)
    _reach_sd(numbers, sd, low, high)
    return sorted(numbers)


def sample_sd(numbers: list[int]) -> float:
    """Standard deviation with n - 1."""
    mean = sum(numbers) / len(numbers)
    return float((sum((number - mean) ** 2 for number in numbers) / (len(numbers) - 1)) ** 0.5)


def _reach_total(numbers: list[int], total: int, low: int, high: int) -> None:
    """Move numbers from the middle outwards by one until they add up."""
    middle_first = sorted(range(len(numbers)), key=lambda place: abs(2 * place - len(numbers) + 1))
    while (missing := total - sum(numbers)) != 0:
        step = 1 if missing > 0 else -1
        movable = [place for place in middle_first if low <= numbers[place] + step <= high]
        for place in movable[: abs(missing)]:
            numbers[place] += step


def _reach_sd(numbers: list[int], sd: float, low: int, high: int) -> None:
    """Move pairs by one, apart or together, where that brings the sum of squares nearer to what it should be."""
    wanted = (len(numbers) - 1) * sd**2 + sum(numbers) ** 2 / len(numbers)
    squares = sum(number**2 for number in numbers)
    for apart in (1, -1):
        for lower in range(len(numbers) // 2):
            upper = len(numbers) - 1 - lower
            small, large = numbers[lower] - apart, numbers[upper] + apart
            moved = squares - numbers[lower] ** 2 - numbers[upper] ** 2 + small**2 + large**2
            inside = low <= min(small, large) and max(small, large) <= high
            if inside and abs(moved - wanted) < abs(squares - wanted):
                numbers[lower], numbers[upper], squares = small, large, moved
