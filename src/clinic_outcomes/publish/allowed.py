"""What a recipient may be shown, by figure: what every number that is read back is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from clinic_outcomes.publish.exact import ExactFigure, Signal
from clinic_outcomes.publish.over_releases import History
from clinic_outcomes.publish.recipients import Audience, Recipient
from clinic_outcomes.publish.released import NETWORK, Figure, Measure, Released

SMALL_COUNTS = range(1, 11)
"""Counts of people or events that no report may show, whatever the policy says: US federal policy forbids them."""
WITHOUT_COUNTS = ("rate", "mean", "life_table_row", "model_value")
"""Figure types of which the value is no count; what they are of is one."""


class RuleBrokenError(Exception):
    """Something read back is not as it may be. ``rule`` names how, ``figure`` of which; never what was read."""

    def __init__(self, rule: str, figure: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.figure = figure


@dataclass(frozen=True)
class Allowed:
    """The figures that one recipient may be told of: by their ids as protect released them, or exact and its own.

    ``others`` are the clinics of which nothing may be there, ``history`` what earlier releases showed.
    """

    recipient: Recipient
    released: Released
    figures: Mapping[str, Figure]
    exact: Mapping[str, ExactFigure]
    signals: Mapping[str, Signal]
    history: History
    circulation: str
    is_draft: bool

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Clinics whose figures, and whose names in a clinic's folder, have no place in this recipient's files."""
        names = (clinic.clinic_id for clinic in self.released.clinics)
        return tuple(name for name in names if name != self.recipient.clinic_id)

    @property
    def is_internal(self) -> bool:
        """Whether exact figures may be there."""
        return self.recipient.audience is Audience.INTERNAL

    def figure(self, figure_id: str) -> Figure:
        """A released figure of this recipient. ``RuleBrokenError`` where it is no such figure."""
        found = self.figures.get(figure_id)
        if found is None:
            raise RuleBrokenError("figure_of_another_recipient", figure_id)
        return found

    def measure(self, figure: Figure) -> Measure:
        """What a figure measures."""
        return self.released.by_name[figure.measure]

    def is_percent(self, figure: Figure) -> bool:
        """Whether a figure is written with a percent sign."""
        return self.measure(figure).figure_type in ("rate", "life_table_row")

    def check_value(self, figure: Figure, value: Decimal, upper: Decimal | None = None) -> None:
        """``RuleBrokenError`` unless ``value`` is what protect released of the figure, and no small count."""
        if figure.value is None:
            raise RuleBrokenError("withheld_figure_has_a_number", figure.figure_id)
        if self.measure(figure).figure_type not in WITHOUT_COUNTS and value in SMALL_COUNTS:
            raise RuleBrokenError("count_from_1_to_10", figure.figure_id)
        if value != figure.value or upper != figure.upper:
            raise RuleBrokenError("not_the_released_value", figure.figure_id)

    def check_denominator(self, figure: Figure, denominator: int) -> None:
        """``RuleBrokenError`` unless it is the released denominator, and no small count."""
        if figure.value is None:
            raise RuleBrokenError("withheld_figure_has_a_number", figure.figure_id)
        if denominator in SMALL_COUNTS:
            raise RuleBrokenError("count_from_1_to_10", figure.figure_id)
        if denominator != figure.denominator:
            raise RuleBrokenError("not_the_released_denominator", figure.figure_id)

    def check_interval(self, figure: Figure, ends: tuple[Decimal, Decimal]) -> None:
        """``RuleBrokenError`` where a withheld figure has an interval, or one that its value is not in."""
        if figure.value is None:
            raise RuleBrokenError("withheld_figure_has_a_number", figure.figure_id)
        if not ends[0] <= figure.value <= ends[1]:
            raise RuleBrokenError("interval_without_its_value", figure.figure_id)

    def unnamed(self, key: str) -> list[tuple[Decimal, int | None]]:
        """Value and denominator of every shown figure of clinics that ``key`` names, in order.

        ``RuleBrokenError`` where the recipient has no clinics without names, or so few are shown that each is told from
        the others.
        """
        measure, _, rest = key.partition("/*/")
        dimension, _, category = rest.partition("/")
        if self.recipient.audience is not Audience.NETWORK:
            raise RuleBrokenError("clinics_beside_each_other", key)
        found = [
            (figure.value, figure.denominator)
            for figure in self.released.figures.values()
            if figure.value is not None
            and figure.clinic_id != NETWORK
            and (figure.measure, figure.dimension, figure.category) == (measure, dimension, category)
        ]
        if len(found) < self.released.policy.smallest_clinics:
            raise RuleBrokenError("too_few_clinics_to_be_unnamed", key)
        return sorted(found, key=lambda pair: (pair[0], pair[1] or 0))
