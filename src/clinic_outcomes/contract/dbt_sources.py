"""The dbt project's sources, generated from the contract."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from clinic_outcomes.contract.loader import Contract, Table

HEADER = """\
# Generated from the contract by `clinic-outcomes contract`; a test fails when it is stale.
# Do not edit: change the contract instead.
"""

INPUTS_LOCATION = (
    "read_parquet("
    "'{{ env_var('CLINIC_OUTCOMES_INPUTS', 'inputs') }}/{identifier}/*.parquet', "
    "hive_partitioning = false)"
)
"""Where dbt-duckdb finds a source: ``{identifier}`` is filled in by it, the folder by dbt."""

LINEAGE_DESCRIPTIONS: Mapping[str, str] = {
    "clinic_id": "Clinic that delivered the row.",
    "delivery_id": "Delivery the row is from.",
    "export_sequence": "Sequence number of that delivery.",
    "source_file": "File of the delivery.",
    "source_line": "Line in that file; the header is line 1.",
    "unreadable_columns": "Columns whose delivered value was not of the column's type.",
}

INSTRUMENT_INPUTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "instrument": (
        "Questionnaires, from their files: one row per instrument.",
        {
            "instrument": "The instrument.",
            "label": "Its short name.",
            "title": "Its name in full.",
            "scoring": "sum, domain_maximum (the highest item of each domain counts) or none.",
            "items": "Items that make its total (all, where none do); empty where only totals are carried.",
            "last_item": "Number of its last item; empty where only totals are carried.",
            "total_minimum": "Least total; empty where it has none.",
            "total_maximum": "Largest total; empty where it has none.",
            "has_total": "Whether it has a total at all.",
            "is_outcome": "Whether it measures an outcome of treatment.",
            "higher_is_worse": "Whether a higher total is worse; empty where it has none.",
            "most_missing_items": "Most missing items with which a total is prorated; 0 where it is refused.",
            "sort_order": "Its place in reports.",
            "licence": "Whose it is and how it may be used.",
            "refused_because": "Why it is refused; empty where it is not.",
        },
    ),
    "instrument_item": (
        "Items of questionnaires, without their wording: one row per instrument and item.",
        {
            "instrument": "The instrument.",
            "item_number": "Number of the item, from 1.",
            "item_minimum": "Least value of an answer.",
            "item_maximum": "Largest value of an answer.",
            "cluster": "Cluster it belongs to; empty text where none.",
            "domain": "Domain it belongs to: items of one domain count once, by the highest of them.",
            "symptom_from": "Value from which the symptom is present in the diagnosis rule; empty where there is none.",
            "is_scored": "Whether it is part of a total.",
            "asked_if_item": "Item on whose answer it depends whether this is asked; empty where it always is.",
            "asked_if_value_from": "Least answer to that item with which this is asked; else it is blank by design.",
            "alternative": "Items that share this text are alternatives, of which one is answered; else empty text.",
        },
    ),
    "instrument_cluster": (
        "Clusters of items: one row per instrument and cluster.",
        {
            "instrument": "The instrument.",
            "cluster": "The cluster.",
            "label": "Its name.",
            "symptoms_needed": "Symptoms that the diagnosis rule asks for; empty where there is no rule.",
        },
    ),
    "instrument_risk_level": (
        "Levels of risk that an answer of yes gives: one row per instrument, level and item.",
        {
            "instrument": "The instrument.",
            "item_number": "Number of the item.",
            "risk_level": "low, moderate or high.",
        },
    ),
    "instrument_version": (
        "Forms of questionnaires: one row per instrument and version.",
        {
            "instrument": "The instrument.",
            "instrument_version": "The version.",
            "recall_window": "Period that its questions ask about.",
        },
    ),
    "instrument_band": (
        "Bands of totals that the literature names: one row per instrument and band.",
        {
            "instrument": "The instrument.",
            "band": "The band.",
            "label": "Its name.",
            "minimum": "Least total of the band.",
            "maximum": "Largest total of the band.",
            "citation": "Where it stands.",
        },
    ),
    "instrument_threshold": (
        "Threshold sets: one row per instrument, quantity and set.",
        {
            "instrument": "The instrument.",
            "quantity": "What the value is for.",
            "threshold_set": "Name of the set.",
            "value": "The value.",
            "unit": "point, percent (of the baseline) or correlation.",
            "citation": "Where it stands.",
            "verification": "Whether the source was read: read, secondary or unverified.",
            "is_used": "Whether the set is the one in use for the quantity.",
        },
    ),
    "recall_window": (
        "Periods that questions ask about: one row per recall window.",
        {
            "recall_window": "The recall window.",
            "label": "Its name.",
            "days": "Days it looks back; empty where it has no fixed length.",
            "allows_same_day": "Whether a score of this window can speak of a change within the day.",
        },
    ),
}
"""What ``instruments/`` says, as inputs of the model stage: name → (description, column → description)."""

PIPELINE_INPUTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "row_account": (
        "Where every delivered row went: one row per delivery, file and table.",
        {
            "clinic_id": "Clinic that delivered the file.",
            "delivery_id": "Delivery in use.",
            "file": "File of the delivery.",
            "table": "Canonical table the file feeds.",
            "delivered": "Rows delivered; the sum of the following.",
            "current": "Rows in force and accepted.",
            "quarantined": "Rows in force that break a rule.",
            "superseded": "Rows that a later delivery restates.",
            "deleted": "Rows that a later delivery deletes.",
            "duplicate": "Rows that repeat an earlier line of their delivery.",
            "tombstone": "Rows that are themselves deletions.",
        },
    ),
    "delivery": (
        "Deliveries in use: one row per delivery.",
        {
            "clinic_id": "Clinic that delivered.",
            "delivery_id": "The delivery.",
            "export_sequence": "Its sequence number.",
            "export_kind": "full or delta.",
            "reporting_period": "Period its manifest names.",
        },
    ),
    "clinic": (
        "Clinics of the build: one row per clinic.",
        {
            "clinic_id": "The clinic.",
            "clinic_title": "Its name in reports.",
            "system_title": "The clinic system it exports from.",
            "is_stale": "Whether a delivery later than all those in use is not in use itself.",
        },
    ),
    "canonical_table": (
        "Tables of the contract: one row per table, whether a clinic delivers it or not.",
        {"table_name": "The table.", "grain": "What one of its rows is."},
    ),
    **INSTRUMENT_INPUTS,
}
"""The pipeline's own inputs of the model stage: name → (description, column → description)."""


def render_dbt_sources(contract: Contract) -> str:
    """Text of ``dbt_project/models/staging/_sources.yml``: every canonical table, then the pipeline's own inputs."""
    tables = [_canonical_source(table) for table in contract.tables.values()]
    tables += [
        {"name": name, "description": description, "columns": _columns(columns)}
        for name, (description, columns) in PIPELINE_INPUTS.items()
    ]
    source = {
        "name": "inputs",
        "description": "Accepted rows of all clinics, and the pipeline's own account of them.",
        "config": {"meta": {"external_location": INPUTS_LOCATION}},
        "tables": tables,
    }
    document = {"version": 2, "sources": [source]}
    return HEADER + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def _canonical_source(table: Table) -> dict[str, object]:
    descriptions = {column.name: column.description for column in table.columns}
    descriptions |= {
        column.source_code_name: f"Delivered code of {column.name}, where the mapping knows it."
        for column in table.columns
        if column.code_list
    }
    descriptions |= LINEAGE_DESCRIPTIONS
    return {
        "name": table.name,
        "description": f"{table.description} Grain: {table.grain}.",
        "columns": _columns(descriptions),
    }


def _columns(descriptions: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "description": description} for name, description in descriptions.items()]
