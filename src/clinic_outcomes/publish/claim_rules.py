"""When a claim is supported, when not, and when nobody can tell: rules on released figures with their intervals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from clinic_outcomes.publish.uncertainty import Range


class Verdict(StrEnum):
    """What the figures say of a claim."""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    CANNOT_BE_ASSESSED = "cannot be assessed"
    NOT_MEASURABLE = "not measurable"


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AtLeast(_Rule):
    """Supported from where the whole interval is at or above ``threshold``, not supported where it is below."""

    kind: Literal["at_least"]
    threshold: Decimal


class AtMost(_Rule):
    """Supported from where the whole interval is at or below ``threshold``, not supported where it is above."""

    kind: Literal["at_most"]
    threshold: Decimal


class Within(_Rule):
    """Supported where the whole interval lies from ``lowest`` to ``highest``, not supported where it is all outside."""

    kind: Literal["within"]
    lowest: Decimal
    highest: Decimal


class NoEvents(_Rule):
    """Any event contradicts; none supports where at most ``upper_bound_percent`` of people may yet have one."""

    kind: Literal["none"]
    upper_bound_percent: Decimal


class HigherThan(_Rule):
    """Supported where the interval of the difference is above 0, not supported where it is below."""

    kind: Literal["higher_than"]


Rule = Annotated[AtLeast | AtMost | Within | NoEvents | HigherThan, Field(discriminator="kind")]


@dataclass(frozen=True)
class Evidence:
    """What a rule looks at; what is withheld or was never delivered is None.

    ``interval`` is that of the figure, of the difference for ``HigherThan``, in the figure's unit. ``seen`` and
    ``bound_percent`` are for ``NoEvents``: whether there is an event, and the upper bound of the share of people where
    there is none. ``coverage`` is the percent of those treated that are behind the figure; ``needs_coverage`` is False
    where all of them are.
    """

    interval: Range | None = None
    seen: bool | None = None
    bound_percent: Decimal | None = None
    coverage: Decimal | None = None
    needs_coverage: bool = False


def judge(rule: Rule, evidence: Evidence, coverage_at_least: Decimal) -> Verdict:
    """The verdict of one rule. Too little coverage, or one that is withheld, decides before the figure does."""
    if evidence.needs_coverage and (evidence.coverage is None or evidence.coverage < coverage_at_least):
        return Verdict.CANNOT_BE_ASSESSED
    if isinstance(rule, NoEvents):
        return _judge_events(rule, evidence)
    if evidence.interval is None:
        return Verdict.CANNOT_BE_ASSESSED
    lower, upper = evidence.interval.lower, evidence.interval.upper
    if isinstance(rule, AtLeast):
        return _of(holds=lower >= rule.threshold, fails=upper < rule.threshold)
    if isinstance(rule, AtMost):
        return _of(holds=upper <= rule.threshold, fails=lower > rule.threshold)
    if isinstance(rule, Within):
        return _of(
            holds=rule.lowest <= lower and upper <= rule.highest, fails=upper < rule.lowest or lower > rule.highest
        )
    return _of(holds=lower > 0, fails=upper < 0)


def combine(verdicts: list[Verdict]) -> Verdict:
    """One verdict of several tests: a failed one decides; all must hold for support."""
    for verdict in (Verdict.NOT_SUPPORTED, Verdict.CANNOT_BE_ASSESSED):
        if verdict in verdicts:
            return verdict
    return Verdict.SUPPORTED


def rule_text(rule: Rule, unit: str) -> str:
    """The rule in words; ``unit`` follows its numbers."""
    if isinstance(rule, AtLeast):
        return f"Supported: the whole interval {rule.threshold}{unit} or more. Not supported: all of it below."
    if isinstance(rule, AtMost):
        return f"Supported: the whole interval {rule.threshold}{unit} or less. Not supported: all of it above."
    if isinstance(rule, Within):
        inside = f"from {rule.lowest} to {rule.highest}{unit}"
        return f"Supported: the whole interval {inside}. Not supported: all of it outside."
    if isinstance(rule, NoEvents):
        bound = f"the exact 95% upper bound at most {rule.upper_bound_percent}% of people"
        return f"Supported: no event, and {bound}. Not supported: any event."
    return "Supported: the whole interval of the difference above 0. Not supported: all of it below."


def _of(*, holds: bool, fails: bool) -> Verdict:
    return Verdict.SUPPORTED if holds else Verdict.NOT_SUPPORTED if fails else Verdict.CANNOT_BE_ASSESSED


def _judge_events(rule: NoEvents, evidence: Evidence) -> Verdict:
    if evidence.seen is None:
        return Verdict.CANNOT_BE_ASSESSED
    if evidence.seen:
        return Verdict.NOT_SUPPORTED
    bound = evidence.bound_percent
    return _of(holds=bound is not None and bound <= rule.upper_bound_percent, fails=False)
