"""The query that turns one delivered source into rows of one canonical table.

It has three layers, each a sub-query of the next: *delivered* trims the columns of the source, *text* names them as the
contract does and drops what says that there is no value, *value* gives them the contract's types and codes. The last
step adds lineage and names the columns that could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinic_outcomes.contract import Column, Table
from clinic_outcomes.database import quote_name, quote_text
from clinic_outcomes.formats import PLACE
from clinic_outcomes.harmonise import expressions as sql
from clinic_outcomes.mapping import ColumnMapping, System
from clinic_outcomes.mapping.lines import RECORD_ACTION

_PLACE = ", ".join(PLACE)


@dataclass(frozen=True)
class Origin:
    """Where the rows of a source come from."""

    clinic_id: str
    delivery_id: str
    export_sequence: int
    source: str


def canonical_rows(delivered: str, system: System, table: Table, origin: Origin) -> str:
    """SQL of the canonical rows of ``table``, in the order of ``delivered``.

    ``delivered`` is a table expression with every delivered column as VARCHAR, and the place of each row.
    """
    mappings = {_name(mapping): mapping for mapping in system.mappings(origin.source, table.name)}
    return (
        f"SELECT {_stored(table, mappings, origin)}\n"
        f"FROM (SELECT {_PLACE}, {_values(mappings, system)}\n"
        f"FROM (SELECT {_PLACE}, {_texts(mappings, system)}\n"
        f"FROM (SELECT {_PLACE}{_trimmed(mappings)} FROM {delivered} AS delivered)))"
    )


def _name(mapping: ColumnMapping) -> str:
    return mapping.target.name if mapping.target else RECORD_ACTION


def _delivered(name: str) -> str:
    """Name of the delivered text beside its value. No column of the contract has a space in its name."""
    return quote_name(f"delivered {name}")


def _trimmed_name(source_column: str) -> str:
    return quote_name(f"trimmed {source_column}")


def _trimmed(mappings: dict[str, ColumnMapping]) -> str:
    names = dict.fromkeys(name for mapping in mappings.values() for name in mapping.source_columns)
    return "".join(f", trim({quote_name(name)}) AS {_trimmed_name(name)}" for name in names)


def _texts(mappings: dict[str, ColumnMapping], system: System) -> str:
    return ", ".join(f"{_text(mapping, system)} AS {_delivered(name)}" for name, mapping in mappings.items())


def _text(mapping: ColumnMapping, system: System) -> str:
    if mapping.constant is not None:
        return quote_text(mapping.constant)
    parts = [sql.unless_missing(_trimmed_name(name), system.missing) for name in mapping.source_columns]
    if mapping.target is not None and mapping.target.multiple:
        return sql.list_members(parts[0], system.list_separator, system.missing)
    return sql.joined_key(parts)


def _values(mappings: dict[str, ColumnMapping], system: System) -> str:
    values = []
    for name, mapping in mappings.items():
        values += [f"{_delivered(name)}", f"{_value(mapping, system)} AS {quote_name(name)}"]
        if mapping.target is not None and mapping.target.code_list:
            values.append(f"{_source_code(mapping, system)} AS {quote_name(mapping.target.source_code_name)}")
    return ",\n  ".join(values)


def _value(mapping: ColumnMapping, system: System) -> str:
    text, target = _delivered(_name(mapping)), mapping.target
    codes = system.codes[mapping.codes] if mapping.codes else None
    if target is None:
        return sql.record_action(text, codes)
    if target.code_list and mapping.constant is not None:
        return f"[{text}]" if target.multiple else text
    if target.code_list:
        return sql.canonical_codes(text, codes or {}) if target.multiple else sql.canonical_code(text, codes or {})
    separator = "." if mapping.constant is not None else system.csv.decimal_separator
    return sql.plain_value(text, target, mapping.conversion, codes, separator)


def _source_code(mapping: ColumnMapping, system: System) -> str:
    target = mapping.target
    if target is None or mapping.codes is None or mapping.constant is not None:
        return f"NULL::{target.sql_type if target else 'VARCHAR'}"
    known = sql.known_source_codes if target.multiple else sql.known_source_code
    return known(_delivered(target.name), system.codes[mapping.codes])


def _stored(table: Table, mappings: dict[str, ColumnMapping], origin: Origin) -> str:
    given = {
        **{name: quote_name(name) for name in mappings},
        **{name: quote_name(name) for name in _source_code_names(mappings)},
        "clinic_id": quote_text(origin.clinic_id),
        "delivery_id": quote_text(origin.delivery_id),
        "export_sequence": str(origin.export_sequence),
        **{name: name for name in PLACE},
        RECORD_ACTION: f"coalesce({quote_name(RECORD_ACTION)}, 'upsert')" if RECORD_ACTION in mappings else "'upsert'",
        "unreadable_columns": _unreadable_columns(mappings),
    }
    return ", ".join(
        f"CAST({given.get(name, 'NULL')} AS {sql_type}) AS {quote_name(name)}"
        for name, sql_type in table.stored_columns.items()
    )


def _source_code_names(mappings: dict[str, ColumnMapping]) -> list[str]:
    targets = [mapping.target for mapping in mappings.values()]
    return [target.source_code_name for target in targets if target is not None and target.code_list]


def _unreadable_columns(mappings: dict[str, ColumnMapping]) -> str:
    """Sorted names of the columns with a delivered text and no value. A list is built only where there is one."""
    unreadable = {
        name: f"({_delivered(name)} IS NOT NULL AND {quote_name(name)} IS NULL)"
        for name, mapping in sorted(mappings.items())
        if mapping.target is None or _can_be_unreadable(mapping.target)
    }
    if not unreadable:
        return "[]"
    names = ", ".join(f"CASE WHEN {test} THEN {quote_text(name)} END" for name, test in unreadable.items())
    anything = " OR ".join(unreadable.values())
    return f"CASE WHEN {anything} THEN list_filter([{names}], lambda name: name IS NOT NULL) ELSE [] END"


def _can_be_unreadable(column: Column) -> bool:
    return column.code_list is None and (column.sql_type != "VARCHAR" or column.pattern is not None)
