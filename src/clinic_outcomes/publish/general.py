"""Tables that any section may have: a funnel, all figures together, and breakdowns.

A section of the outline may say which measures stand together and which breakdowns are drawn, or leave it to this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from clinic_outcomes.publish.examples import reading
from clinic_outcomes.publish.outline import Breakdown, OutlinedSection
from clinic_outcomes.publish.parts import Block, Heading, Note, Notice, Row, Sentence, Stated, Subheading, Table
from clinic_outcomes.publish.released import NETWORK, Measure
from clinic_outcomes.publish.view import View, anchor, withheld_note, without_withheld
from clinic_outcomes.publish.wording import BLANK, Cell, in_sentence

MEASURES_A_TABLE = {1: 6, 2: 3}
"""Most measures side by side, by the number of figures each has a row (the network's; a clinic's and the network's)."""


def general_tables(view: View, outlined: OutlinedSection) -> list[Block]:
    """Tables of a section's measures, but for those of questionnaires."""
    measures = [m for m in view.measures_in(outlined.section) if _is_general(view, m)]
    taken = [step for step in outlined.funnel if view.released.measure(step.count)]
    before = {name for step in taken for name in step.model_dump().values()}
    before |= {outlined.first.measure} if outlined.first else set()
    others = [measure for measure in measures if measure.measure not in before]
    tables: list[Block | None] = [*_first(view, outlined), _funnel(view, outlined), _overall(view, outlined, others)]
    tables += _breakdowns(view, outlined, measures)
    found = [table for table in tables if table]
    return [*([Notice(view.release.crisis_line)] if outlined.crisis_line and found else []), *found]


def _breakdowns(view: View, outlined: OutlinedSection, measures: Sequence[Measure]) -> list[Block]:
    """Those that the outline names; where it names none, its measures by every dimension."""
    if outlined.breakdowns:
        drawn: list[Block] = [table for named in outlined.breakdowns for table in _by(view, outlined, measures, named)]
        return [*drawn, *_elsewhere(view, outlined, measures)]
    by_name = [m for m in measures if not outlined.breakdown or m.measure in outlined.breakdown]
    names = tuple(measure.measure for measure in by_name)
    every = [Breakdown(dimension=dimension, measures=names) for dimension in view.dimensions_of(by_name)]
    return [table for named in every for table in _by(view, outlined, measures, named)]


def _elsewhere(view: View, outlined: OutlinedSection, measures: Sequence[Measure]) -> list[Block]:
    """Where the dimensions are that the outline does not draw."""
    drawn = {named.dimension for named in outlined.breakdowns} | {named.within for named in outlined.breakdowns}
    others = [in_sentence(view.dimension_title(d)) for d in view.dimensions_of(measures) if d not in drawn]
    if not others:
        return []
    return [Note(f"Figures by {', '.join(others)} are in the table {outlined.section}.csv beside this page.")]


def _first(view: View, outlined: OutlinedSection) -> list[Block]:
    """The figure that stands before all others, with words about it."""
    measure = view.released.measure(outlined.first.measure) if outlined.first else None
    if outlined.first is None or measure is None or not view.having([measure], ""):
        return []
    name = f"{outlined.section}-first".replace("_", "-")
    row = Row(Heading(measure.label, anchor(measure)), tuple(view.cell(measure, scope) for scope in view.scopes))
    return [
        Subheading(name, outlined.first.heading, outlined.first.text),
        Table(f"{name}-table", measure.label, "Measure", view.scope_headings(), (row,), narrow=True),
    ]


def _is_general(view: View, measure: Measure) -> bool:
    """Whether a measure belongs here: not those of questionnaires, SDs of a mean, or what compares clinics."""
    is_sd = view.released.measure(measure.measure.removesuffix("_sd")) not in (None, measure)
    return not measure.instrument and not is_sd and measure.measure != view.outline.comparison.observed_over_expected


def _overall(view: View, outlined: OutlinedSection, measures: Sequence[Measure]) -> Table | None:
    """All figures of a section that are not broken down: one row a measure, under the headings of the outline."""
    told = view.having(measures, "")
    if not told:
        return None
    grouped = {name for group in outlined.summary for name in group.measures}
    rows: list[Row] = []
    for group in outlined.summary:
        of_group = [measure for name in group.measures for measure in told if measure.measure == name]
        rows += (
            [Row(Heading(group.heading)), *(_overall_row(view, m, view.column(m)) for m in of_group)]
            if of_group
            else []
        )
    rest = [measure for measure in told if measure.measure not in grouped]
    rows += [Row(Heading("Other figures"))] if rows and rest else []
    rows += [_overall_row(view, m, Heading(m.label, anchor(m), m.unit)) for m in rest]
    shown = [row for row in rows if row.cells]
    notes = (reading([(row.heading.text, "", row.cells[0]) for row in shown]), _few_note(view, shown))
    return Table(
        identifier=f"{outlined.section}-overall".replace("_", "-"),
        caption=f"{outlined.title}: all together",
        stub="Measure",
        columns=view.scope_headings(),
        rows=tuple(rows),
        notes=tuple(note for note in notes if note),
        narrow=True,
    )


def _overall_row(view: View, measure: Measure, heading: Heading) -> Row:
    return Row(heading, tuple(view.cell(measure, scope) for scope in view.scopes))


def _few_note(view: View, rows: Sequence[Row]) -> str:
    return view.outline.few_note if any(cell.few for row in rows for cell in row.cells) else ""


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
    figures = [view.figure(measure.measure, view.scope) for measure in steps]
    counts = [figure.value if figure else None for figure in figures]
    longest = max((count for count in counts if count is not None), default=None)
    return [
        replace(row, cells=(replace(row.cells[0], bar=int(100 * count / longest)), *row.cells[1:]))
        if count is not None and longest
        else row
        for row, count in zip(rows, counts, strict=True)
    ]


def _by(view: View, outlined: OutlinedSection, measures: Sequence[Measure], named: Breakdown) -> list[Table | Note]:
    """The figures of a section broken down by a dimension, in as many tables as it takes to keep each readable."""
    wanted = [measure for name in named.measures for measure in measures if measure.measure == name]
    having = view.having(wanted, named.dimension)
    scopes = view.scopes_told(named.dimension)
    if not having or (outlined.breakdowns and view.scope in scopes and not _has_own(view, having, named.dimension)):
        return []
    return [
        _breakdown(view, outlined, part, named, having, number)
        for number, part in enumerate(_parts(having, MEASURES_A_TABLE[len(scopes)]))
    ]


def _has_own(view: View, measures: Sequence[Measure], dimension: str) -> bool:
    """Whether the recipient has a figure of its own: the network's arms say nothing to a clinic without a trial."""
    return any((measure.measure, view.scope, dimension) in view.release.categories for measure in measures)


def _breakdown(
    view: View,
    outlined: OutlinedSection,
    measures: Sequence[Measure],
    named: Breakdown,
    having: Sequence[Measure],
    number: int,
) -> Table | Note:
    """One table of a breakdown: a row a category, in the order of all measures ``having`` figures of it.

    ``number`` counts the tables of this breakdown from 0.
    """
    scopes = view.scopes_told(named.dimension)
    rows, withheld = without_withheld(_category_rows(view, measures, having, named))
    headings = tuple(view.column(m) for m in measures)
    example = reading(
        [
            (row.heading.text, heading.text, row.cells[i * len(scopes)])
            for row in rows
            for i, heading in enumerate(headings)
        ]
    )
    caption = f"{_caption(view, outlined, named)}{', continued' if number else ''}"
    if not rows:
        return Note(f"{caption}: every figure withheld or absent.")
    name = "-".join(part for part in (outlined.section, named.dimension, named.heading) if part)
    few = _few_note(view, rows)
    said: list[Sentence] = []
    if outlined.breakdowns:
        rows, said = _said_once(rows, scopes)
    return Table(
        identifier=f"{name}{f'-{number + 1}' if number else ''}".replace("_", "-").replace(" ", "-").lower(),
        caption=caption,
        stub=view.dimension_title(named.dimension),
        columns=view.scope_headings() if len(scopes) > 1 else headings,
        groups=headings if len(scopes) > 1 else (),
        rows=tuple(rows),
        notes=tuple(note for note in (example, *said, withheld_note(withheld), few) if note),
    )


def _caption(view: View, outlined: OutlinedSection, named: Breakdown) -> str:
    scopes = view.scopes_told(named.dimension)
    whose = "" if view.is_network or len(scopes) > 1 else f", {'network' if scopes == (NETWORK,) else 'this clinic'}"
    within = f" and {in_sentence(view.dimension_title(named.within))}" if named.within else ""
    about = f"{outlined.title}: {f'{named.heading} ' if named.heading else ''}"
    return f"{about}by {in_sentence(view.dimension_title(named.dimension))}{within}{whose}"


def _category_rows(view: View, measures: Sequence[Measure], having: Sequence[Measure], named: Breakdown) -> list[Row]:
    """A row a category, below it those of the second dimension that belong to it; last those that belong to none."""
    scopes = view.scopes_told(named.dimension)

    def row(dimension: str, category: str) -> Row:
        cells = tuple(view.cell(m, scope, dimension, category) for m in measures for scope in scopes)
        return Row(Heading(view.category_title(dimension, category)), cells, is_part=dimension == named.within)

    parts: dict[str, list[Row]] = {}
    for category in view.categories(having, named.within) if named.within else []:
        parent = view.release.parents.get(category, category)
        parts.setdefault(parent, []).append(row(named.within, category))
    rows: list[Row] = []
    for category in view.categories(having, named.dimension):
        rows += [row(named.dimension, category), *parts.pop(category, [])]
    return [*rows, *(part for left in parts.values() for part in left)]


def _said_once(rows: Sequence[Row], scopes: Sequence[str]) -> tuple[list[Row], list[Sentence]]:
    """Rows without the numbers taken from and the bounds that are the same in all of a scope, and notes of them."""
    bare = list(rows)
    notes: list[Sentence] = []
    numbers = _same(rows, scopes, "of")
    if numbers:
        bare = [replace(row, cells=tuple(replace(cell, of="") for cell in row.cells)) for row in bare]
        notes.append(("All figures of this table are taken from about the same number: ", *numbers, "."))
    bounds = _same(rows, scopes, "bound")
    if bounds:
        bare = [replace(row, cells=tuple(replace(cell, bound="") for cell in row.cells)) for row in bare]
        notes.append(("Where none was seen: at most ", *bounds, " with 95% confidence."))
    return bare, notes


def _same(rows: Sequence[Row], scopes: Sequence[str], field: str) -> Sentence:
    """What all cells of a scope say in a field, each with its scope; empty where they differ or are not several."""
    said: list[str | Stated] = []
    for place, scope in enumerate(scopes):
        telling: list[Cell] = [cell for row in rows for cell in row.cells[place :: len(scopes)] if getattr(cell, field)]
        texts = {str(getattr(cell, field)) for cell in telling}
        if len(texts) > 1 or len(telling) == 1:
            return ()
        for text in texts:
            stated = Stated(text, field, (telling[0].figure_id,))
            said += [", " if said else "", stated, f" ({'network' if scope == NETWORK else 'this clinic'})"]
    return tuple(said)


def _parts(measures: Sequence[Measure], most: int) -> list[Sequence[Measure]]:
    """Measures in as few parts as possible, of at most ``most`` and nearly the same length."""
    count = -(-len(measures) // most)
    return [measures[len(measures) * i // count : len(measures) * (i + 1) // count] for i in range(count)]
