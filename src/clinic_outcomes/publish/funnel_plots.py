"""Funnel plots: clinics' shares by their number of people, within limits of what chance explains.

The network's places clinics without their names, numbered from left to right in each plot by itself. A clinic's own
report places that clinic alone, and does not tell how much clinics differ, which is worked out from all.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinic_outcomes.publish.charts import Axes, Chart, Dot, Path, Text, ticks
from clinic_outcomes.publish.outline import FigureName
from clinic_outcomes.publish.parts import Block, Derived, Heading, Row, Subheading, Table, Unnamed
from clinic_outcomes.publish.released import NETWORK, Figure, Measure
from clinic_outcomes.publish.view import View, anchor
from clinic_outcomes.publish.wording import Cell, in_sentence
from clinic_outcomes.statistics.funnel import ALARM, WARNING, funnel_limits, z_scores
from clinic_outcomes.statistics.overdispersion import (
    FEWEST_CLINICS,
    additive_spread,
    dispersion,
    variance_between_clinics,
)

CURVE_POINTS = 40
"""Numbers of people at which the limits are worked out; between them they are straight lines."""


@dataclass(frozen=True)
class Position:
    """A clinic on a funnel plot: its share (0 to 1) and number of people as shown; ``title`` does not name another."""

    title: str
    figure: Figure
    share: float
    people: int


@dataclass(frozen=True)
class Funnel:
    """The network's share and people, and the clinics that are placed about it."""

    target: float
    people: int
    positions: tuple[Position, ...]


def funnel_blocks(view: View, name: FigureName) -> list[Block]:
    """A funnel plot of a share with the table of its clinics' positions."""
    measure = view.released.measure(name.measure)
    funnel = _funnel(view, name) if measure else None
    if measure is None or funnel is None:
        return []
    identifier = f"funnel-{name.measure}".replace("_", "-")
    title = name.label or measure.label
    phi = _dispersion(funnel) if view.is_network else None
    spread = variance_between_clinics(phi, [p.people for p in funnel.positions], funnel.target) if phi else None
    rows = [Row(Heading(p.title), _position_cells(view, measure, funnel, p, spread)) for p in funnel.positions]
    columns = [Heading("Share", anchor(measure)), Heading("Against chance alone", "funnels")]
    if spread is not None:
        columns.append(Heading("Allowing for how clinics differ", "funnels"))
    notes = [view.outline.comparison.funnel_note, _dispersion_note(view, phi, len(funnel.positions))]
    table = Table(
        identifier=f"{identifier}-table",
        caption=f"{title}: position within the limits of its size",
        stub="Clinic" if not view.is_network else "Point",
        columns=tuple(columns),
        rows=tuple(rows),
        notes=tuple(note for note in notes if note),
        narrow=True,
    )
    return [
        Subheading(identifier, f"Funnel plot: {in_sentence(title)}"),
        _funnel_chart(view, identifier, title, funnel, name),
        table,
    ]


def _funnel(view: View, name: FigureName) -> Funnel | None:
    """The network and those of its clinics that may be seen and are shown; None where there is nothing to place."""
    key = (name.dimension, name.category)
    network = view.figure(name.measure, NETWORK, *key)
    if network is None or network.value is None or not network.denominator or not 0 < network.value < 100:
        return None
    own = view.figure(name.measure, view.scope, *key)
    shown = view.unnamed(name) if view.is_network else (own,)
    placed = [figure for figure in shown if figure and figure.denominator and figure.denominator < network.denominator]
    placed.sort(key=lambda figure: (figure.denominator or 0, figure.value or 0))
    titles = [f"Point {number}" if view.is_network else "This clinic" for number in range(1, len(placed) + 1)]
    positions = [
        Position(title, figure, float(figure.value) / 100, figure.denominator)
        for title, figure in zip(titles, placed, strict=True)
        if figure.value is not None and figure.denominator
    ]
    return Funnel(float(network.value) / 100, network.denominator, tuple(positions)) if positions else None


def _dispersion(funnel: Funnel) -> float | None:
    """How many times as much as by chance the clinics differ; None for too few of them."""
    if len(funnel.positions) < FEWEST_CLINICS:
        return None
    scores = [
        float(z_scores([_possible(funnel, position)], position.people, funnel.target, funnel.people)[0])
        for position in funnel.positions
    ]
    return dispersion(scores)


def _possible(funnel: Funnel, position: Position) -> int:
    """The clinic's numerator; rounded figures may give one that the rounded network leaves no room for."""
    others = funnel.people - round(funnel.target * funnel.people)
    fewest, most = max(0, position.people - others), min(position.people, funnel.people - others)
    return min(max(round(position.share * position.people), fewest), most)


def _dispersion_note(view: View, phi: float | None, clinics: int) -> str:
    if not view.is_network:
        return ""
    if phi is None:
        return f"With {clinics} clinics nothing can be said of how much clinics differ by more than chance."
    return (
        f"The clinics differ about {phi:.1f} times as much as chance alone would have them (1 is chance; worked out "
        "with the most extreme tenth at either end drawn in)."
    )


def _position_cells(
    view: View, measure: Measure, funnel: Funnel, position: Position, variance_between: float | None
) -> tuple[Cell, ...]:
    figure = position.figure
    if view.is_network:
        drawn = view.release.cell(measure, figure.clinic_id, figure.dimension, figure.category)
        key = FigureName(measure=figure.measure, dimension=figure.dimension, category=figure.category).figure_id("*")
        cell: Cell = Unnamed("shown", "", of=drawn.of, interval=drawn.interval, key=key, texts=(drawn.text,))
    else:
        cell = view.cell(measure, view.scope, figure.dimension, figure.category)
    cells = [cell, Derived("shown", _verdict(funnel, position, 1.0), rule="words")]
    if variance_between is not None:
        spread = additive_spread(variance_between, position.people, funnel.target, funnel.people)
        cells.append(Derived("shown", _verdict(funnel, position, spread), rule="words"))
    return tuple(cells)


def _verdict(funnel: Funnel, position: Position, spread: float) -> str:
    for probability, text in ((ALARM, "the 99.8% limits"), (WARNING, "the 95% limits")):
        lower, upper = funnel_limits(position.people, funnel.target, probability, funnel.people, spread)
        if position.share < lower:
            return f"below {text}"
        if position.share > upper:
            return f"above {text}"
    return "within the limits"


def _funnel_chart(view: View, identifier: str, title: str, funnel: Funnel, name: FigureName) -> Chart:
    """Shares by number of people, with the network's share and the limits of chance about it."""
    largest = max(p.people for p in funnel.positions)
    last = min(largest * 1.15, funnel.people - 1)
    first = max(5, min(p.people for p in funnel.positions) // 2)
    axes = Axes((0, last), (0, 100))
    paths: list[Path] = [*axes.grid([0, 25, 50, 75, 100])]
    sizes = sorted({round(first + (last - first) * i / CURVE_POINTS) for i in range(CURVE_POINTS + 1)})
    for probability, style in ((WARNING, "limit"), (ALARM, "limit far")):
        limits = [funnel_limits(size, funnel.target, probability, funnel.people) for size in sizes]
        for side in (0, 1):
            paths.append(axes.path(style, [(s, 100 * pair[side]) for s, pair in zip(sizes, limits, strict=True)]))
    paths.append(axes.path("centre", [(0, 100 * funnel.target), (last, 100 * funnel.target)]))
    dots = [
        Dot(
            *axes.at(p.people, 100 * p.share),
            f"{p.title}: {100 * p.share:.0f}% of {p.people:,}",
            size=5,
            figure_id="" if view.is_network else p.figure.figure_id,
        )
        for p in funnel.positions
    ]
    numbers = [Text(dot.x + 8, dot.y + 4, f"{number}", "start") for number, dot in enumerate(dots, 1)]
    shares = [(float(share), f"{share}%") for share in (0, 25, 50, 75, 100)]
    people = [(number, f"{number:g}") for number in ticks(0, last)]
    outside = [p.title for p in funnel.positions if _verdict(funnel, p, 1.0) != "within the limits"]
    return Chart(
        identifier=f"{identifier}-chart",
        title="Share by number of people, with limits of 95% (broken) and 99.8% (dotted)",
        description=(
            f"Funnel plot of {len(funnel.positions)} {'clinic' if len(funnel.positions) == 1 else 'clinics'} about "
            f"the network's {100 * funnel.target:.0f}%, with limits of 95% (broken lines) and 99.8% (dotted lines). "
            f"Outside the 95% limits: {', '.join(outside) or 'none'}. The table after it holds the same figures."
        ),
        paths=tuple(paths),
        dots=tuple(dots),
        texts=(*axes.labels(people, shares, "People the share is taken from"), *(numbers if view.is_network else ())),
        about=(name.figure_id(NETWORK),),
        unnamed=name.figure_id("*") if view.is_network else "",
    )
