"""The register as people look at it: releases with what became of them, and what each changed. Nothing exact."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from clinic_outcomes.database import quote_path, session
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register.chain import entry_folder, read_register
from clinic_outcomes.register.entries import RESTATEMENTS
from clinic_outcomes.register.opening import final_numbers, releases, withdrawn_numbers
from clinic_outcomes.settings import Settings

HEADINGS = (
    *("release", "period", "status", "shown", "withheld", "restated", "new data", "method", "audit"),
    *("said by", "hash"),
)
RESTATEMENT_HEADINGS = (
    *("figure", "kind", "release before", "period before", "old", "of", "new", "of"),
    *("deliveries", "no longer used"),
)


def list_releases(settings: Settings) -> list[dict[str, Any]]:
    """Each release: number, period, status, figures shown and withheld, changed numbers, audit, and who said what."""
    entries = read_register(settings)
    final, withdrawn = final_numbers(entries), withdrawn_numbers(entries)
    words = [(entry.status, entry.word) for entry in entries if entry.word is not None]
    listed = []
    for entry in releases(entries):
        if entry.release is None:
            continue
        release, number = entry.release, entry.number
        listed.append(
            {
                "number": number,
                "release_period": release.release_period,
                "status": "withdrawn" if number in withdrawn else "final" if number in final else "provisional",
                "build_id": release.build_id,
                "policy_id": release.policy_id,
                "hash": entry.hash,
                **release.tally.model_dump(),
                "audit": release.audit.model_dump() if release.audit else None,
                "words": [
                    {"status": status, "by": word.by, "reason": word.reason}
                    for status, word in words
                    if word.about == number
                ],
            }
        )
    return listed


def list_restatements(settings: Settings, number: int) -> list[dict[str, Any]]:
    """Numbers of a release that differ from those published before, as they were published, with what caused it.

    ``ClinicOutcomesError`` where the register has no such release.
    """
    if number not in {entry.number for entry in releases(read_register(settings))}:
        raise ClinicOutcomesError(
            f"the register has no release {number}; clinic-outcomes releases shows which there are"
        )
    path = entry_folder(number, settings) / RESTATEMENTS
    with session(settings) as connection:
        result = connection.execute(f"SELECT * FROM read_parquet({quote_path(path)}) ORDER BY figure_id")
        names = [name for name, *_ in result.description or ()]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in result.fetchall()]


def release_cells(row: dict[str, Any]) -> list[str]:
    """A release of :func:`list_releases` as cells below ``HEADINGS``."""
    audit = row["audit"]
    return [
        *(str(row[name]) for name in ("number", "release_period", "status", "shown", "withheld")),
        *(str(row[name]) for name in ("restated", "new_data", "method")),
        "none" if audit is None else "passed" if audit["passed"] else f"failed for {audit['failures']} cells",
        "; ".join(f"{word['status']} by {word['by']}: {word['reason']}" for word in row["words"]) or "-",
        row["hash"][:16],
    ]


def restatement_cells(row: dict[str, Any]) -> list[str]:
    """A number of :func:`list_restatements` as cells below ``RESTATEMENT_HEADINGS``."""
    return [
        *(str(row[name]) for name in ("figure_id", "kind", "old_entry", "old_period")),
        _number(row, "old"),
        _text(row["old_denominator"]),
        _number(row, "new"),
        _text(row["new_denominator"]),
        " ".join(row["deliveries"]) or "-",
        " ".join(row["deliveries_left_out"]) or "-",
    ]


def _number(row: dict[str, Any], age: str) -> str:
    value, upper = row[f"{age}_value"], row[f"{age}_upper"]
    return _text(value) if upper is None else f"{value} to under {upper}"


def _text(value: object) -> str:
    return "-" if value is None else str(value)


def _plain(value: object) -> object:
    """A released number without the zeros of its column's scale; all else as it is."""
    return format(value.normalize(), "f") if isinstance(value, Decimal) else value
