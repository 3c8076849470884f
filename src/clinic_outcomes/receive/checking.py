"""Checks of one landing folder: everything wrong with it at once, and the id of what it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import duckdb

from clinic_outcomes.database import session
from clinic_outcomes.files import fingerprint, sha256_file
from clinic_outcomes.formats import check_file, content_sha256, sources_of
from clinic_outcomes.formats.limits import MEGABYTE, check_gzip, check_size, is_archive
from clinic_outcomes.mapping import Clinic, System, split_suffix
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.receive.landing import Drop, Entry
from clinic_outcomes.receive.manifest import MANIFEST_NAME, SAFE_FILE_NAME, Manifest, ManifestFile, read_manifest
from clinic_outcomes.receive.telling import is_plain_file_name, told_file
from clinic_outcomes.records import ReceivedFile, ReceiveRecord
from clinic_outcomes.settings import Settings

MOST_MEMORY_MB = 300
"""Memory of DuckDB while it looks at files that nobody has looked at yet."""


def check_drop(drop: Drop, clinic: Clinic, settings: Settings) -> ReceiveRecord:
    """The delivery record of a landing folder, with every problem found in it."""
    if len(drop.entries) > settings.most_files:
        return _unidentified(drop, clinic.clinic_id, [_too_many_files(settings)], settings)
    problems = _check_entries(drop, clinic.system)
    try:
        manifest = _find_manifest(drop)
    except ClinicOutcomesError as error:
        return _unidentified(drop, clinic.clinic_id, [*error.problems, *problems], settings)
    digests = {entry.name: _digest(entry, settings) for entry in _files(drop).values()}
    contents = {name: _content_digest(entry, digests[name], settings) for name, entry in _files(drop).items()}
    sources = {name: sources_of(name, clinic.system) for name in digests}
    problems += _check_manifest(manifest, drop, clinic)
    with session(_cautious(settings)) as connection:
        for file in sorted(manifest.files, key=lambda file: file.name):
            if file.name in digests:
                entry = _files(drop)[file.name]
                problems += _check_file(connection, file, entry, digests[file.name], clinic.system, settings)
    problems += _check_names(manifest, clinic.system)
    problems = _of_clinic(_untold(problems, manifest, drop, clinic.system), clinic.clinic_id)
    return ReceiveRecord(
        clinic_id=clinic.clinic_id,
        delivery_id=_delivery_id(clinic.clinic_id, manifest, contents, sources, problems),
        folder=drop.name,
        received=not problems,
        export_sequence=manifest.export_sequence,
        export_kind=manifest.export_kind,
        reporting_period=manifest.reporting_period,
        period_status=manifest.period_status,
        files=tuple(
            ReceivedFile(
                name=told_file(file.name, clinic.system, manifest.reporting_period),
                sources=sources[file.name],
                rows=file.rows,
                sha256=contents[file.name],
            )
            for file in sorted(manifest.files, key=lambda file: file.name)
            if file.name in digests
        ),
        problems=tuple(problems),
    )


def _cautious(settings: Settings) -> Settings:
    """The settings with less memory for DuckDB, that a hostile file may not take it all."""
    return settings.model_copy(update={"memory_limit_mb": min(settings.memory_limit_mb, MOST_MEMORY_MB)})


def _digest(entry: Entry, settings: Settings) -> str:
    """SHA-256 of a file; of one that is too large, which is refused unread, only its size."""
    if entry.size > settings.largest_file_mb * MEGABYTE:
        return f"{entry.size} bytes"
    return sha256_file(entry.path)


def _content_digest(entry: Entry, digest: str, settings: Settings) -> str:
    """Digest of what a file holds; of an archive that is broken or over the limits, its own: checking it says so."""
    if not entry.name.lower().endswith(".gz"):
        return digest
    try:
        check_size(entry.path, settings)
        check_gzip(entry.path, settings)
    except ClinicOutcomesError:
        return digest
    return content_sha256(entry.path)


def _files(drop: Drop) -> dict[str, Entry]:
    return {entry.name: entry for entry in drop.entries if entry.is_file and entry.name != MANIFEST_NAME}


def _told(name: str, system: System) -> str | None:
    """A file's name as it may be told; None where it has other than plain letters, which could be made to mislead."""
    return told_file(name, system, None) if re.fullmatch(SAFE_FILE_NAME, name) else None


def _check_entries(drop: Drop, system: System) -> list[Problem]:
    if not drop.is_folder and any(entry.is_file and is_archive(entry.path) for entry in drop.entries):
        return [
            Problem(
                rule="archive_not_read",
                message="a delivery is a folder with its files and manifest.json; this is an archive",
                advice="Unpack it, and deliver the folder that it holds.",
            )
        ]
    if not drop.is_folder:
        return [
            Problem(
                rule="folder_expected",
                message="a delivery is a folder with its files and manifest.json; this is something else",
                advice="Put the files into a folder of their own.",
            )
        ]
    problems = []
    for entry in drop.entries:
        if not entry.is_file:
            problems.append(
                Problem(
                    rule="file_not_regular",
                    message="sub-folders, links and devices are not read",
                    advice="Put plain files into the delivery's folder.",
                    file=_told(entry.name, system),
                )
            )
        if _told(entry.name, system) is None:
            problems.append(
                Problem(
                    rule="file_name_unsafe",
                    message="a file's name holds other than plain letters, digits, blanks and . _ - ( )",
                    advice="Give the file a plain name.",
                )
            )
    return problems


def _find_manifest(drop: Drop) -> Manifest:
    found = [entry for entry in drop.entries if entry.name == MANIFEST_NAME and entry.is_file and drop.is_folder]
    if not found:
        raise ClinicOutcomesError(
            [
                Problem(
                    rule="manifest_missing",
                    message="the folder has no manifest.json (yet)",
                    advice="Write manifest.json after all other files; docs/adding-a-clinic.md describes it.",
                    file=MANIFEST_NAME,
                )
            ]
        )
    return read_manifest(found[0].path)


def _check_manifest(manifest: Manifest, drop: Drop, clinic: Clinic) -> list[Problem]:
    """What the manifest says against what lies there, names alone."""
    problems = []
    if manifest.clinic_id != clinic.clinic_id:
        problems.append(
            Problem(
                rule="clinic_mismatch",
                message="the manifest is of another clinic",
                advice="Deliver into the folder of the clinic that the manifest names.",
                file=MANIFEST_NAME,
                column="clinic_id",
            )
        )
    listed, present = {file.name for file in manifest.files}, set(_files(drop))
    for name in sorted(listed - {entry.name for entry in drop.entries}):
        problems.append(
            Problem(
                rule="file_missing",
                message="the manifest lists a file that is not there",
                advice="Deliver all files that the manifest lists.",
                file=name,
            )
        )
    for name in sorted(present - listed):
        problems.append(
            Problem(
                rule="file_unlisted",
                message="a file is there that the manifest does not list",
                advice="List every file in manifest.json, or leave it out.",
                file=_told(name, clinic.system),
            )
        )
    delivered = {source for name in listed | present for source in sources_of(name, clinic.system)}
    for name, source in clinic.system.base_sources.items():
        if source.required and name not in delivered:
            problems.append(
                Problem(
                    rule="source_missing",
                    message=f"every delivery needs a file of source {name}, named {source.file}",
                    advice="Deliver the file, with its header alone where there is nothing to tell.",
                )
            )
    return problems


def _check_names(manifest: Manifest, system: System) -> list[Problem]:
    """Files of sources whose names say more than the mapping's pattern, a number and the period."""
    return [
        Problem(
            rule="file_name_unplain",
            message="a file's name says more than its source, a number of up to three digits and the reporting period",
            advice="Name the file as the system's mapping says, with a number at most.",
            file=file.name,
        )
        for file in sorted(manifest.files, key=lambda file: file.name)
        if sources_of(file.name, system) and not is_plain_file_name(file.name, system, manifest.reporting_period)
    ]


def _untold(problems: Iterable[Problem], manifest: Manifest, drop: Drop, system: System) -> list[Problem]:
    """The problems, with names of files that could be a person's told as a hash."""
    names = {file.name for file in manifest.files} | {entry.name for entry in drop.entries}
    told = {name: told_file(name, system, manifest.reporting_period) for name in names if name != MANIFEST_NAME}
    return [p.model_copy(update={"file": told[p.file]}) if p.file in told else p for p in problems]


def _check_file(
    connection: duckdb.DuckDBPyConnection,
    file: ManifestFile,
    entry: Entry,
    digest: str,
    system: System,
    settings: Settings,
) -> list[Problem]:
    """Everything wrong with one listed file; that it was changed on the way is the first to tell."""
    problems = []
    try:
        check_size(entry.path, settings)
    except ClinicOutcomesError as error:
        return list(error.problems)
    if digest != file.sha256:
        problems.append(
            Problem(
                rule="checksum_mismatch",
                message="the file is not the one that the manifest describes: its SHA-256 differs",
                advice="Deliver the file again, whole, with the manifest made from it.",
                file=file.name,
            )
        )
    if not sources_of(file.name, system):
        return [
            *problems,
            Problem(
                rule="file_unknown",
                message="the clinic's system has no source with files of this name",
                advice="Name the file as the system's mapping says, or leave it out.",
                file=file.name,
            ),
        ]
    # NDJSON has no header: where there is nothing to tell, nothing is in the file.
    if entry.size == 0 and split_suffix(file.name, system.formats)[1] != "fhir":
        return [
            *problems,
            Problem(
                rule="file_empty",
                message="the file is empty; it lacks even its header",
                advice="Deliver the header where there are no rows.",
                file=file.name,
            ),
        ]
    try:
        rows = check_file(connection, entry.path, system, settings)
    except ClinicOutcomesError as error:
        return [*problems, *error.problems]
    if rows != file.rows:
        problems.append(
            Problem(
                rule="row_count_mismatch",
                message=f"the manifest says {file.rows} rows, the file has {rows}",
                advice="Deliver the file again, whole, with the manifest made from it.",
                file=file.name,
            )
        )
    return problems


def _of_clinic(problems: Iterable[Problem], clinic_id: str) -> list[Problem]:
    return [problem.model_copy(update={"clinic": clinic_id}) for problem in problems]


def _delivery_id(
    clinic_id: str,
    manifest: Manifest,
    digests: Mapping[str, str],
    sources: Mapping[str, Sequence[str]],
    problems: Iterable[Problem],
) -> str:
    pairs = sorted(("+".join(sources[name]), digest) for name, digest in digests.items())
    # Only what is declared final is named, so that a manifest without the field keeps the id it had before the field.
    period = manifest.reporting_period + (" final" if manifest.period_status == "final" else "")
    head = [clinic_id, str(manifest.export_sequence), manifest.export_kind, period]
    # A refused delivery may have the very files of a good one (a wrong row count, say): what is wrong makes it another.
    wrong = [problem.model_dump_json() for problem in problems]
    digest = fingerprint([*head, *(text for pair in pairs for text in pair), *wrong])
    return f"{manifest.export_sequence:06d}-{manifest.export_kind}-{digest[:16]}"


def _too_many_files(settings: Settings) -> Problem:
    return Problem(
        rule="too_many_files",
        message=f"the folder has more than {settings.most_files} files",
        advice="Deliver the files of the mapping, and no others.",
    )


def _unidentified(drop: Drop, clinic_id: str, problems: Sequence[Problem], settings: Settings) -> ReceiveRecord:
    unread = any(problem.rule == "too_many_files" for problem in problems)
    parts = [
        text
        for entry in drop.entries
        for text in (
            entry.name,
            f"{entry.size} bytes" if unread or not entry.is_file else _digest(entry, settings),
        )
    ]
    return ReceiveRecord(
        clinic_id=clinic_id,
        delivery_id=f"unidentified-{fingerprint(parts)[:16]}",
        folder=drop.name,
        received=False,
        problems=tuple(_of_clinic(problems, clinic_id)),
    )
