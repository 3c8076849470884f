"""The page of claims: what web pages say, beside what the released figures say of it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, model_validator

from clinic_outcomes.files import parse_yaml
from clinic_outcomes.publish.claim_rules import (
    Evidence,
    HigherThan,
    NoEvents,
    Rule,
    Verdict,
    combine,
    judge,
    rule_text,
)
from clinic_outcomes.publish.outline import ROOM, FigureName
from clinic_outcomes.publish.page import render
from clinic_outcomes.publish.parts import Derived, Report, Stated
from clinic_outcomes.publish.released import NETWORK, Figure
from clinic_outcomes.publish.uncertainty import Range
from clinic_outcomes.publish.view import Release, View
from clinic_outcomes.publish.wording import Cell, decimal_text, plain, range_text

WITHHELD_COVERAGE = Stated("withheld", "words", ())


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Document(_Part):
    """A document that makes claims."""

    title: str
    description: str


class Check(_Part):
    """A figure and the rule it is judged by.

    ``than`` is what it is compared with, ``of`` the count that its denominator is a part of, ``unknown`` a share of
    that count that is not in the numerator only because it was not written down.
    """

    figure: FigureName
    rule: Rule
    than: FigureName | None = None
    of: FigureName | None = None
    unknown: FigureName | None = None


class Claim(_Part):
    """A claim: with tests, or with the reason why it has none."""

    number: int
    documents: tuple[str, ...]
    claim: str
    reading: str = ""
    tests: tuple[Check, ...] = ()
    beside: tuple[FigureName, ...] = ()
    not_measurable: str = ""
    cannot_be_assessed: str = ""
    context: str = ""

    @model_validator(mode="after")
    def _tested_or_explained(self) -> Claim:
        if sum(map(bool, (self.tests, self.not_measurable, self.cannot_be_assessed))) != 1:
            raise ValueError("a claim has tests, or one reason why it has none")
        return self

    def figures(self) -> list[FigureName]:
        """Every figure that the claim names."""
        tests = [name for test in self.tests for name in (test.figure, test.than, test.of, test.unknown) if name]
        return [*tests, *self.beside]


class Claims(_Part):
    """The whole of ``claims.yml``."""

    coverage_at_least_percent: Decimal
    documents: dict[str, Document]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Line:
    """One test as drawn: the figure's name, its cell, its coverage, and the rule in words."""

    label: str
    cell: Cell
    coverage: Stated | None
    rule: str


@dataclass(frozen=True)
class Finding:
    """What the figures of one scope say of a claim."""

    scope: str
    verdict: Verdict
    lines: tuple[Line, ...]


@functools.cache
def load_claims() -> Claims:
    """The claims in ``claims.yml``; pydantic's ``ValidationError`` names what is wrong with them."""
    return Claims.model_validate(parse_yaml((ROOM / "claims.yml").read_text(encoding="utf-8")))


def render_claims(report: Report, release: Release) -> str:
    """The HTML of the page of claims: each with a finding of the recipient and, for a clinic, of the network."""
    claims = load_claims()
    view = View(release, report.recipient)
    rows = [(claim, [assess(view, claim, scope) for scope in view.scopes]) for claim in claims.claims]
    tally = [(verdict, sum(found[0].verdict == verdict for _, found in rows)) for verdict in Verdict]
    return render("claims.html", report, release, claims=claims, rows=rows, tally=tally)


def assess(view: View, claim: Claim, scope: str) -> Finding:
    """The finding of a claim from the figures of one scope."""
    name = "Network" if scope == NETWORK else "This clinic"
    if claim.not_measurable:
        return Finding(name, Verdict.NOT_MEASURABLE, ())
    if claim.cannot_be_assessed:
        return Finding(name, Verdict.CANNOT_BE_ASSESSED, ())
    least = load_claims().coverage_at_least_percent
    verdicts, lines = [], []
    for test in claim.tests:
        evidence, cell, coverage = _evidence(view, test, scope)
        verdicts.append(judge(test.rule, evidence, least))
        measure = view.released.measure(test.figure.measure)
        unit = "%" if measure is None or measure.figure_type in ("rate", "life_table_row") else f" {measure.unit}"
        lines.append(Line(_label(view, test.figure), cell, coverage, rule_text(test.rule, unit)))
    beside = [named for named in claim.beside if view.released.measure(named.measure)]
    lines += [Line(_label(view, named), _cell(view, named, scope), None, "") for named in beside]
    return Finding(name, combine(verdicts), tuple(lines))


def _label(view: View, name: FigureName) -> str:
    measure = view.released.measure(name.measure)
    label = name.label or (measure.label if measure else plain(name.measure))
    return f"{label}; {view.category_title(name.dimension, name.category)}" if name.dimension else label


def _cell(view: View, name: FigureName, scope: str) -> Cell:
    measure = view.released.measure(name.measure)
    return view.cell(measure, scope, name.dimension, name.category) if measure else Cell("absent", "no figure")


def _figure(view: View, name: FigureName | None, scope: str) -> Figure | None:
    return view.figure(name.measure, scope, name.dimension, name.category) if name else None


def _evidence(view: View, test: Check, scope: str) -> tuple[Evidence, Cell, Stated | None]:
    """What the rule looks at, how it is drawn, and its coverage in words."""
    figure = _figure(view, test.figure, scope)
    cell = replace(_cell(view, test.figure, scope), few="")
    if figure is None or figure.value is None:
        return Evidence(needs_coverage=False), cell, None
    if isinstance(test.rule, NoEvents):
        uncertainty = view.release.uncertainty
        return Evidence(seen=uncertainty.seen(figure), bound_percent=uncertainty.upper_bound(figure)), cell, None
    interval = view.release.uncertainty.interval(figure) or view.release.uncertainty.rounding(figure)
    figures = [figure]
    if isinstance(test.rule, HigherThan):
        other = _figure(view, test.than, scope)
        if other is None or other.value is None:
            return Evidence(), cell, Stated("the other share is withheld or absent", "words", ())
        interval = view.release.uncertainty.share_difference(figure, other)
        figures.append(other)
        cell = _difference(cell, figure, other, interval)
    elif interval and not cell.interval and not cell.none_seen:
        cell = replace(cell, interval=range_text(interval))
    interval = _with_unknown(view, test, scope, figure, interval)
    needs, coverage, text = _coverage(view, test, scope, figures)
    return Evidence(interval=interval, coverage=coverage, needs_coverage=needs), cell, text


def _difference(cell: Cell, figure: Figure, other: Figure, interval: Range | None) -> Cell:
    if interval is None or figure.value is None or other.value is None:
        return cell
    text = f"{figure.value:.0f}% and {other.value:.0f}%: {decimal_text(figure.value - other.value, Decimal(1))} points"
    compared = (figure.figure_id, other.figure_id)
    return Derived("shown", text, interval=range_text(interval), rule="compared", from_figures=compared)


def _with_unknown(view: View, test: Check, scope: str, figure: Figure, interval: Range | None) -> Range | None:
    """The interval as if all that is unknown counted, at its upper end: what nobody wrote down contradicts nothing."""
    if test.unknown is None or interval is None:
        return interval
    unknown, whole = _figure(view, test.unknown, scope), _figure(view, test.of, scope)
    ends = view.release.uncertainty.interval(unknown) if unknown else None
    if ends is None or whole is None or not whole.value or not figure.denominator:
        return Range(interval.lower, Decimal(100))
    more = ends.upper * max(Decimal(1), whole.value / figure.denominator)
    return Range(interval.lower, min(Decimal(100), interval.upper + more))


def _coverage(view: View, test: Check, scope: str, figures: Sequence[Figure]) -> tuple[bool, Decimal | None, Stated]:
    """Whether coverage matters, the smallest of the figures' in percent (None: withheld), and both in words."""
    if test.of is not None:
        whole = _figure(view, test.of, scope)
        if whole is None or not whole.value or not figures[0].denominator:
            return True, None, WITHHELD_COVERAGE
        part = min(Decimal(100), (100 * Decimal(figures[0].denominator) / whole.value).quantize(Decimal(1)))
        text = f"about {part}% of {view.released.by_name[test.of.measure].unit}"
        return True, part, Stated(text, "part", (figures[0].figure_id, whole.figure_id))
    known = [view.release.completeness(figure) for figure in figures]
    if all(one is None for one in known):
        return False, None, Stated("all, at clinics that deliver it", "words", ())
    values = [one.value if one else None for one in known]
    if any(value is None for value in values):
        return True, None, WITHHELD_COVERAGE
    least = min(value for value in values if value is not None)
    ids = tuple(one.figure_id for one in known if one)
    return True, least, Stated(f"{least:.0f}% of those treated", "least", ids)
