"""What has become of every delivery, read from the ledger, landing and the clinics' newest states."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clinic_outcomes import ledger
from clinic_outcomes.alert.telling import told_alerts
from clinic_outcomes.files import latest
from clinic_outcomes.mapping import Clinic, load_clinics
from clinic_outcomes.pipeline import sequence_conflict
from clinic_outcomes.problems import Problem
from clinic_outcomes.receive import is_stale, landing_folders, standing_deliveries
from clinic_outcomes.receive.landing import readable
from clinic_outcomes.receive.telling import told_folder
from clinic_outcomes.recipe import recipe as recipe_of
from clinic_outcomes.records import (
    AdmitRecord,
    Finding,
    HarmonisedTable,
    HarmoniseRecord,
    ReceiveRecord,
    ResolveRecord,
    RowAccount,
    ValidateRecord,
)
from clinic_outcomes.resolve import sequence_gaps
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import late_clinics

COUNTS = ("delivered", "current", "quarantined", "superseded", "deleted", "duplicate", "tombstone")
PROBLEMS_TOLD = 5


@dataclass(frozen=True)
class ClinicRecords:
    """All that is known of one clinic's deliveries under its current recipe. The mappings are by delivery id.

    ``folders`` are those now in landing, by the delivery they hold; ``unread`` those that ``receive`` has not seen
    as they are now. ``conflicts`` share their export sequence with another delivery. ``resolved`` and ``validated``
    are of the newest validated state; ``person_accepted`` are the held deliveries that a person accepted.
    """

    clinic: Clinic
    received: dict[str, ReceiveRecord]
    admitted: dict[str, AdmitRecord]
    harmonised: dict[str, HarmoniseRecord]
    conflicts: frozenset[str]
    person_accepted: frozenset[str]
    resolved: ResolveRecord | None
    validated: ValidateRecord | None
    folders: dict[str, tuple[str, ...]]
    unread: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """How far a delivery came: ``accepted``, ``refused``, ``held`` or ``pending``, at which stage and why."""

    state: str
    stage: str
    problems: tuple[Problem, ...] = ()


def status(settings: Settings) -> dict[str, Any]:
    """Deliveries, clinics, open alerts and the newest release as plain data.

    A delivery's ``tables`` hold its rows' account (all seven counts a table), ``files`` the same for each of its
    files; both are empty until the delivery is accepted. ``rows_left_out`` are the rows a table of a delivery that is
    in conflict or held. ``unmapped`` counts values without a canonical code. A clinic's ``gaps`` are export sequences
    of which nothing was received; ``final_period_restatements`` counts deliveries that change a period declared final.
    ``late`` says how far its reporting period is behind the network's newest, where that is too far.
    A clinic is ``stale`` while a delivery later than all those in use is not in use itself. ``alerts`` are those that
    no person has acknowledged, ``sent`` whether their message has left. ``ClinicOutcomesError``
    where a mapping is wrong.
    """
    clinics = load_clinics(settings)
    records = [read_clinic(clinic, settings) for clinic in clinics.values()]
    late = _late(records)
    return {
        "deliveries": [
            *(delivery for record in records for delivery in _deliveries(record)),
            *_unknown_clinics(clinics, settings),
        ],
        "clinics": [_clinic(record, late) for record in records],
        "alerts": [alert for record in records for alert in _open_alerts(record.clinic, settings)],
        "release": _release(settings),
    }


def read_clinic(clinic: Clinic, settings: Settings) -> ClinicRecords:
    """Read what ledger, landing and state hold of a clinic's deliveries."""
    recipe = recipe_of(clinic, settings)
    found = landing_folders(clinic.clinic_id, settings)
    folders = {
        delivery_id: tuple(told_folder(readable(path.name)) for path in paths) for delivery_id, paths in found.items()
    }
    harmonised = ledger.harmonise_records(clinic.clinic_id, recipe, settings)
    told = Counter(record.export_sequence for record in harmonised)
    state = latest(settings.state / clinic.clinic_id)
    return ClinicRecords(
        clinic=clinic,
        received={record.delivery_id: record for record in standing_deliveries(clinic.clinic_id, settings)},
        admitted={r.delivery_id: r for r in ledger.admit_records(clinic.clinic_id, recipe, settings)},
        harmonised={record.delivery_id: record for record in harmonised},
        conflicts=frozenset(r.delivery_id for r in harmonised if told[r.export_sequence] > 1),
        person_accepted=ledger.accepted_deliveries(clinic.clinic_id, settings),
        resolved=ledger.find(state / "resolved" / "resolve.json", ResolveRecord) if state else None,
        validated=ledger.find(state / "validate.json", ValidateRecord) if state else None,
        folders=folders,
        unread=tuple(
            _names(clinic.clinic_id, settings, without={name for names in folders.values() for name in names})
        ),
    )


def verdict(delivery_id: str, records: ClinicRecords) -> Verdict:
    """How far a received delivery came, and what stopped it."""
    received, admitted = records.received[delivery_id], records.admitted.get(delivery_id)
    if not received.received:
        return Verdict("refused", "receive", received.problems)
    if admitted and not admitted.admitted:
        return Verdict("refused", "admit", admitted.problems)
    if delivery_id in records.conflicts:
        return Verdict("refused", "resolve", (sequence_conflict(received.clinic_id, delivery_id),))
    if records.validated and delivery_id in records.validated.deliveries:
        return Verdict("accepted", "validate")
    held = {held.delivery_id: held.problems for held in records.resolved.held} if records.resolved else {}
    if delivery_id in held and delivery_id not in records.person_accepted:
        return Verdict("held", "resolve", held[delivery_id])
    if not admitted:
        return Verdict("pending", "admit")
    return Verdict("pending", "resolve" if delivery_id in records.harmonised else "harmonise")


def _names(clinic_id: str, settings: Settings, without: Iterable[str] = ()) -> list[str]:
    """What lies in a clinic's landing folder, by name; names with a dot in front are still being uploaded."""
    folder = settings.landing / clinic_id
    names = [readable(path.name) for path in folder.iterdir()] if folder.is_dir() else []
    told = {told_folder(name) for name in names if not name.startswith(".")}
    return sorted(told - set(without))


def _deliveries(records: ClinicRecords) -> list[dict[str, Any]]:
    clinic_id = records.clinic.clinic_id
    known = [_delivery(delivery_id, records) for delivery_id in sorted(records.received)]
    waiting = Verdict("pending", "receive")
    return known + [_entry(clinic_id, None, waiting, folders=(name,)) for name in records.unread]


def _delivery(delivery_id: str, records: ClinicRecords) -> dict[str, Any]:
    reached = verdict(delivery_id, records)
    account = records.validated.account if records.validated and reached.state == "accepted" else ()
    harmonised = records.harmonised.get(delivery_id)
    return _entry(
        records.clinic.clinic_id,
        delivery_id,
        reached,
        account=[part for part in account if part.delivery_id == delivery_id],
        folders=records.folders.get(delivery_id, ()),
        unmapped=sum(count.rows for count in harmonised.unmapped) if harmonised else 0,
        left_out=harmonised.tables if harmonised and reached.stage == "resolve" and reached.problems else (),
    )


def _unknown_clinics(clinics: Iterable[str], settings: Settings) -> list[dict[str, Any]]:
    problem = Problem(
        rule="clinic_unknown",
        message="there is no clinic of this name",
        advice="Add clinics/<name>.yml, or deliver into the folder of a known clinic.",
    )
    landing = settings.landing
    names = sorted(readable(path.name) for path in landing.iterdir() if path.is_dir()) if landing.is_dir() else []
    return [
        _entry(
            told_folder(name),
            None,
            Verdict("refused", "receive", (problem.model_copy(update={"clinic": told_folder(name)}),)),
            folders=_names(name, settings),
        )
        for name in names
        if name not in set(clinics) and not name.startswith(".")
    ]


def _entry(
    clinic_id: str,
    delivery_id: str | None,
    reached: Verdict,
    *,
    account: Sequence[RowAccount] = (),
    folders: Sequence[str] = (),
    unmapped: int = 0,
    left_out: Sequence[HarmonisedTable] = (),
) -> dict[str, Any]:
    tables: dict[str, dict[str, int]] = {}
    for part in account:
        counts = tables.setdefault(part.table, dict.fromkeys(COUNTS, 0))
        for name in COUNTS:
            counts[name] += getattr(part, name)
    rows_left_out: Counter[str] = Counter()
    for file in left_out:
        rows_left_out[file.table] += file.rows
    return {
        "clinic": clinic_id,
        "delivery": delivery_id,
        "state": reached.state,
        "stage": reached.stage,
        "reason_code": reached.problems[0].rule if reached.problems else None,
        "reason": _reason(reached.problems),
        "tables": tables,
        "files": [
            {"file": part.file, "table": part.table, **{name: getattr(part, name) for name in COUNTS}}
            for part in account
        ],
        "rows_left_out": dict(rows_left_out),
        "folders": list(folders),
        "unmapped": unmapped,
    }


def _reason(problems: Sequence[Problem]) -> str | None:
    if not problems:
        return None
    told = [str(problem) for problem in problems[:PROBLEMS_TOLD]]
    more = len(problems) - len(told)
    return "; ".join([*told, *([f"and {more} more"] if more else [])])


def _late(records: Sequence[ClinicRecords]) -> Mapping[str, Finding]:
    """Clinics whose reporting period is too far behind the network's newest, each by its own threshold."""
    periods, months = {}, {}
    for record in records:
        if record.resolved and record.resolved.reporting_period:
            thresholds = {threshold.name: threshold.value for threshold in record.resolved.thresholds}
            periods[record.clinic.clinic_id] = record.resolved.reporting_period
            months[record.clinic.clinic_id] = thresholds["late_months"]
    return late_clinics(periods, months)


def _clinic(records: ClinicRecords, late: Mapping[str, Finding]) -> dict[str, Any]:
    used = set(records.validated.deliveries) if records.validated else set()
    in_use = [record for record in records.received.values() if record.delivery_id in used]
    received = [r.export_sequence for r in records.received.values() if r.received and r.export_sequence is not None]
    newest = max(in_use, key=lambda record: record.export_sequence or 0, default=None)
    return {
        "clinic": records.clinic.clinic_id,
        "state_id": records.validated.state_id if records.validated else None,
        "reporting_period": newest.reporting_period if newest else None,
        "newest_sequence": newest.export_sequence if newest else None,
        "period_status": newest.period_status if newest else None,
        "final_period_restatements": len(records.resolved.final_period_restatements) if records.resolved else 0,
        "gaps": [gap.model_dump() for gap in sequence_gaps(received)],
        "stale": is_stale(records.received.values(), used),
        "late": late[records.clinic.clinic_id].message if records.clinic.clinic_id in late else None,
    }


def _open_alerts(clinic: Clinic, settings: Settings) -> list[dict[str, Any]]:
    told = told_alerts(clinic.clinic_id, settings)
    return [{name: value for name, value in alert.items() if name != "message"} for alert in told]


def _release(settings: Settings) -> dict[str, Any] | None:
    folder = latest(settings.releases)
    if folder is None:
        return None
    release = json.loads((folder / "release.json").read_text(encoding="utf-8"))
    return {"release_id": folder.name, "build_id": release["build_id"], "recipients": release["recipients"]}
