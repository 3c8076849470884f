"""Rows of forms as one flat export of a REDCap project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.formats import csv_files
from clinic_outcomes.mapping import System
from clinic_outcomes.mapping.redcap_project import RedcapProject, read_project

EVENT = "redcap_event_name"
INSTRUMENT = "redcap_repeat_instrument"
INSTANCE = "redcap_repeat_instance"
ROW_COLUMNS = (EVENT, INSTANCE, "redcap_data_access_group", "redcap_survey_identifier")
"""Columns that every form of a row has beside the record's id."""
COMPLETE = "2"
"""Status of a form whose data are complete."""
_BIG = 1 << 40


@dataclass(frozen=True)
class _Part:
    """Rows of one form: its place among the forms, its columns but the keys, SQL of the rows as they were given."""

    place: int
    form: str
    columns: tuple[str, ...]
    sql: str


def write_file(connection: duckdb.DuckDBPyConnection, path: Path, system: System, rows: Mapping[str, str]) -> int:
    """Write forms as one export; the number of its rows.

    A row of the export is one of record, event, repeated form and instance; forms that do not repeat share it. Where
    the event or instance is not given, the project's own files say where the form is filled in, in the record's arm,
    and whether it repeats; then instances are counted in the order given. Rows of one record lie together, records in
    the order in which they first appear. A form is complete where nothing else is said.
    """
    project = read_project(system.folder)
    files = {system.sources[source].file for source in rows}
    sources = [name for name, found in system.base_sources.items() if not files or found.file in files]
    header = _header(system, project, sources)
    parts = sorted((_part(system, project, *given) for given in rows.items()), key=lambda part: part.place)
    query = _query(project, header, parts)
    return csv_files.write_file(connection, path, system, {"": f"({query})"})


def _header(system: System, project: RedcapProject, sources: Iterable[str]) -> tuple[str, ...]:
    """Columns of the export in REDCap's order: of the row, then of the forms in the dictionary's order."""
    allowed = dict.fromkeys(name for source in sources for name in system.allowed_columns(source))
    wanted = {project.record_id, *allowed}
    wanted |= {EVENT} if project.events else set()
    wanted |= {INSTRUMENT, INSTANCE} if project.repeating or INSTANCE in allowed else set()
    event, *others = ROW_COLUMNS
    order = dict.fromkeys((project.record_id, event, INSTRUMENT, *others, *project.columns, *allowed))
    return tuple(name for name in order if name in wanted)


def _part(system: System, project: RedcapProject, source: str, sql: str) -> _Part:
    form = system.sources[source].form or source
    allowed = system.allowed_columns(source)
    keys = {"record": project.record_id, "event": EVENT, "instance": INSTANCE}
    columns = tuple(name for name in allowed if name not in keys.values())
    texts = [f"{_text(name) if name in allowed else 'NULL::VARCHAR'} AS _given_{place}" for place, name in keys.items()]
    status = f"{form}_complete"
    texts += [
        f"coalesce({_text(name)}, {quote_text(COMPLETE)}) AS {quote_name(name)}"
        if name == status
        else f"{_text(name)} AS {quote_name(name)}"
        for name in columns
    ]
    given = f"SELECT {', '.join(texts)}, row_number() OVER () AS _position FROM {sql}"
    return _Part(project.forms.index(form), form, columns, given)


def _text(name: str) -> str:
    return f"nullif({quote_name(name)}::VARCHAR, '')"


def _query(project: RedcapProject, header: Sequence[str], parts: Sequence[_Part]) -> str:
    """SQL of the export's rows in order."""
    if not parts:
        return f"SELECT {', '.join(f'NULL AS {quote_name(name)}' for name in header)} WHERE false"
    tables = {f"given_{part.place}": part.sql for part in parts}
    tables["arms"] = _arms(project, parts)
    tables |= {f"placed_{part.place}": _placed(project, part) for part in parts}
    tables |= {f"ranked_{part.place}": _ranked(project, part) for part in parts}
    columns = dict.fromkeys(name for part in parts for name in part.columns)
    values = ", ".join(f"max({quote_name(name)}) AS {quote_name(name)}" for name in columns)
    keys = "_record, _event, _instrument, _instance, _rank"
    everything = " UNION ALL BY NAME ".join(f"FROM ranked_{part.place} WHERE _instrument = ''" for part in parts)
    tables["merged"] = f"SELECT {keys}, -1 AS _form{', ' if values else ''}{values} FROM ({everything}) GROUP BY {keys}"
    tables["repeated"] = " UNION ALL BY NAME ".join(
        f"SELECT * EXCLUDE (_position) FROM ranked_{part.place} WHERE _instrument <> ''" for part in parts
    )
    seen = " UNION ALL ".join(
        f"SELECT _record, _form * {_BIG} + _position AS _seen FROM ranked_{p.place}" for p in parts
    )
    tables["records"] = f"SELECT _record, min(_seen) AS _first FROM ({seen}) GROUP BY _record"
    named = {
        project.record_id: "nullif(_record, '')",
        EVENT: "nullif(_event, '')",
        INSTRUMENT: "nullif(_instrument, '')",
        INSTANCE: "_instance",
    }
    selected = ", ".join(
        f"{named.get(name) or (quote_name(name) if name in columns else 'NULL')} AS {quote_name(name)}"
        for name in header
    )
    events = text_list(dict.fromkeys(item.event for item in project.events))
    return (
        f"WITH {', '.join(f'{name} AS ({sql})' for name, sql in tables.items())} "
        f"SELECT {selected} FROM (FROM merged UNION ALL BY NAME FROM repeated) JOIN records USING (_record) "
        f"ORDER BY _first, list_position({events}, _event) NULLS LAST, _event, _form, "
        "TRY_CAST(_instance AS BIGINT), _instance, _rank"
    )


def _arms(project: RedcapProject, parts: Sequence[_Part]) -> str:
    """SQL of each record's arm, from the events that are given; the first where it is in several."""
    arms = {item.event: item.arm for item in project.events}
    cases = " ".join(f"WHEN {quote_text(event)} THEN {quote_text(arm)}" for event, arm in arms.items())
    given = " UNION ALL ".join(f"SELECT _given_record, _given_event FROM given_{part.place}" for part in parts)
    arm = f"CASE _given_event {cases} END" if cases else "NULL"
    return f"SELECT coalesce(_given_record, '') AS _of, min({arm}) AS _arm FROM ({given}) GROUP BY ALL"


def _placed(project: RedcapProject, part: _Part) -> str:
    """SQL of the rows with their record and event: the form's first one in the record's arm, unless it is given."""
    events = [item for item in project.events if item.form == part.form]
    first = {item.arm: item.event for item in reversed(events)}
    cases = " ".join(f"WHEN {quote_text(arm)} THEN {quote_text(event)}" for arm, event in first.items())
    in_arm = f"CASE _arm {cases} END, " if cases else ""
    default = quote_text(events[0].event if events else "")
    return (
        f"SELECT coalesce(_given_record, '') AS _record, coalesce(_given_event, {in_arm}{default}) AS _event, "
        f"_given_instance, _position, {_names(part)} "
        f"FROM given_{part.place} JOIN arms ON coalesce(_given_record, '') = _of"
    )


def _ranked(project: RedcapProject, part: _Part) -> str:
    """SQL of the rows with their instance, and a rank among rows that are given for one place, so that none is lost."""
    if project.repeating:
        repeats = _among(event for event, form in project.repeating if form == part.form)
        counted = f"({repeats} OR {_among(event for event, form in project.repeating if not form)})"
    else:
        repeats = counted = "_given_instance IS NOT NULL"
    taken = "coalesce(max(TRY_CAST(_given_instance AS BIGINT)) OVER (PARTITION BY _record, _event), 0)"
    number = "row_number() OVER (PARTITION BY _record, _event, _given_instance IS NULL ORDER BY _position)"
    instance = f"coalesce(_given_instance, CASE WHEN {counted} THEN ({taken} + {number})::VARCHAR END)"
    names = _names(part)
    return (
        f"SELECT *, {part.place} AS _form, "
        "row_number() OVER (PARTITION BY _record, _event, _instrument, _instance ORDER BY _position) AS _rank "
        f"FROM (SELECT _record, _event, CASE WHEN {repeats} THEN {quote_text(part.form)} ELSE '' END AS _instrument, "
        f"{instance} AS _instance, _position, {names} FROM placed_{part.place})"
    )


def _among(events: Iterable[str]) -> str:
    return f"_event IN ({', '.join(map(quote_text, ('nowhere', *events)))})"


def _names(part: _Part) -> str:
    return ", ".join(map(quote_name, part.columns)) or "NULL AS _nothing"
