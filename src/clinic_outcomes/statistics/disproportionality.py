"""Whether an event is seen more often in one group of treated people than in the others: ratios, and a test.

All begin from the four-fold table of a group (a clinic, a protocol, a drug) and a term. Spontaneous reporting has only
reports, hence the names "proportional reporting ratio" and "reporting odds ratio"; here the denominators are the people
treated, so that the first is a ratio of risks. They screen: a term that one group records more carefully than the
others stands out as well as one that harms.

Sources: Evans, Waller and Davis 2001, Pharmacoepidemiol Drug Saf 10:483 (PRR); Rothman, Lanes and Sacks 2004, the same
13:519 (ROR); Woolf 1955, Ann Hum Genet 19:251 (interval of an odds ratio); Katz et al. 1978, Biometrics 34:469 (of a
ratio of risks); Haldane 1956, Ann Hum Genet 20:309 (0.5 to each cell); Norén, Hopstadius and Bate 2013, Stat Methods
Med Res 22:57 (information component); Fisher's exact test; Benjamini and Hochberg 1995, J R Stat Soc B 57:289.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, log2, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from clinic_outcomes.statistics.quantiles import two_sided_normal

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FourFoldTable:
    """People of a group with an event of the term among those treated, and the same of everybody else."""

    events: int
    treated: int
    other_events: int
    other_treated: int

    def __post_init__(self) -> None:
        if not (0 <= self.events <= self.treated and 0 <= self.other_events <= self.other_treated):
            raise ValueError("people with an event are some of those treated, and never fewer than none")

    @property
    def has_empty_cell(self) -> bool:
        """Whether one of the four cells is 0, so that a ratio or its interval does not exist as it is."""
        return 0 in self._cells()

    def corrected_cells(self) -> tuple[float, float, float, float]:
        """With and without the event, in the group and elsewhere; Haldane's 0.5 added to each where one is 0."""
        a, b, c, d = self._cells()
        added = 0.5 if self.has_empty_cell else 0.0
        return a + added, b + added, c + added, d + added

    def _cells(self) -> tuple[int, int, int, int]:
        return self.events, self.treated - self.events, self.other_events, self.other_treated - self.other_events


@dataclass(frozen=True)
class Ratio:
    """A ratio with its two-sided interval."""

    value: float
    lower: float
    upper: float


def proportional_reporting_ratio(table: FourFoldTable, confidence: float = 0.95) -> Ratio | None:
    """Share with the event in the group over that elsewhere, and Katz's interval on the logarithm's scale.

    0.5 is added to each cell where one is 0 (``has_empty_cell``). None where a group has nobody.
    """
    if table.treated == 0 or table.other_treated == 0:
        return None
    a, b, c, d = table.corrected_cells()
    error = sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
    return _ratio(log(a / (a + b)) - log(c / (c + d)), error, confidence)


def reporting_odds_ratio(table: FourFoldTable, confidence: float = 0.95) -> Ratio | None:
    """Odds of the event in the group over those elsewhere, and Woolf's interval.

    0.5 is added to each cell where one is 0 (``has_empty_cell``). None where a group has nobody.
    """
    if table.treated == 0 or table.other_treated == 0:
        return None
    a, b, c, d = table.corrected_cells()
    return _ratio(log(a / b) - log(c / d), sqrt(1 / a + 1 / b + 1 / c + 1 / d), confidence)


def expected_events(table: FourFoldTable) -> float:
    """People with the event in the group if it were as in all together, the group among them. None treated, none."""
    everybody = table.treated + table.other_treated
    return table.treated * (table.events + table.other_events) / everybody if everybody else 0.0


def information_component(observed: float, expected: float) -> tuple[float, float]:
    """log2((O + ½) / (E + ½)), in bits, and the lower end of its 95 % credibility interval (IC025).

    The lower end is IC - 3.3 (O + ½)^(-1/2) - 2 (O + ½)^(-3/2), the closed form given with the measure for the 2.5 %
    quantile of a gamma distribution of shape O + ½ and rate E + ½; a little lower than that for a large O.
    """
    shrunk = observed + 0.5
    component = log2(shrunk / (expected + 0.5))
    return component, component - 3.3 * shrunk**-0.5 - 2 * shrunk**-1.5


def exact_p_value(table: FourFoldTable) -> float:
    """Probability of as many people with the event in the group, or more, if events fell on people at random.

    One-sided: Fisher's exact test, the upper tail of the hypergeometric distribution.
    """
    everybody, with_event = table.treated + table.other_treated, table.events + table.other_events
    # As few as there can be: it cannot be otherwise.
    if table.events <= max(0, with_event - table.other_treated):
        return 1.0
    counts = np.arange(table.events, min(table.treated, with_event) + 1, dtype=np.float64)
    log_probability = (
        _log_combinations(with_event, counts)
        + _log_combinations(everybody - with_event, table.treated - counts)
        - _log_combinations(everybody, table.treated)
    )
    return min(1.0, float(np.sum(np.exp(log_probability))))


def false_discovery_adjusted(p_values: ArrayLike) -> Floats:
    """Benjamini and Hochberg's adjusted p-values, in the order given.

    To call a signal what lies below q keeps the share of false ones among the signals to q on average, for independent
    tests and for those that hang together positively.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(-p, kind="stable")
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum.accumulate(np.minimum(1.0, p[order] * len(p) / ranks))
    return adjusted


def _ratio(log_value: float, error: float, confidence: float) -> Ratio:
    reach = two_sided_normal(confidence) * error
    return Ratio(exp(log_value), exp(log_value - reach), exp(log_value + reach))


def _log_combinations(total: int, chosen: ArrayLike) -> Floats:
    result: Floats = -np.log1p(total) - special.betaln(np.subtract(total, chosen) + 1, np.add(chosen, 1))
    return result
