"""The stage: judge a clinic's rows in force, table after table, parents first.

Great Expectations says which rules hold; for those that do not, the rule's own SQL finds every row that breaks it.
Children are judged against accepted parents, so that whatever hangs on a quarantined row is quarantined with it.
The state's folder gets ``accepted/``, ``quarantined/``, ``notices/`` (which rows break a rule that lets them stay)
and ``data_docs/`` (Great Expectations' pages, without any value), and ``validate.json`` last: a state without it is
unfinished, and done again from the start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.contract import load_contract
from clinic_outcomes.database import session
from clinic_outcomes.files import atomic_folder, point_latest
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import ResolveRecord, RowAccount, RuleCount, ValidateRecord
from clinic_outcomes.resolve import resolve
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate import quarantine
from clinic_outcomes.validate.findings import compare_with_history
from clinic_outcomes.validate.rules import Rule, load_rules


def validate(clinic_id: str, settings: Settings, state_id: str | None = None) -> ValidateRecord:
    """Validate a clinic's current state, or the state named, and point ``latest`` at it.

    Without any usable delivery the record's ``state_id`` is None and ``latest`` stays where it is.
    ``ClinicOutcomesError`` where a rule cannot be evaluated: then ``latest`` stays as well.
    """
    if state_id is None:
        state_id = resolve(clinic_id, settings).state_id
    if state_id is None:
        return ValidateRecord(clinic_id=clinic_id, state_id=None)
    folder = settings.state / clinic_id / state_id
    record = ledger.find(folder / "validate.json", ValidateRecord)
    if record is None:
        record = ledger.keep(folder / "validate.json", _validate_state(clinic_id, folder, settings))
    point_latest(folder)
    return record


def _validate_state(clinic_id: str, folder: Path, settings: Settings) -> ValidateRecord:
    # Great Expectations takes seconds to import, and a state that is validated already does without it.
    from clinic_outcomes.validate.data_docs import write_data_docs
    from clinic_outcomes.validate.duckdb_engine import Expectations, broken_rules

    resolved = ledger.read(folder / "resolved" / "resolve.json", ResolveRecord)
    rules = load_rules(settings)
    order = list(load_contract().tables)
    counts: list[RuleCount] = []
    results = []
    quarantined: Counter[tuple[str, str, str]] = Counter()
    with (
        atomic_folder(folder / "accepted") as accepted,
        atomic_folder(folder / "quarantined") as set_apart,
        atomic_folder(folder / "notices") as noticed,
        atomic_folder(folder / "data_docs") as data_docs,
        _database(clinic_id, settings) as connection,
        closing(Expectations(connection)) as expectations,
    ):
        thresholds = {threshold.name: threshold.value for threshold in resolved.thresholds}
        delivered = quarantine.open_state(connection, folder / "resolved", settings, thresholds)
        for table in load_contract().tables.values():
            if table.name not in delivered:
                continue
            of_table = [rule for rule in rules if rule.table == table.name]
            applicable = [rule for rule in of_table if delivered.issuperset(rule.only_if_delivered)]
            result = expectations.evaluate(clinic_id, table.name, applicable)
            results.append(result)
            broken = broken_rules(applicable, result)
            counts += quarantine.find_rows(connection, clinic_id, table, applicable, broken)
            counts += [_not_applicable(rule) for rule in of_table if rule not in applicable]
            quarantine.write_rows(connection, table, accepted, set_apart, noticed)
            quarantined.update(quarantine.count_rows(connection, table))
        write_data_docs(clinic_id, results, data_docs)
        findings, compared_with = compare_with_history(connection, clinic_id, resolved, settings)
    return ValidateRecord(
        clinic_id=clinic_id,
        state_id=folder.name,
        deliveries=resolved.deliveries,
        account=_account(resolved.account, quarantined),
        rules=tuple(sorted(counts, key=lambda count: (order.index(count.table), count.rule))),
        findings=findings,
        compared_with=compared_with,
    )


def _not_applicable(rule: Rule) -> RuleCount:
    """The count of a rule that compares with a table which the clinic never delivered."""
    return RuleCount(
        rule=rule.rule, table=rule.table, column=rule.columns[0], severity=rule.severity, checked=0, rows=0
    )


@contextmanager
def _database(clinic_id: str, settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB session whose errors reach nobody: their texts quote values."""
    try:
        with session(settings) as connection:
            yield connection
    except duckdb.Error as error:
        problem = Problem(
            rule="state_unreadable",
            message=f"the resolved state or a table of expectations/ could not be read ({type(error).__name__})",
            advice="Remove the state's folder and run again; it is derived from the lake.",
            clinic=clinic_id,
        )
        raise ClinicOutcomesError([problem]) from None


def _account(resolved: Sequence[RowAccount], quarantined: Counter[tuple[str, str, str]]) -> tuple[RowAccount, ...]:
    """Resolve's account, with the quarantined of each delivery, file and table taken out of the rows in force."""
    account = []
    for part in resolved:
        rows = quarantined.pop((part.delivery_id, part.file, part.table), 0)
        account.append(
            RowAccount.model_validate(part.model_dump() | {"current": part.current - rows, "quarantined": rows})
        )
    if quarantined:
        raise ValueError(f"quarantined rows of files without an account: {len(quarantined)} files")
    return tuple(account)
