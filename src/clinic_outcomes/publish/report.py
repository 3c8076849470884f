"""One recipient's report as plain data: sections of tables and charts, ready to be drawn."""

from __future__ import annotations

from typing import TypedDict

from clinic_outcomes.publish.comparison import comparison_section, unnamed_figures
from clinic_outcomes.publish.general import general_tables
from clinic_outcomes.publish.outcomes import outcome_blocks
from clinic_outcomes.publish.outline import FigureName, Outline, OutlinedSection
from clinic_outcomes.publish.over_releases import History
from clinic_outcomes.publish.parts import Block, Headline, Report, Section
from clinic_outcomes.publish.recipients import Audience, Recipient
from clinic_outcomes.publish.released import NETWORK, Released, ReportedClinic
from clinic_outcomes.publish.view import Release, View, anchor
from clinic_outcomes.publish.wording import plain


class Marks(TypedDict):
    """The marks of a report, by the names that ``Report`` has for them."""

    kicker: str
    circulation: str
    circulation_reason: str
    is_draft: bool


def compose_report(release: Release, recipient: Recipient, history: History) -> Report:
    """The whole report of the public, the network or a clinic: a clinic's own figures and the network's."""
    view = View(release, recipient)
    released = release.released
    figures = view.figures()
    notice = network_notice(released, release.outline)
    # Where no figure of the network is told, pages full of "withheld" would only hide that.
    has_figures = not (notice and view.is_network)
    used = {figure.measure for figure in figures}
    comparison = comparison_section(view, history)
    sections = [*(_section(view, outlined) for outlined in _outlined(release)), comparison]
    return Report(
        recipient=recipient,
        title=title_of(released, recipient),
        **marks(release, recipient),
        clinics=clinics_of(released, recipient),
        headlines=tuple(_headline(view, n) for n in release.outline.headline if n.measure in used and has_figures),
        sections=tuple(s for s in sections if s and s.blocks and has_figures),
        measures=tuple(measure for measure in released.measures if measure.measure in used),
        figures=figures,
        notices=(notice,) if notice else (),
        unnamed=unnamed_figures(view) if has_figures else (),
    )


def marks(release: Release, recipient: Recipient) -> Marks:
    """What stands on every page and file: the kind of report, who may read it, or that it is a draft."""
    outline = release.outline
    circulation = outline.circulation[recipient.audience]
    # An internal report goes nowhere, whatever was audited.
    is_draft = recipient.audience is not Audience.INTERNAL and not release.released.audited
    return {
        "kicker": circulation.kicker,
        "circulation": outline.draft_notice if is_draft else circulation.notice,
        "circulation_reason": outline.draft_reason if is_draft else circulation.reason,
        "is_draft": is_draft,
    }


def clinics_of(released: Released, recipient: Recipient) -> tuple[ReportedClinic, ...]:
    """The clinics that a report names: a clinic's own, else all that take part."""
    return tuple(clinic for clinic in released.clinics if recipient.clinic_id in ("", clinic.clinic_id))


def title_of(released: Released, recipient: Recipient) -> str:
    """Whose report it is."""
    return clinics_of(released, recipient)[0].title if recipient.clinic_id else "The network"


def network_notice(released: Released, outline: Outline) -> str:
    """Why there is not one figure of the network; empty where there is one."""
    if any(figure.shown for figure in released.figures.values() if figure.clinic_id == NETWORK):
        return ""
    taking_part, needed = len(released.clinics), released.policy.smallest_clinics
    if taking_part < needed:
        return outline.too_few_clinics.format(clinics=taking_part, needed=needed)
    return outline.no_network_figures


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
    own = view.cell(measure, view.scope, name.dimension, name.category)
    network = None if view.is_network else view.cell(measure, NETWORK, name.dimension, name.category)
    return Headline(name.label or measure.label, anchor(measure), own, network)
