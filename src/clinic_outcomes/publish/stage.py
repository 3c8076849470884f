"""Publish: write the release of the figures that protect released."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from clinic_outcomes.contract import load_contract
from clinic_outcomes.contract.terms import load_terms
from clinic_outcomes.files import (
    atomic_folder,
    canonical_json,
    fingerprint,
    fingerprint_files,
    point_latest,
    sha256_file,
)
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import released_folder
from clinic_outcomes.protect.planning import engineers_file, refresh_rules
from clinic_outcomes.protect.stage import FIGURES
from clinic_outcomes.publish.claims import render_claims
from clinic_outcomes.publish.exact import Exact, read_exact
from clinic_outcomes.publish.history import earlier_releases, read_history
from clinic_outcomes.publish.internal import exact_ids, internal_files
from clinic_outcomes.publish.methods import render_methods
from clinic_outcomes.publish.outline import ROOM, load_outline
from clinic_outcomes.publish.over_releases import History
from clinic_outcomes.publish.page import render_page
from clinic_outcomes.publish.parts import Report
from clinic_outcomes.publish.read_back import read_back
from clinic_outcomes.publish.recipients import RESERVED, Audience, Recipient, recipients_of
from clinic_outcomes.publish.released import Released, read_released
from clinic_outcomes.publish.report import compose_report
from clinic_outcomes.publish.tables import coverage_table, data_dictionary, section_tables, unnamed_table
from clinic_outcomes.publish.view import Release
from clinic_outcomes.records import PublishRecord
from clinic_outcomes.register import append
from clinic_outcomes.settings import Settings

PERIOD = re.compile(r"[0-9]{4}-[0-9]{2}")


def publish(settings: Settings, build_id: str | None = None) -> PublishRecord:
    """Write ``releases/<yyyy-mm>.<n>/<recipient>/`` for every recipient, and move ``latest``.

    Recipients are ``public``, ``network``, each clinic, and ``internal/<clinic>``. Every file is read back before the
    release counts. ``build_id`` names the build that was protected, and approved; by default it is the latest.
    What was already released is not released again: the same build, policy, code and crisis line give the release
    they gave before. It is entered in the register before anything of it is written, whatever its audit said: those
    who read it know it. ``ClinicOutcomesError`` where nothing was released by protect, the period is not ``yyyy-mm``,
    the register refuses the release, a clinic has the name of another recipient, or a file read back says something
    else than it may.
    """
    folder = released_folder(settings, build_id)
    released = read_released(folder, settings)
    if not PERIOD.fullmatch(released.reporting_period):
        raise ClinicOutcomesError("the reporting period of the build is not of the form yyyy-mm")
    recipients = tuple(recipient.folder for recipient in _recipients(released))
    exact = read_exact(folder.parent, settings)
    entry = append(
        settings,
        build_id=released.build_id,
        policy_id=released.policy_id,
        figures=folder / FIGURES,
        plan=engineers_file(folder, "refresh"),
        audit=released.audit,
        rules=refresh_rules(released.policy),
        basis=released.planning_basis,
    )
    earlier = earlier_releases(settings.releases, released.reporting_period)
    classes = {name: term.system_class for name, term in load_terms(settings).items()}
    content: dict[str, object] = {
        "build_id": released.build_id,
        "policy_id": released.policy_id,
        "publish_code": publish_code(),
        "reporting_period": released.reporting_period,
        "register_entry": entry.number,
        "register_hash": entry.hash,
        "recipients": list(recipients),
        # A release that was audited since is another one: its reports are no drafts.
        "audited": released.audited,
        # A release says whom to call: another line is another release.
        "crisis_line": settings.crisis_line,
        # Terms stand below their classes, as the project has them today.
        "system_classes": fingerprint([canonical_json(classes)]),
        # Charts over releases are drawn from them, so a release depends on which there are.
        "earlier_releases": [path.name for path in earlier],
    }
    while True:
        # One look at what is there decides both: released already, or the next number. Where another worker takes that
        # number first, this one's folder is dropped and it looks again.
        taken = _releases(settings.releases, released.reporting_period)
        target = _existing(taken, content)
        if target is not None:
            break
        target = settings.releases / f"{released.reporting_period}.{_next_number(taken)}"
        release = Release(released, load_outline(), settings.crisis_line, classes, (entry.number, entry.hash))
        _write_release(target, release, exact, content, earlier)
    point_latest(target)
    return PublishRecord(release_id=target.name, build_id=released.build_id, recipients=recipients)


def publish_code() -> str:
    """16 hex digits over the code, wording and templates of this package and the labels of the contract."""
    files = [path for pattern in ("*.py", "*.yml", "templates/*") for path in ROOM.glob(pattern)]
    return fingerprint([fingerprint_files(files, ROOM), load_contract().fingerprint])[:16]


def _releases(folder: Path, period: str) -> list[Path]:
    """The releases of a period, in order of their numbers."""
    found = [path for path in folder.glob(f"{period}.*") if path.name.removeprefix(f"{period}.").isdigit()]
    return sorted(found, key=_number)


def _existing(releases: list[Path], content: dict[str, object]) -> Path | None:
    """The release that has this content, or None."""
    for path in releases:
        notes = path / "release.json"
        if notes.is_file() and json.loads(notes.read_text(encoding="utf-8")) == content:
            return path
    return None


def _next_number(releases: list[Path]) -> int:
    return _number(releases[-1]) + 1 if releases else 1


def _number(release: Path) -> int:
    return int(release.name.rpartition(".")[2])


def _recipients(released: Released) -> tuple[Recipient, ...]:
    taken = sorted(clinic.clinic_id for clinic in released.clinics if clinic.clinic_id in RESERVED)
    if taken:
        raise ClinicOutcomesError(f"a clinic cannot have the name of another recipient: {', '.join(taken)}")
    return recipients_of(released.clinics)


def _write_release(
    target: Path, release: Release, exact: Exact, content: dict[str, object], earlier: list[Path]
) -> None:
    with atomic_folder(target) as folder:
        histories: dict[str, History] = {}
        for recipient in _recipients(release.released):
            if recipient.audience is Audience.INTERNAL:
                report, texts = internal_files(release, recipient, exact)
                own = exact.figures.get(recipient.clinic_id, ())
                of_others = release.outline.internal.of_others
                figures = exact_ids([f for f in own if f.measure not in of_others], report.figures)
            else:
                charted = [name.figure_id(recipient.scope) for name in release.outline.comparison.over_releases]
                histories[recipient.folder] = read_history(earlier, recipient.folder, charted)
                report = compose_report(release, recipient, histories[recipient.folder])
                texts = _report_files(report, release)
                figures = [figure.figure_id for figure in report.figures]
            _write_recipient(folder / recipient.folder, report, release, texts, figures)
        (folder / "release.json").write_text(canonical_json(content), encoding="utf-8")
        read_back(folder, release, exact, histories)


def _report_files(report: Report, release: Release) -> dict[str, str]:
    """Every file of a report but its manifest, by name. The public is not told what each clinic delivers."""
    texts = {f"tables/{name}": text for name, text in section_tables(report, release).items()}
    if report.unnamed:
        texts["tables/clinics_unnamed.csv"] = unnamed_table(report, release)
    if not report.is_public:
        coverage = coverage_table(report, release.released)
        # A table without a line would be one without the mark that each line has.
        texts |= {"tables/coverage.csv": coverage} if coverage.count("\n") > 1 else {}
        texts["claims.html"] = render_claims(report, release)
    texts["tables/data_dictionary.csv"] = data_dictionary(report)
    texts["index.html"] = render_page(report, release)
    texts["methods.html"] = render_methods(report, release)
    return texts


def _write_recipient(
    folder: Path, report: Report, release: Release, texts: Mapping[str, str], figures: Sequence[str]
) -> None:
    (folder / "tables").mkdir(parents=True)
    released, (number, digest) = release.released, release.entered_as or (None, None)
    for name, text in sorted(texts.items()):
        (folder / name).write_text(text, encoding="utf-8", newline="")
    manifest = {
        "recipient": report.recipient.folder,
        "recipient_class": report.recipient.audience.value,
        "status": report.circulation,
        "reporting_period": released.reporting_period,
        "build_id": released.build_id,
        "policy_id": released.policy_id,
        "policy": released.policy.model_dump(mode="json"),
        "register_entry": number,
        "register_hash": digest,
        "files": {name: sha256_file(folder / name) for name in sorted(texts)},
        "figures": sorted(figures),
    }
    (folder / "manifest.json").write_text(canonical_json(manifest), encoding="utf-8")
