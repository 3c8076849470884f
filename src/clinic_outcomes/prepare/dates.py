"""Columns of dates in an export: whether they can be read at all, and which have days already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import duckdb

from clinic_outcomes.formats.inverse import mapped_columns
from clinic_outcomes.mapping import ColumnMapping
from clinic_outcomes.prepare.columns import Made, Maker, is_day
from clinic_outcomes.prepare.refusing import refusal


def make_columns(maker: Maker, source: str, there: tuple[str, ...]) -> dict[str, Made]:
    """The delivered columns of a source, of which the export has ``there``."""
    system = maker.clinic.system
    made = {}
    for column in mapped_columns(system, source):
        mappings: list[ColumnMapping] = [m for m in system.columns if m.source == source and column in m.source_columns]
        if any(len(m.source_columns) > 1 for m in mappings):
            raise refusal("prepare", f"source {source}: keys made of several columns cannot be prepared", column=column)
        missing = [name for name in maker.instructions.needs(source, column) if name not in there]
        if missing:
            raise refusal(
                "column_missing",
                f"source {source}: the export has no column {missing[0]}, of which prepare.yml makes {column}",
                "Export it as well, or correct prepare.yml.",
                column=missing[0],
            )
        made[column] = maker.make(source, column, mappings, there)
    return made


def check_dates(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, tuple[str, ...]], maker: Maker) -> Maker:
    """The maker, knowing which columns have days in place of dates.

    ``ClinicOutcomesError``, rule ``dates_unreadable``, where over half of a column's values are no dates of the forms
    that the instructions list: that is no slip of the pen, and the delivery would be empty there.
    """
    relative = set()
    for place, (source, columns) in enumerate(sources.items()):
        read = {name for made in make_columns(maker, source, columns).values() for name in made.dates}
        for column in sorted(read):
            text, day = maker.text(column), maker.as_date(column)
            row = connection.execute(
                f"SELECT count({text}), count({day}), count(*) FILTER ({is_day(text)}) FROM export_{place}"
            ).fetchone()
            values, dates, days = row or (0, 0, 0)
            if days and not dates:
                relative.add((source, column))
            elif 2 * dates < values:
                forms = ", ".join(maker.instructions.dates)
                raise refusal(
                    "dates_unreadable",
                    f"source {source}: {values - dates} of {values} values are no dates of the forms {forms}",
                    "Correct dates in prepare.yml, or the export.",
                    column=column,
                )
    return replace(maker, relative=frozenset(relative))
