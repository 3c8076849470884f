"""What a clinic knows on a day of its time."""

from __future__ import annotations

import numpy as np

from clinic_outcomes.synthetic.columns import Integers, Mask, Rows, code_positions, length, take, where
from clinic_outcomes.synthetic.world import World

LOOKUPS = ("organisation", "site")
"""Small tables without a person, delivered whole every time."""


def as_of(world: World, last_day: int) -> dict[str, Rows]:
    """Every row that the clinic knows on a day of its time, with what it knows of it. ``_row`` is its position."""
    last_seen = _last_seen(world, last_day)
    tables = {}
    for table, rows in world.tables.items():
        rows = rows | {"_row": np.arange(length(rows)), "_action": np.zeros(length(rows), dtype=np.int8)}
        if table not in LOOKUPS:
            rows = take(rows, is_known(world, rows, last_day))
            rows["_watched"] = last_seen - world.arrival[rows["_patient"]]
        tables[table] = rows
    _set_owners(tables, world, last_day)
    if "disposition" in tables and last_seen < last_day:
        tables["disposition"] = _closed(tables, world, last_seen)
    _forget(
        tables["patient"],
        {
            "intake_day": ("intake_day",),
            "off_label_consent_day": ("off_label_consent_day",),
            "_consulted_day": ("trauma_types", "symptom_duration_band"),
        },
    )
    tables["patient"]["observed_through_day"] = tables["patient"]["_watched"].astype(np.int32)
    if "referral" in tables:
        _forget(
            tables["referral"],
            {
                "contacted_day": ("contacted_day",),
                "consulted_day": ("consulted_day",),
                "decided_day": ("candidacy", "candidacy_reason", "decided_day"),
                "_closing_day": ("closing_reason",),
            },
        )
    return tables


def is_known(world: World, rows: Rows, last_day: int) -> Mask:
    """Rows of people that the clinic knows on a day of its time."""
    known: Mask = world.arrival[rows["_patient"]] + rows["_from"] <= _last_seen(world, last_day)
    return known


def _last_seen(world: World, last_day: int) -> int:
    """A clinic that has closed learns nothing more."""
    return last_day if world.closes_on_day is None else min(last_day, world.closes_on_day)


def _set_owners(tables: dict[str, Rows], world: World, last_day: int) -> None:
    """Who owns the sites of an organisation that is sold, and which are open."""
    if world.sold_on_day is not None:
        sold = last_day >= world.sold_on_day
        if "organisation_id" in tables.get("site", {}):
            tables["site"]["organisation_id"] = np.full_like(tables["site"]["organisation_id"], 2 if sold else 1)
        if "organisation" in tables:
            owners = take(tables["organisation"], np.arange(2 if sold else 1))
            if sold and "organisation_status" in owners:
                owners["organisation_status"] = owners["organisation_status"].copy()
                owners["organisation_status"][0] = code_positions("organisation", "organisation_status")["acquired"]
            tables["organisation"] = owners
    if _last_seen(world, last_day) < last_day and "site_status" in tables.get("site", {}):
        closed = code_positions("site", "site_status")["closed"]
        tables["site"]["site_status"] = np.full_like(tables["site"]["site_status"], closed)


def _closed(tables: dict[str, Rows], world: World, last_seen: int) -> Rows:
    """Ends of courses at a clinic that has closed: whoever was in treatment or followed up is censored on that day."""
    rows = world.tables["disposition"]
    rows = rows | {"_row": np.arange(length(rows)), "_action": np.zeros(length(rows), dtype=np.int8)}
    rows = take(rows, np.isin(rows["_course"], tables["course"]["_row"]))
    watched = (last_seen - world.arrival[rows["_patient"]]).astype(np.int32)
    unknown, unended = rows["_from"] > watched, rows["disposition_day"] > watched
    ending = code_positions("disposition", "disposition")["site_closed"]
    reason = code_positions("disposition", "censoring_reason")["site_closed"]
    changes: dict[str, tuple[Mask, int | Integers]] = {
        "disposition": (unended, ending),
        "disposition_day": (unended, watched),
        "censoring_day": (unknown, watched),
        "censoring_reason": (unknown, reason),
    }
    for name, (chosen, value) in changes.items():
        if name in rows:
            rows[name] = np.where(chosen, value, rows[name]).astype(np.int32)
    return rows | {"_watched": watched}


def _forget(rows: Rows, facts: dict[str, tuple[str, ...]]) -> None:
    """Blank the columns that become known only after the watched time: day column → columns."""
    for day, columns in facts.items():
        if day in rows:
            known = rows[day] <= rows["_watched"]
            for column in columns:
                if column in rows:
                    rows[column] = where(known, rows[column])
