"""Instruments as tables: what rules refer to, and what dbt reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from clinic_outcomes.files import canonical_json, fingerprint
from clinic_outcomes.instruments.entries import InstrumentFile, ItemRange, Threshold
from clinic_outcomes.instruments.loading import (
    Instrument,
    RecallWindow,
    chosen_thresholds,
    load_instruments,
    recall_windows,
)
from clinic_outcomes.settings import Settings

Table = tuple[Mapping[str, str], Sequence[tuple[object, ...]]]
"""Column → SQL type, and rows."""
Instruments = Mapping[str, Instrument]

INSTRUMENT = {
    "instrument": "VARCHAR",
    "label": "VARCHAR",
    "title": "VARCHAR",
    "scoring": "VARCHAR",
    "items": "INTEGER",
    "last_item": "INTEGER",
    "total_minimum": "INTEGER",
    "total_maximum": "INTEGER",
    "has_total": "BOOLEAN",
    "is_outcome": "BOOLEAN",
    "higher_is_worse": "BOOLEAN",
    "most_missing_items": "INTEGER",
    "sort_order": "INTEGER",
    "licence": "VARCHAR",
    "refused_because": "VARCHAR",
}
ITEM = {
    "instrument": "VARCHAR",
    "item_number": "INTEGER",
    "item_minimum": "INTEGER",
    "item_maximum": "INTEGER",
    "cluster": "VARCHAR",
    "domain": "VARCHAR",
    "symptom_from": "INTEGER",
    "is_scored": "BOOLEAN",
    "asked_if_item": "INTEGER",
    "asked_if_value_from": "INTEGER",
    "alternative": "VARCHAR",
}
CLUSTER = {"instrument": "VARCHAR", "cluster": "VARCHAR", "label": "VARCHAR", "symptoms_needed": "INTEGER"}
RISK_LEVEL = {"instrument": "VARCHAR", "item_number": "INTEGER", "risk_level": "VARCHAR"}
VERSION = dict.fromkeys(("instrument", "instrument_version", "recall_window"), "VARCHAR")
BAND = {
    "instrument": "VARCHAR",
    "band": "VARCHAR",
    "label": "VARCHAR",
    "minimum": "INTEGER",
    "maximum": "INTEGER",
    "citation": "VARCHAR",
}
THRESHOLD = {
    "instrument": "VARCHAR",
    "quantity": "VARCHAR",
    "threshold_set": "VARCHAR",
    "value": "DECIMAL(9,3)",
    "unit": "VARCHAR",
    "citation": "VARCHAR",
    "verification": "VARCHAR",
    "is_used": "BOOLEAN",
}
RECALL_WINDOW = {"recall_window": "VARCHAR", "label": "VARCHAR", "days": "INTEGER", "allows_same_day": "BOOLEAN"}


def instrument_tables(
    instruments: Instruments, chosen: Mapping[tuple[str, str], Threshold], windows: Sequence[RecallWindow]
) -> dict[str, Table]:
    """Name → table of everything that the files say of scoring."""
    return {
        "instrument": (INSTRUMENT, [_instrument(name, each.file) for name, each in instruments.items()]),
        "instrument_item": (ITEM, [row for name, each in instruments.items() for row in _items(name, each.file)]),
        "instrument_cluster": (
            CLUSTER,
            [
                (name, letter, cluster.label, cluster.symptoms_needed)
                for name, each in instruments.items()
                for letter, cluster in each.file.clusters.items()
            ],
        ),
        "instrument_risk_level": (
            RISK_LEVEL,
            [
                (name, item, level.level)
                for name, each in instruments.items()
                for level in each.file.risk_levels
                for item in level.items
            ],
        ),
        "instrument_version": (VERSION, _versions(instruments)),
        "instrument_band": (
            BAND,
            [
                (name, band.band, band.label, band.minimum, band.maximum, band.citation)
                for name, each in instruments.items()
                for band in each.file.bands
            ],
        ),
        "instrument_threshold": (THRESHOLD, list(_thresholds(instruments, chosen))),
        "recall_window": (RECALL_WINDOW, [(w.name, w.label, w.days, w.allows_same_day) for w in windows]),
    }


def instruments_fingerprint(settings: Settings) -> str:
    """Fingerprint of all that the marts take from ``instruments/``, the threshold sets in use among it."""
    instruments = load_instruments(settings)
    return _fingerprint(instrument_tables(instruments, chosen_thresholds(instruments, settings), recall_windows()))


def reference_fingerprint(settings: Settings) -> str:
    """Fingerprint of what rules compare with: a threshold set changes none of it."""
    return _fingerprint(reference_tables(load_instruments(settings)))


def _fingerprint(tables: Mapping[str, Table]) -> str:
    return fingerprint(
        [canonical_json({name: [list(map(str, row)) for row in rows] for name, (_, rows) in tables.items()})]
    )


def reference_tables(instruments: Instruments) -> dict[str, Table]:
    """Name → table of what rules compare with: nothing that only changes how a score is judged later."""
    named = instrument_tables(instruments, {}, ())
    kept = {
        "instrument": (
            "instrument",
            "items",
            "last_item",
            "scoring",
            "total_minimum",
            "total_maximum",
            "has_total",
            "refused_because",
        ),
        "instrument_item": (
            "instrument",
            "item_number",
            "item_minimum",
            "item_maximum",
            "domain",
            "is_scored",
            "alternative",
        ),
        "instrument_version": tuple(VERSION),
    }
    return {name: _columns(named[name], columns) for name, columns in kept.items()}


def _columns(table: Table, names: Sequence[str]) -> Table:
    types, rows = table
    places = [list(types).index(name) for name in names]
    return {name: types[name] for name in names}, [tuple(row[place] for place in places) for row in rows]


def _instrument(name: str, file: InstrumentFile) -> tuple[object, ...]:
    total = file.scoring.total
    return (
        name,
        file.label,
        file.title,
        file.scoring.method,
        sum(len(part.numbers) for part in file.scored_items or file.items) or None,
        max(file.item_numbers, default=None),
        total.minimum if total else None,
        total.maximum if total else None,
        total is not None,
        file.is_outcome,
        total.higher_is_worse if total else None,
        file.scoring.most_missing_items,
        file.sort_order,
        file.licence.text,
        file.refused.reason if file.refused else None,
    )


def _items(name: str, file: InstrumentFile) -> Iterator[tuple[object, ...]]:
    for part in file.items:
        for number in part.numbers:
            yield (
                name,
                number,
                part.minimum,
                part.maximum,
                part.cluster or "",
                _domain(file, part, number),
                _symptom_from(file, part),
                part in file.scored_items,
                part.asked_if.item if part.asked_if else None,
                part.asked_if.value_from if part.asked_if else None,
                part.alternative or "",
            )


def _domain(file: InstrumentFile, part: ItemRange, number: int) -> str:
    return part.domain if part.domain and file.scoring.method == "domain_maximum" else str(number)


def _symptom_from(file: InstrumentFile, part: ItemRange) -> int | None:
    cluster = file.clusters.get(part.cluster or "")
    return file.diagnosis.symptom_from if file.diagnosis and cluster and cluster.symptoms_needed else None


def _versions(instruments: Instruments) -> list[tuple[object, ...]]:
    return [
        (name, version, form.recall_window)
        for name, each in instruments.items()
        for version, form in each.file.versions.items()
    ]


def _thresholds(instruments: Instruments, chosen: Mapping[tuple[str, str], Threshold]) -> Iterator[tuple[object, ...]]:
    for name, each in instruments.items():
        for t in each.file.thresholds:
            used = chosen.get((name, t.quantity)) == t
            yield name, t.quantity, t.set, t.value, t.unit, t.citation, t.verification, used
