"""Tables that any section may have: a funnel, all figures together, and breakdowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clinic_outcomes.publish.outline import OutlinedSection
from clinic_outcomes.publish.parts import Block, Heading, Note, Row, Table
from clinic_outcomes.publish.released import NETWORK, Measure
from clinic_outcomes.publish.view import View, anchor, withheld_note, without_withheld
from clinic_outcomes.publish.wording import BLANK, in_sentence, reading

MEASURES_A_TABLE = {1: 6, 2: 3}
"""Most measures side by side, by the number of figures each has a row (the network's; a clinic's and the network's)."""


def general_tables(view: View, outlined: OutlinedSection) -> list[Block]:
    """Tables of a section's measures, but for those of questionnaires."""
    measures = [m for m in view.measures_in(outlined.section) if _is_general(view, m)]
    taken = [step for step in outlined.funnel if view.released.measure(step.count)]
    in_funnel = {name for step in taken for name in step.model_dump().values()}
    others = [measure for measure in measures if measure.measure not in in_funnel]
    tables: list[Block | None] = [_funnel(view, outlined), _overall(view, outlined, others)]
    broken_down = [m for m in measures if not outlined.breakdown or m.measure in outlined.breakdown]
    tables += [table for name in view.dimensions_of(broken_down) for table in _by(view, outlined, broken_down, name)]
    return [table for table in tables if table]


def _is_general(view: View, measure: Measure) -> bool:
    """Whether a measure belongs here: not those of questionnaires, SDs of a mean, or what compares clinics."""
    is_sd = view.released.measure(measure.measure.removesuffix("_sd")) not in (None, measure)
    return not measure.instrument and not is_sd and measure.measure != view.outline.comparison.observed_over_expected


def _overall(view: View, outlined: OutlinedSection, measures: Sequence[Measure]) -> Table | None:
    """All figures of a section that are not broken down: one row a measure."""
    rows = [
        Row(Heading(m.label, anchor(m), m.unit), tuple(view.cell(m, scope) for scope in view.scopes))
        for m in view.having(measures, "")
    ]
    if not rows:
        return None
    return Table(
        identifier=f"{outlined.section}-overall".replace("_", "-"),
        caption=f"{outlined.title}: all together",
        stub="Measure",
        columns=view.scope_headings(),
        rows=tuple(rows),
        notes=(reading([(row.heading.text, "", row.cells[0]) for row in rows]),),
        narrow=True,
    )


def _funnel(view: View, outlined: OutlinedSection) -> Table | None:
    """One row a step: how many reached it, of those at the first step and at the one before, and how long it took."""
    steps = [(step, view.released.measure(step.count)) for step in outlined.funnel]
    taken = [(step, count) for step, count in steps if count is not None and view.having([count], "")]
    if not taken:
        return None
    fields = [f for f in outlined.funnel_headings if any(view.released.measure(getattr(s, f)) for s, _ in taken)]
    rows = []
    for step, count in taken:
        measures = [view.released.measure(getattr(step, field)) for field in fields]
        rows.append(Row(Heading(count.label, anchor(count)), tuple(view.both(m) if m else BLANK for m in measures)))
    return Table(
        identifier=f"{outlined.section}-funnel".replace("_", "-"),
        caption=f"{outlined.title}: step by step",
        stub="Step",
        columns=tuple(Heading(outlined.funnel_headings[field]) for field in fields),
        rows=tuple(_with_bars(view, [count for _, count in taken], rows)),
        notes=(
            reading([(row.heading.text, "", row.cells[1 if row.cells[1:] and row.cells[1].of else 0]) for row in rows]),
        ),
        bars=True,
    )


def _with_bars(view: View, steps: Sequence[Measure], rows: Sequence[Row]) -> list[Row]:
    """Bars of the recipient's own counts, the largest being the whole length; none for what is withheld."""
    figures = [view.released.figure(measure.measure, view.recipient) for measure in steps]
    counts = [figure.value if figure else None for figure in figures]
    longest = max((count for count in counts if count is not None), default=None)
    return [
        replace(row, cells=(replace(row.cells[0], bar=int(100 * count / longest)), *row.cells[1:]))
        if count is not None and longest
        else row
        for row, count in zip(rows, counts, strict=True)
    ]


def _by(view: View, outlined: OutlinedSection, measures: Sequence[Measure], dimension: str) -> list[Table | Note]:
    """The figures of a section broken down by a dimension, in as many tables as it takes to keep each readable."""
    having = view.having(measures, dimension)
    categories = view.categories(having, dimension) if having else []
    scopes = view.scopes_told(dimension)
    return [
        _breakdown(view, outlined, part, dimension, categories, scopes, number)
        for number, part in enumerate(_parts(having, MEASURES_A_TABLE[len(scopes)]))
    ]


def _breakdown(
    view: View,
    outlined: OutlinedSection,
    measures: Sequence[Measure],
    dimension: str,
    categories: Sequence[str],
    scopes: Sequence[str],
    number: int,
) -> Table | Note:
    """One table of a breakdown: a row a category; ``number`` counts the tables of this breakdown from 0."""
    title = view.dimension_title(dimension)
    rows, withheld = without_withheld(
        [
            Row(
                Heading(view.category_title(dimension, category)),
                tuple(view.cell(m, scope, dimension, category) for m in measures for scope in scopes),
            )
            for category in categories
        ]
    )
    headings = tuple(view.column(m) for m in measures)
    example = reading(
        [
            (row.heading.text, heading.text, row.cells[i * len(scopes)])
            for row in rows
            for i, heading in enumerate(headings)
        ]
    )
    whose = "" if view.is_network or len(scopes) > 1 else f", {'network' if scopes == (NETWORK,) else 'this clinic'}"
    caption = f"{outlined.title}: by {in_sentence(title)}{whose}{', continued' if number else ''}"
    if not rows:
        return Note(f"{caption}: every figure withheld or absent.")
    return Table(
        identifier=f"{outlined.section}-{dimension}{f'-{number + 1}' if number else ''}".replace("_", "-"),
        caption=caption,
        stub=title,
        columns=view.scope_headings() if len(scopes) > 1 else headings,
        groups=headings if len(scopes) > 1 else (),
        rows=tuple(rows),
        notes=tuple(note for note in (example, withheld_note(withheld)) if note),
    )


def _parts(measures: Sequence[Measure], most: int) -> list[Sequence[Measure]]:
    """Measures in as few parts as possible, of at most ``most`` and nearly the same length."""
    count = -(-len(measures) // most)
    return [measures[len(measures) * i // count : len(measures) * (i + 1) // count] for i in range(count)]
