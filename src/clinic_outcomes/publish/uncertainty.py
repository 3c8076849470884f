"""Intervals of released figures: computed from what is shown alone, and widened for its rounding."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from clinic_outcomes.publish.outline import Outline
from clinic_outcomes.publish.released import Figure, Released
from clinic_outcomes.statistics.intervals import clopper_pearson_interval, upper_rate_of_none, wilson_interval
from clinic_outcomes.statistics.rounded import (
    RoundedGroup,
    RoundedShare,
    difference_of_rounded_means,
    difference_of_rounded_shares,
    possible_counts,
    rounded_exact_share_interval,
    rounded_hedges_g,
    rounded_mean_interval,
    rounded_rate_interval,
    rounded_share_interval,
    rounded_upper_bound_of_none,
)

SHARE_STEP = Decimal(1)
"""Ends of intervals of shares are given in whole percent, those of means ten times finer than the mean."""
EXACT_STEP = Decimal("0.1")
"""Ends of exact intervals of shares, in percent: what is rare has a lower end above nought."""
EFFECT_STEP = Decimal("0.01")
BOUND_DIGITS = 3
"""Digits of an upper bound where nothing was seen, which is always rounded up."""


@dataclass(frozen=True)
class Range:
    """A 95 % interval in the figure's unit, its ends rounded outwards: it is never narrower than computed."""

    lower: Decimal
    upper: Decimal


@dataclass(frozen=True)
class Effect:
    """A standardised difference with its interval."""

    value: Decimal
    interval: Range


class Uncertainty:
    """Intervals of the figures of one release; each distinct one is computed once."""

    def __init__(self, released: Released, outline: Outline) -> None:
        self.released = released
        self.outline = outline
        self._of_safety = {section.section for section in outline.sections if section.of_safety}
        self._completeness = {measure.completeness_measure for measure in released.measures}
        self._exact: dict[tuple[Decimal, int, bool], Range] = {}
        self._wilson: dict[tuple[Decimal, int], Range] = {}
        self._means: dict[RoundedGroup, Range] = {}

    def interval(self, figure: Figure) -> Range | None:
        """The interval of a share, a rate of events, a life table's row or a mean whose SD is released; else None.

        Shares of safety have exact ones (Clopper-Pearson), rates Garwood's, other shares Wilson's.
        """
        measure = self.released.by_name[figure.measure]
        if figure.value is None or figure.upper is not None or not figure.denominator:
            return None
        if measure.figure_type == "rate" and measure.section in self._of_safety:
            return self._exact_share_interval(figure, figure.value, figure.denominator)
        if measure.figure_type == "rate":
            return self._share_interval(figure, figure.value, figure.denominator)
        if measure.figure_type == "life_table_row":
            return self._survival_interval(figure, figure.value, figure.denominator)
        if measure.count_measure:
            return self._rate_interval(figure, figure.value)
        group = self.group(figure)
        return self._mean_interval(group) if group else None

    def seen(self, figure: Figure) -> bool | None:
        """Whether anything is in a share or rate of events; None where nobody can tell, also of one shown as 0."""
        measure = self.released.by_name[figure.measure]
        if figure.value is None or figure.upper is not None or not figure.denominator:
            return None
        if figure.value != 0:
            return True
        name = measure.count_measure or self.outline.counted_by.get(measure.measure, "")
        counted = self.released.figure(name, figure.clinic_id, figure.dimension, figure.category)
        if counted is not None and counted.value is not None:
            return counted.value != 0
        # A numerator that is not nought is at least `smallest_shown`, which of so few is no share that rounds to 0.
        counts = self.released.policy.counts
        most = possible_counts(figure.denominator, counts.rounding_base)[-1]
        is_sure = measure.figure_type == "rate" and 100 * counts.smallest_shown >= self.step(figure) / 2 * most
        return False if is_sure else None

    def none_seen(self, figure: Figure) -> bool:
        """Whether it is a share or rate of safety of which surely nothing was seen; completeness is no such thing."""
        measure = self.released.by_name[figure.measure]
        is_of_safety = measure.section in self._of_safety and measure.measure not in self._completeness
        is_of_events = measure.figure_type == "rate" or bool(measure.count_measure)
        return is_of_safety and is_of_events and self.seen(figure) is False

    def upper_bound(self, figure: Figure) -> Decimal | None:
        """The one-sided 95 % upper bound where none was seen, in the figure's unit, rounded up to ``BOUND_DIGITS``.

        None where something was, and for a rate whose exposure is not shown.
        """
        if not self.none_seen(figure) or not figure.denominator:
            return None
        measure = self.released.by_name[figure.measure]
        base = self.released.policy.counts.rounding_base
        if measure.figure_type == "rate":
            return upwards(100 * rounded_upper_bound_of_none(figure.denominator, base))
        over = self.outline.exposures.get(measure.unit)
        if over is None:
            return None
        key = (figure.clinic_id, figure.dimension, figure.category)
        share, people = self.released.figure(over.measure, *key), self.released.figure(over.of_people, *key)
        if not share or not people or not share.denominator or people.denominator != figure.denominator:
            return None
        return upwards(over.per * upper_rate_of_none(possible_counts(share.denominator, base)[0]))

    def rounding(self, figure: Figure) -> Range | None:
        """What the exact figure may be by rounding alone; None where it is withheld or given in a band."""
        if figure.value is None or figure.upper is not None:
            return None
        half = self.step(figure) / 2
        return Range((figure.value - half).normalize(), (figure.value + half).normalize())

    def group(self, mean: Figure | None) -> RoundedGroup | None:
        """Mean, SD and number of a group as shown; None where one of them is not."""
        deviation = mean and self.released.figure(f"{mean.measure}_sd", mean.clinic_id, mean.dimension, mean.category)
        if not mean or not deviation or mean.value is None or deviation.value is None or mean.denominator is None:
            return None
        return RoundedGroup(
            n=mean.denominator,
            base=self.released.policy.counts.rounding_base,
            mean=float(mean.value),
            mean_step=float(self.step(mean)),
            sd=float(deviation.value),
            sd_step=float(self.step(deviation)),
        )

    def share(self, figure: Figure | None) -> RoundedShare | None:
        """A share as shown; None where it is withheld."""
        if figure is None or figure.value is None or figure.denominator is None or figure.upper is not None:
            return None
        base = self.released.policy.counts.rounding_base
        return RoundedShare(figure.value, self.step(figure), figure.denominator, base)

    def step(self, figure: Figure) -> Decimal:
        """What the figure's value is a multiple of."""
        measure = self.released.by_name[figure.measure]
        return self.released.policy.rounding_step(measure.figure_type, measure.unit, figure.denominator)

    def mean_difference(self, first: Figure | None, second: Figure | None) -> Range | None:
        """The interval of first minus second mean, where both groups' SDs are released."""
        one, other = self.group(first), self.group(second)
        if first is None or one is None or other is None:
            return None
        return outwards(difference_of_rounded_means(one, other), self.step(first) / 10)

    def effect(self, first: Figure | None, second: Figure | None) -> Effect | None:
        """Hedges' g of two groups whose means and SDs are released; None where it has no bound."""
        one, other = self.group(first), self.group(second)
        if one is None or other is None or min(one.sd, other.sd) == 0:
            return None
        effect = rounded_hedges_g(one, other)
        return Effect(
            Decimal(str(effect.value)).quantize(EFFECT_STEP), outwards((effect.lower, effect.upper), EFFECT_STEP)
        )

    def share_difference(self, first: Figure | None, second: Figure | None) -> Range | None:
        """The interval of first minus second share, in percentage points."""
        one, other = self.share(first), self.share(second)
        if one is None or other is None:
            return None
        lower, upper = difference_of_rounded_shares(one, other)
        return outwards((100 * lower, 100 * upper), SHARE_STEP)

    def _exact_share_interval(self, figure: Figure, percent: Decimal, denominator: int) -> Range:
        """Clopper and Pearson's interval, widened for rounding; of a numerator that is surely nought, for it alone."""
        none = self.seen(figure) is False
        if (percent, denominator, none) not in self._exact:
            step, base = self.step(figure), self.released.policy.counts.rounding_base
            if none:
                lower, upper = clopper_pearson_interval(0, max(1, possible_counts(denominator, base)[0]))
            else:
                lower, upper = rounded_exact_share_interval(percent, step, denominator, base)
            self._exact[percent, denominator, none] = outwards((100 * lower, 100 * upper), EXACT_STEP)
        return self._exact[percent, denominator, none]

    def _rate_interval(self, figure: Figure, rate: Decimal) -> Range | None:
        """Garwood's interval of a rate of events, widened for rounding; None where their count is not shown, or 0."""
        measure = self.released.by_name[figure.measure]
        events = self.released.figure(measure.count_measure, figure.clinic_id, figure.dimension, figure.category)
        if events is None or not events.value:
            return None
        step = self.step(figure)
        ends = rounded_rate_interval(rate, step, int(events.value), self.released.policy.counts.rounding_base)
        # Three digits are enough, and what is rare needs finer ends than the rate.
        return outwards(ends, step if rate >= 100 * step else step / 10)

    def _share_interval(self, figure: Figure, percent: Decimal, denominator: int) -> Range:
        if (percent, denominator) not in self._wilson:
            step, base = self.step(figure), self.released.policy.counts.rounding_base
            lower, upper = rounded_share_interval(percent, step, denominator, base)
            self._wilson[percent, denominator] = outwards((100 * lower, 100 * upper), SHARE_STEP)
        return self._wilson[percent, denominator]

    def _survival_interval(self, figure: Figure, percent: Decimal, at_risk: int) -> Range:
        """Wilson's interval of a life table's share, as if of those at risk when the week begins; widened for rounding.

        Fewer are at risk than gave the share: as a rule it is wider than Greenwood's, and has a width at 100 %, too.
        """
        half = float(self.step(figure)) / 2
        fewest = possible_counts(at_risk, self.released.policy.counts.rounding_base)[0]
        shares = [min(1.0, max(0.0, (float(percent) + side * half) / 100)) for side in (-1, 1)]
        lower, upper = (wilson_interval(share * fewest, fewest)[end] for end, share in enumerate(shares))
        return outwards((100 * lower, 100 * upper), SHARE_STEP)

    def _mean_interval(self, group: RoundedGroup) -> Range:
        if group not in self._means:
            step = Decimal(str(group.mean_step)) / 10
            self._means[group] = outwards(rounded_mean_interval(group), step)
        return self._means[group]


def outwards(interval: tuple[float, float], step: Decimal) -> Range:
    """An interval with its ends at multiples of ``step``, the lower one down and the upper one up."""
    lower = (Decimal(str(interval[0])) / step).to_integral_value(ROUND_FLOOR) * step
    upper = (Decimal(str(interval[1])) / step).to_integral_value(ROUND_CEILING) * step
    # A zero has no sign: minus nought would be drawn as such.
    return Range(lower + 0, upper + 0)


def upwards(value: float) -> Decimal:
    """A number rounded up to ``BOUND_DIGITS`` digits."""
    exact = Decimal(repr(value))
    return exact.quantize(Decimal(1).scaleb(exact.adjusted() - BOUND_DIGITS + 1), rounding=ROUND_CEILING)
