"""A release read back as an outsider would read it, before it counts: every file, every number, every mark.

What is compared is what stands in the files, by readers that share nothing with what wrote them, with what protect
released. Whatever cannot be placed refuses the whole release.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from clinic_outcomes.contract import load_contract
from clinic_outcomes.files import sha256_file
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.publish.allowed import Allowed, RuleBrokenError
from clinic_outcomes.publish.claims import load_claims
from clinic_outcomes.publish.exact import Exact
from clinic_outcomes.publish.methods import figure_text
from clinic_outcomes.publish.outline import ROOM
from clinic_outcomes.publish.over_releases import History
from clinic_outcomes.publish.page_checks import Words, check_page
from clinic_outcomes.publish.recipients import Audience, Recipient, recipients_of
from clinic_outcomes.publish.released import NETWORK
from clinic_outcomes.publish.report import marks
from clinic_outcomes.publish.table_checks import check_table, figures_of
from clinic_outcomes.publish.view import Release
from clinic_outcomes.publish.wording import category_label, threshold_text

PAGES = {
    Audience.PUBLIC: {"index.html", "methods.html"},
    Audience.NETWORK: {"index.html", "claims.html", "methods.html"},
    Audience.CLINIC: {"index.html", "claims.html", "methods.html"},
    Audience.INTERNAL: {"index.html"},
}
"""The pages of each class of recipients."""
TABLES = {
    Audience.PUBLIC: {"data_dictionary.csv"},
    Audience.NETWORK: {"data_dictionary.csv", "coverage.csv", "clinics_unnamed.csv"},
    Audience.CLINIC: {"data_dictionary.csv", "coverage.csv"},
    Audience.INTERNAL: {"data_dictionary.csv", "figures.csv", "released.csv", "signals.csv"},
}
"""Tables of each class, beside those of sections."""
MANIFEST = frozenset(
    {
        "recipient",
        "recipient_class",
        "status",
        "reporting_period",
        "build_id",
        "policy_id",
        "policy",
        "register_entry",
        "register_hash",
        "files",
        "figures",
    }
)
MOST_NAMED = 20
"""Problems named in an error: where one is, there are often thousands."""


def read_back(folder: Path, release: Release, exact: Exact, histories: Mapping[str, History]) -> None:
    """Check every file of a release. ``ClinicOutcomesError`` names recipient, file, line, figure and rule."""
    recipients = recipients_of(release.released.clinics)
    words = _words(release)
    problems: list[Problem] = []
    paths = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
    found = {path.relative_to(folder).as_posix() for path in paths}
    for recipient in recipients:
        own = {name.removeprefix(f"{recipient.folder}/") for name in found if name.startswith(f"{recipient.folder}/")}
        found -= {f"{recipient.folder}/{name}" for name in own}
        allowed = _allowed(release, recipient, exact, histories.get(recipient.folder, {}))
        for file, line, broken in _check_recipient(folder / recipient.folder, own, allowed, release, words):
            problems.append(_problem(recipient, file, line, broken))
    for name in sorted(found - {"release.json"}):
        problems.append(Problem(rule="file_of_an_unknown_kind", message="no recipient has such a file", file=name))
    if problems:
        raise ClinicOutcomesError(problems[:MOST_NAMED])


def _problem(recipient: Recipient, file: str, line: int, broken: RuleBrokenError) -> Problem:
    about = f"figure {broken.figure}" if broken.figure else "the file"
    return Problem(
        rule=broken.rule,
        message=f"{about} cannot be released to {recipient.folder}",
        advice="Nothing was published. Somebody who knows the code of publish must look into it.",
        clinic=recipient.clinic_id or None,
        file=f"{recipient.folder}/{file}",
        line=line,
    )


def _allowed(release: Release, recipient: Recipient, exact: Exact, history: History) -> Allowed:
    """What the recipient may be told, decided by figure and not by the code that composed the report."""
    released, outline = release.released, release.outline
    of_others, public = outline.internal.of_others, outline.public
    of_single_clinics = {described.dimension for described in outline.dimensions if described.of_single_clinics}
    internal = recipient.audience is Audience.INTERNAL
    mark = marks(release, recipient)
    return Allowed(
        recipient=recipient,
        released=released,
        figures={
            figure.figure_id: figure
            for figure in released.figures.values()
            if figure.clinic_id in (NETWORK, recipient.clinic_id)
            and not (figure.clinic_id == NETWORK and figure.dimension in of_single_clinics)
            and not (internal and figure.clinic_id != NETWORK and figure.measure not in of_others)
            and (
                recipient.audience is not Audience.PUBLIC
                or (
                    figure.dimension in ("", *public.dimensions)
                    and released.by_name[figure.measure].section not in public.sections_left_out
                )
            )
        },
        exact={
            figure.figure_id: figure
            for figure in (exact.figures.get(recipient.clinic_id, ()) if internal else ())
            if figure.measure not in of_others
        },
        signals={one.term: one for one in (exact.signals.get(recipient.clinic_id, ()) if internal else ())},
        history=history,
        circulation=mark["circulation"],
        is_draft=mark["is_draft"],
    )


def _check_recipient(
    folder: Path, names: set[str], allowed: Allowed, release: Release, words: Words
) -> Iterator[tuple[str, int, RuleBrokenError]]:
    """Everything that is wrong in one recipient's folder: file, line and rule."""
    audience = allowed.recipient.audience
    sections = set() if allowed.is_internal else {f"{name}.csv" for name in release.sections}
    known = PAGES[audience] | {f"tables/{name}" for name in TABLES[audience] | sections} | {"manifest.json"}
    told: set[str] = set()
    for name in sorted(names):
        path = folder / name
        if name not in known or path.is_symlink():
            yield name, 1, RuleBrokenError("file_of_an_unknown_kind")
            continue
        text = path.read_bytes().decode("utf-8")
        for line, broken in _check_text(text, allowed, words):
            yield name, line, broken
        if name.endswith(".html"):
            for line, broken in check_page(text, allowed, words):
                yield name, line, broken
        elif name.endswith(".csv"):
            for line, broken in check_table(name.rpartition("/")[2], text, allowed):
                yield name, line, broken
            told |= set(figures_of(name, text))
    for name in sorted({"index.html", "manifest.json"} - names):
        yield name, 1, RuleBrokenError("file_is_missing")
    if "manifest.json" in names:
        found = _check_manifest(folder, names, told, allowed, release)
        yield from (("manifest.json", 1, broken) for broken in found)


def _check_text(text: str, allowed: Allowed, words: Words) -> Iterator[tuple[int, RuleBrokenError]]:
    """Marks, and figures or names of clinics that the recipient is not told of, wherever they stand in a file."""
    if allowed.circulation not in text.replace("&#39;", "'"):
        yield 1, RuleBrokenError("file_is_not_marked")
    if not allowed.is_draft and re.search(r"\bdraft\b", text, re.IGNORECASE):
        yield 1, RuleBrokenError("marked_as_a_draft")
    titles = {clinic.clinic_id: clinic.title for clinic in allowed.released.clinics}
    own = titles.get(allowed.recipient.clinic_id, "")
    without_own = text.replace(own, "") if own else text
    for other in allowed.others:
        if f"/{other}/" in text:
            yield _line(text, f"/{other}/"), RuleBrokenError("figure_of_another_recipient")
        # Which clinics take part the public and the network may know; a clinic's folder names no other. A title that is
        # a word of the reports anyway cannot be looked for.
        title = titles[other]
        if allowed.recipient.clinic_id and title and title in without_own and title not in words.text:
            yield _line(without_own, title), RuleBrokenError("names_another_clinic")


def _line(text: str, part: str) -> int:
    return text.count("\n", 0, text.find(part)) + 1


def _check_manifest(
    folder: Path, names: set[str], told: set[str], allowed: Allowed, release: Release
) -> Iterator[RuleBrokenError]:
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    if set(manifest) != MANIFEST or manifest["recipient"] != allowed.recipient.folder:
        yield RuleBrokenError("file_of_an_unknown_kind")
        return
    released = allowed.released
    said = (manifest["reporting_period"], manifest["build_id"], manifest["policy_id"], manifest["policy"])
    known = (released.reporting_period, released.build_id, released.policy_id, released.policy.model_dump(mode="json"))
    entry = (manifest["register_entry"], manifest["register_hash"])
    if said != known or entry != release.entered_as or manifest["recipient_class"] != allowed.recipient.audience.value:
        yield RuleBrokenError("manifest_is_of_another_release")
    if manifest["status"] != allowed.circulation:
        yield RuleBrokenError("file_is_not_marked")
    if manifest["files"] != {name: sha256_file(folder / name) for name in names - {"manifest.json"}}:
        yield RuleBrokenError("files_are_not_those_of_the_manifest")
    listed = set(manifest["figures"])
    for figure_id in sorted(listed - set(allowed.figures) - set(allowed.exact)):
        yield RuleBrokenError("figure_of_another_recipient", figure_id)
    if listed != told:
        yield RuleBrokenError("figures_are_not_those_of_the_tables")


def _words(release: Release) -> Words:
    """The project's own texts: what stands in them is nobody's count."""
    texts = [release.outline.model_dump_json(), load_claims().model_dump_json(), release.crisis_line]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOM / "templates").glob("*.html"))]
    for measure in release.released.measures:
        texts += [measure.label, measure.definition, measure.numerator_definition, measure.denominator_definition]
        texts += [measure.time_window, measure.time_point_label, measure.source]
        texts.append(figure_text(measure, release.released.policy))
    texts += [threshold_text(threshold) for threshold in release.released.thresholds]
    texts += [dimension.label for dimension in release.released.dimensions]
    texts += [f"{label}" for labels in load_contract().code_lists.values() for label in labels.values()]
    for figure in release.released.figures.values():
        texts.append(category_label(release.dimensions.get(figure.dimension), figure.category))
    texts.append(release.released.policy.model_dump_json())
    return Words("\n".join(dict.fromkeys(texts)), "\n".join(clinic.title for clinic in release.released.clinics))
