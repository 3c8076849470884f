"""Bernoulli CUSUM: whether a clinic's sessions have had serious events too often for too long to be chance.

Sessions are watched one after another. The value begins at 0; a session takes 1 from it, not below 0, and a session
with a serious event adds ``step`` first. At ``limit`` or above there is an alarm. The step makes the value fall on
average while the share of sessions with an event is the one in control, p0, and rise at the share to be found,
p1 = ``rate_ratio`` * p0. With r1 = -ln((1 - p1) / (1 - p0)) and r2 = ln(p1 (1 - p0) / (p0 (1 - p1))) the sequential
likelihood-ratio test takes r1 / r2 from each session and adds 1 for an event; with step = r2 / r1 as the unit that is
the chart here. The step is rounded to a whole number, which is to look for a share that is p1 but for a little; the
limit is computed for the rounded step, so that the probability of a false alarm is exact all the same.

That probability is of an alarm within ``horizon_sessions`` sessions in control, from a value of 0: a statement about
one clinic over so many sessions, which a rate "per run" or "average run length" would not be.

Source: Reynolds and Stoumbos 1999, J Qual Technol 31:87 (the chart, its step and its Markov chain); Page 1954,
Biometrika 41:100 (CUSUM).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import fsum, log

import numpy as np


@dataclass(frozen=True)
class CusumDesign:
    """A chart ready for use.

    ``in_control`` and ``out_of_control`` are shares of sessions with a serious event (0 to 1); ``step`` and ``limit``
    are whole numbers of sessions; ``false_alarm_percent`` is the exact probability, in percent, of an alarm within
    ``horizon_sessions`` sessions in control, at most what was asked for.
    """

    in_control: float
    out_of_control: float
    step: int
    limit: int
    horizon_sessions: int
    false_alarm_percent: float


@lru_cache(maxsize=256)
def design_cusum(
    in_control_per_1000: float, rate_ratio: float, horizon_sessions: int, false_alarm_percent: float
) -> CusumDesign:
    """The chart with the smallest limit that keeps false alarms within ``horizon_sessions`` to what is asked.

    ``in_control_per_1000`` sessions in 1,000 have a serious event in control, ``rate_ratio`` times as many are to be
    found. Raises ``ValueError`` unless both shares lie between 0 and 1, the ratio is above 1, the horizon is of at
    least one session and ``false_alarm_percent`` lies between 0 and 100.
    """
    in_control = in_control_per_1000 / 1000
    out_of_control = in_control * rate_ratio
    if not (0 < in_control < 1 and rate_ratio > 1 and out_of_control < 1):
        raise ValueError("shares in and out of control must lie between 0 and 1, and their ratio be above 1")
    if horizon_sessions < 1 or not 0 < false_alarm_percent < 100:
        raise ValueError("a horizon has at least one session, and a false-alarm rate lies between 0 and 100 %")
    step = cusum_step(in_control, out_of_control)
    limit = _smallest_limit(in_control, step, horizon_sessions, false_alarm_percent / 100)
    achieved = 100 * alarm_probability(in_control, step, limit, horizon_sessions)
    return CusumDesign(in_control, out_of_control, step, limit, horizon_sessions, achieved)


def cusum_step(in_control: float, out_of_control: float) -> int:
    """What a session with an event adds, in sessions: r2 / r1 to the nearest whole number, at least 2."""
    r1 = -log((1 - out_of_control) / (1 - in_control))
    r2 = log(out_of_control * (1 - in_control) / (in_control * (1 - out_of_control)))
    # With a step of 1 no event could ever raise the value.
    return max(2, round(r2 / r1))


def alarm_probability(share: float, step: int, limit: int, sessions: int) -> float:
    """Exact probability of an alarm within ``sessions`` sessions, from 0, if a ``share`` of them has an event.

    A Markov chain over the values 0 to ``limit`` - 1: after each session, the probability of each value without an
    alarm so far. What is missing from 1 at the end has alarmed.
    """
    values = np.zeros(limit)
    values[0] = 1.0
    after = np.empty_like(values)
    # A session with an event that would bring the value to the limit or above is an alarm: it is not carried on.
    kept = limit - (step - 1)
    for _ in range(sessions):
        np.multiply(values[1:], 1 - share, out=after[:-1])
        after[-1] = 0.0
        after[0] += (1 - share) * values[0]
        if kept > 0:
            after[step - 1 :] += share * values[:kept]
        values, after = after, values
    # Added exactly, so that every machine gives the same digits.
    return max(0.0, 1 - fsum(values))


def cusum_path(design: CusumDesign, batches: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Value after each batch of (sessions, sessions with a serious event), from 0; an alarm is at ``design.limit``.

    Within a batch the order is not known, so that the value moves once: it is never above the value that the sessions
    would have reached one by one, and the stated rate of false alarms is an upper bound. The chart goes on after an
    alarm. Raises ``ValueError`` for a batch with fewer sessions than sessions with an event, or a negative number.
    """
    value, path = 0, []
    for sessions, events in batches:
        if not 0 <= events <= sessions:
            raise ValueError("a batch has at least as many sessions as sessions with an event, and none below 0")
        value = max(0, value + design.step * events - sessions)
        path.append(value)
    return tuple(path)


def _smallest_limit(share: float, step: int, sessions: int, most: float) -> int:
    """The smallest limit whose ``alarm_probability`` is at most ``most``: it falls as the limit rises."""
    too_low, enough = 0, step
    while alarm_probability(share, step, enough, sessions) > most:
        too_low, enough = enough, enough + step
    while enough - too_low > 1:
        middle = (too_low + enough) // 2
        if alarm_probability(share, step, middle, sessions) > most:
            too_low = middle
        else:
            enough = middle
    return enough
