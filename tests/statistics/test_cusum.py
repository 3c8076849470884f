"""The CUSUM's probability of a false alarm by enumeration and by simulation, and its paths by hand."""

from __future__ import annotations

from itertools import pairwise, product
from math import sqrt

import numpy as np
import pytest

from clinic_outcomes.statistics.cusum import (
    CusumDesign,
    alarm_probability,
    cusum_path,
    cusum_step,
    design_cusum,
)

# 2 serious sessions in 1,000 in control, twice as many to be found, 5 % false alarms within 1,000 sessions.
DESIGN = design_cusum(2, 2, 1_000, 5)


def highest(events: tuple[int, ...], step: int) -> int:
    """The highest value on the way through single sessions, each with (1) or without (0) an event."""
    value = top = 0
    for event in events:
        value = max(0, value + step * event - 1)
        top = max(top, value)
    return top


@pytest.mark.parametrize(("step", "limit"), [(2, 1), (2, 3), (4, 3), (4, 4), (4, 6), (4, 9), (7, 30)])
def test_probability_by_enumeration(step: int, limit: int) -> None:
    """All 4,096 ways through 12 sessions with an event in 3 of 10."""
    expected = sum(
        0.3 ** sum(events) * 0.7 ** (12 - sum(events))
        for events in product((0, 1), repeat=12)
        if highest(events, step) >= limit
    )
    assert alarm_probability(0.3, step, limit, 12) == pytest.approx(expected, abs=1e-12)


def test_first_event_alarms() -> None:
    """At a limit that one event reaches, no alarm is no event."""
    assert alarm_probability(0.01, 80, 79, 200) == pytest.approx(1 - 0.99**200, abs=1e-12)


@pytest.mark.parametrize(("share", "ratio", "expected"), [(0.01, 2.5, 61), (0.002, 2, 347), (0.4, 1.5, 2)])
def test_step(share: float, ratio: float, expected: int) -> None:
    """0.01 to 0.025: ln(0.025 * 0.99 / (0.01 * 0.975)) / -ln(0.975 / 0.99) = 0.93156 / 0.015267 = 61.02."""
    assert cusum_step(share, share * ratio) == expected


@pytest.mark.parametrize("asked", [(2, 2, 1_000, 5), (20, 1.5, 500, 10), (10, 3, 300, 1), (1, 2, 400, 30)])
def test_limit_is_the_smallest(asked: tuple[float, float, int, float]) -> None:
    design = design_cusum(*asked)
    assert 0 < design.false_alarm_percent <= asked[3]
    lower = 100 * alarm_probability(design.in_control, design.step, design.limit - 1, design.horizon_sessions)
    assert lower > asked[3]


def test_false_alarms_by_simulation() -> None:
    """60,000 clinics in control alarm at the stated rate; with their sessions in batches never where they did not."""
    clinics, sessions = 60_000, DESIGN.horizon_sessions
    random = np.random.default_rng(20_261)
    # The same ends of batches for all: the twelfth part of the sessions on average, some of a single session.
    ends = np.unique(np.append(random.integers(1, sessions, 12), [1, sessions]))
    values, batched = np.zeros(clinics, dtype=np.int64), np.zeros(clinics, dtype=np.int64)
    alarmed, batch_alarmed = np.zeros(clinics, dtype=bool), np.zeros(clinics, dtype=bool)
    events, begin = np.zeros(clinics, dtype=np.int64), 0
    for session in range(1, sessions + 1):
        event = random.random(clinics) < DESIGN.in_control
        values = np.maximum(0, values + DESIGN.step * event - 1)
        alarmed |= values >= DESIGN.limit
        events += event
        if session in ends:
            batched = np.maximum(0, batched + DESIGN.step * events - (session - begin))
            batch_alarmed |= batched >= DESIGN.limit
            events[:], begin = 0, session
    stated = DESIGN.false_alarm_percent / 100
    # Within four standard errors: a right rate fails once in 16,000 seeds, and the seed is fixed.
    assert alarmed.mean() == pytest.approx(stated, abs=4 * sqrt(stated * (1 - stated) / clinics))
    assert 0 < batch_alarmed.mean() < alarmed.mean()
    assert not np.any(batch_alarmed & ~alarmed)


def test_path_by_hand() -> None:
    design = CusumDesign(0.002, 0.004, step=100, limit=250, horizon_sessions=1_000, false_alarm_percent=5.0)
    # 40 quiet sessions stay at 0; 100 - 30; 70 + 200 - 10; 260 - 60; down to 0 again; a single session with an event.
    batches = [(40, 0), (30, 1), (10, 2), (60, 0), (500, 0), (1, 1), (0, 0)]
    assert cusum_path(design, batches) == (0, 70, 260, 200, 0, 99, 99)


def test_batches_never_above_single_sessions() -> None:
    random = np.random.default_rng(7)
    for _ in range(300):
        events = tuple(int(event) for event in random.random(60) < 0.2)
        cuts = sorted({0, 60, *(int(cut) for cut in random.integers(0, 60, 4))})
        batches = [(end - start, sum(events[start:end])) for start, end in pairwise(cuts)]
        design = CusumDesign(0.1, 0.2, step=6, limit=20, horizon_sessions=60, false_alarm_percent=5.0)
        assert max(cusum_path(design, batches)) <= highest(events, 6)
        assert max(cusum_path(design, [(1, event) for event in events])) == highest(events, 6)


def test_arguments_out_of_range() -> None:
    for shares in ((0, 2), (2, 1), (600, 2), (-1, 2)):
        with pytest.raises(ValueError, match="shares in and out of control"):
            design_cusum(*shares, 1_000, 5)
    for horizon, percent in ((0, 5), (1_000, 0), (1_000, 100)):
        with pytest.raises(ValueError, match="a horizon has"):
            design_cusum(2, 2, horizon, percent)
    with pytest.raises(ValueError, match="a batch has"):
        cusum_path(DESIGN, [(10, 0), (3, 4)])
