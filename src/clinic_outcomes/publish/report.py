"""One recipient's report as plain data: sections of tables and charts, ready to be drawn."""

from __future__ import annotations

from clinic_outcomes.publish.comparison import comparison_section
from clinic_outcomes.publish.general import general_tables
from clinic_outcomes.publish.outcomes import outcome_blocks
from clinic_outcomes.publish.outline import FigureName, OutlinedSection
from clinic_outcomes.publish.over_releases import History
from clinic_outcomes.publish.parts import Block, Headline, Report, Section
from clinic_outcomes.publish.released import NETWORK
from clinic_outcomes.publish.view import Release, View, anchor
from clinic_outcomes.publish.wording import plain


def compose_report(release: Release, recipient: str, history: History) -> Report:
    """The whole report. A clinic's holds its own figures and the network's, and nothing of other clinics."""
    view = View(release, recipient)
    released = release.released
    clinics = tuple(clinic for clinic in released.clinics if recipient in (NETWORK, clinic.clinic_id))
    figures = tuple(
        figure
        for _, figure in sorted(released.figures.items())
        if view.is_network or (figure.clinic_id in view.scopes and view.may_see(figure.clinic_id, figure.dimension))
    )
    used = {figure.measure for figure in figures}
    sections = [_section(view, outlined) for outlined in _outlined(release)]
    comparison = comparison_section(view, history)
    return Report(
        recipient=recipient,
        title="The network" if view.is_network else clinics[0].title,
        clinics=clinics,
        headlines=tuple(_headline(view, name) for name in release.outline.headline if name.measure in used),
        sections=tuple(s for s in [*sections, comparison] if s and s.blocks),
        measures=tuple(measure for measure in released.measures if measure.measure in used),
        figures=figures,
    )


def _outlined(release: Release) -> list[OutlinedSection]:
    """The sections of the outline, then those that only the marts know."""
    named = [section.section for section in release.outline.sections]
    others = [name for name in release.sections if name not in named]
    return [
        *release.outline.sections,
        *(OutlinedSection(section=name, title=plain(name), introduction="") for name in others),
    ]


def _section(view: View, outlined: OutlinedSection) -> Section:
    is_of_questionnaires = outlined.section == view.outline.questionnaires.section
    blocks: list[Block] = outcome_blocks(view, outlined) if is_of_questionnaires else general_tables(view, outlined)
    return Section(outlined.section.replace("_", "-"), outlined.title, outlined.introduction, tuple(blocks))


def _headline(view: View, name: FigureName) -> Headline:
    measure = view.released.by_name[name.measure]
    own = view.cell(measure, view.recipient, name.dimension, name.category)
    network = None if view.is_network else view.cell(measure, NETWORK, name.dimension, name.category)
    return Headline(name.label or measure.label, anchor(measure), own, network)
