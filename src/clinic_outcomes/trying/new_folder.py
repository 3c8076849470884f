"""Sources of a new system out of the files of an export, a format at a time."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from clinic_outcomes.admit.header import plain_name
from clinic_outcomes.mapping import CsvDialect, split_suffix
from clinic_outcomes.mapping.redcap_project import DICTIONARY, EVENTS, REPEATING, read_project
from clinic_outcomes.mapping.sources import SUFFIXES
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from clinic_outcomes.trying.exports import DICTIONARY_FORMAT, FORMATS, Export
from clinic_outcomes.trying.fhir_skeleton import write_skeletons
from clinic_outcomes.trying.proposing import propose
from clinic_outcomes.trying.redcap_dictionary import dictionary_profiles
from clinic_outcomes.trying.trial import FileTrial, try_files
from clinic_outcomes.trying.writing import NewSource, write_files

UNTOLD = "The file's name is not written here, for it could tell of a person: put its pattern in place of this one."


def write_system(
    folder: Path, name: str, format_name: str, files: Sequence[Path], settings: Settings, *, show_codes: bool
) -> None:
    """Write the files of a system of that format into an existing folder.

    ``ClinicOutcomesError`` where the files are of another format, or lack what the format needs.
    """
    if format_name == "redcap":
        _write_redcap(folder, name, files, settings)
        return
    trials = try_files(files, settings, show_names=True, show_codes=show_codes)
    _check_format(trials, format_name)
    if format_name == "fhir":
        _write_fhir(folder, name, trials)
        return
    sources = [
        NewSource(_described(trial.export, profile.part.place), profile, proposal, _comment(trial.export))
        for trial in trials
        for profile, proposal in trial.parts
    ]
    write_files(folder, name, format_name, _dialect(trials), _uniquely_named(sources))


def _check_format(trials: Sequence[FileTrial], format_name: str) -> None:
    others = sorted({trial.export.format for trial in trials} - {format_name})
    if others:
        raise ClinicOutcomesError(f"the files are of format {', '.join(others)}: say so with --format")
    if not any(trial.parts for trial in trials):
        raise ClinicOutcomesError("the files hold no table with a header")


def _dialect(trials: Sequence[FileTrial]) -> CsvDialect:
    """One for all files: they must have one delimiter; a decimal comma in any is one of all."""
    dialects = [trial.export.csv for trial in trials if trial.export.csv]
    if not dialects:
        return CsvDialect()
    if len({dialect.delimiter for dialect in dialects}) > 1:
        raise ClinicOutcomesError("the files have different delimiters: a system has one")
    comma = any(dialect.decimal_separator == "," for dialect in dialects)
    return dialects[0].model_copy(update={"decimal_separator": "," if comma else "."})


def _pattern(export: Export) -> str:
    """The pattern of a file's name, as far as that may be told: its words, and ``*`` after them."""
    stem, _ = split_suffix(export.told, FORMATS)
    ending = SUFFIXES[export.format][0]
    return f"{stem.rstrip('*').replace(' ', '_')}*{ending}"


def _described(export: Export, place: str | None) -> dict[str, str]:
    return {"file": _pattern(export)} | ({"sheet": place} if place and export.format == "excel" else {})


def _comment(export: Export) -> str:
    return UNTOLD if export.told.startswith("file ") else ""


def _uniquely_named(sources: Sequence[NewSource]) -> list[NewSource]:
    """Sources of which each has a name of its own."""
    taken: set[str] = set()
    found = []
    for source in sources:
        name, count = source.proposal.source, 1
        while name in taken:
            count += 1
            name = f"{source.proposal.source}_{count}"
        taken.add(name)
        lines = tuple(replace(line, source=name) for line in source.proposal.lines)
        lacking = tuple(replace(line, source=name) for line in source.proposal.lacking)
        found.append(replace(source, proposal=replace(source.proposal, source=name, lines=lines, lacking=lacking)))
    return found


def _write_fhir(folder: Path, name: str, trials: Sequence[FileTrial]) -> None:
    skeletons, sources = [], []
    for trial in trials:
        if len(trial.skeletons) > 1:
            raise ClinicOutcomesError(f"{trial.export.told}: a file has resources of one type only")
        for made in trial.skeletons:
            skeletons.append(made)
            pattern = f"{made.profile.part.place}*.ndjson"
            sources.append(NewSource({"file": pattern, "view": made.name}, made.profile, made.proposal))
    write_skeletons(folder, skeletons)
    write_files(folder, name, "fhir", CsvDialect(), sources)


def _write_redcap(folder: Path, name: str, files: Sequence[Path], settings: Settings) -> None:
    """Forms of the dictionary; events and repeating forms where their files are given, the dialect from an export."""
    own = {DICTIONARY: "data dictionary", EVENTS: "events", REPEATING: "repeating"}
    exports = []
    for path in files:
        kind = _redcap_file(path)
        if kind is None:
            exports.append(path)
        else:
            shutil.copyfile(path, folder / kind)
    if not (folder / DICTIONARY).is_file():
        raise ClinicOutcomesError(f"a REDCap system needs the project's {own[DICTIONARY]}: give it with --from")
    trials = try_files(exports, settings) if exports else ()
    if any(trial.export.format not in ("redcap", DICTIONARY_FORMAT) for trial in trials):
        raise ClinicOutcomesError("an export of REDCap is wanted: raw data as CSV, with the record's id first")
    project = read_project(folder)
    events = tuple(dict.fromkeys(event.event for event in project.events))
    pattern = _pattern(trials[0].export) if trials else "export*.csv"
    told = trials[0].export if trials else Export(Path("export.csv"), "export.csv", "redcap")
    sources = [
        NewSource(
            {"file": pattern, "form": profile.part.place or ""},
            profile,
            propose(profile, plain_name(profile.part.name)),
            _comment(told),
            events,
        )
        for profile in dictionary_profiles(folder, told)
    ]
    write_files(folder, name, "redcap", _dialect(trials), sources)


def _redcap_file(path: Path) -> str | None:
    """Name that a file of a project's design has in the system's folder, told by its header; None for an export."""
    with path.open(encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline().replace('"', "")
    if "Variable / Field Name" in header or ("field_name" in header and "form_name" in header):
        return DICTIONARY
    if "unique_event_name" in header and "form" in header:
        return EVENTS
    return REPEATING if "event_name" in header and "form_name" in header else None
