"""Finding the rows that break a rule, and setting them apart.

Inside the DuckDB session, ``resolved``, ``accepted``, ``derived``, ``reference`` and ``threshold`` hold what rules may
read; ``quarantine.<table>`` and ``notice.<table>`` the number of each row within its resolved file that breaks a rule,
with the rules it breaks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from clinic_outcomes.contract import Table, load_contract
from clinic_outcomes.contract.loader import LINEAGE_COLUMNS
from clinic_outcomes.contract.terms import GRADE_LIMIT, grade_limits
from clinic_outcomes.database import fill_table, quote_name, quote_text, write_parquet
from clinic_outcomes.instruments import load_instruments, reference_tables
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import RuleCount
from clinic_outcomes.settings import Settings
from clinic_outcomes.validate.rules import Rule, rule_problem

SCHEMAS = ("resolved", "accepted", "derived", "reference", "threshold", "quarantine", "notice")
REFERENCES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "protocol_drug": ("protocol_drugs.csv", {"protocol": "VARCHAR", "drug": "VARCHAR", "route": "VARCHAR"}),
    "rxnorm_class": (
        "rxnorm_classes.csv",
        {"rxnorm_code": "VARCHAR", "treatment_class": "VARCHAR", "source": "VARCHAR"},
    ),
}
"""Tables of ``reference`` that are files of ``expectations/``: the file and its columns."""
NOT_OF_A_NOTICE = ("record_action", "unreadable_columns")
# Sums of hashes do not depend on the order of the answers. Two sets of answers to one form may in theory share a sum.
ANSWERS = """
CREATE TABLE derived.answers AS
SELECT
    assessment_id,
    count(item_value) AS answered,
    sum(item_value)::BIGINT AS points,
    sum(hash(item_number, item_value)::HUGEINT) AS fingerprint
FROM resolved.assessment_item
GROUP BY assessment_id
"""
# The total that the answers give where none is missing. Most instruments are the sum of all their answers; it takes
# longer where some are not scored, are alternatives, or count by the highest of their domain.
TOTALS = """
CREATE TABLE derived.totals AS
WITH question AS (
    SELECT *, coalesce(nullif(alternative, ''), item_number::VARCHAR) AS question
    FROM reference.instrument_item
    WHERE is_scored AND instrument IN (
        SELECT instrument FROM reference.instrument WHERE scoring = 'domain_maximum' OR last_item > items)
),
needed AS (
    SELECT instrument, count(DISTINCT question) AS questions
    FROM question
    GROUP BY instrument
),
by_domain AS (
    SELECT s.assessment_id, q.instrument, max(r.item_value) AS highest, count(DISTINCT q.question) AS questions
    FROM resolved.assessment AS s
    JOIN question AS q ON q.instrument = s.instrument
    JOIN resolved.assessment_item AS r ON r.assessment_id = s.assessment_id AND r.item_number = q.item_number
    WHERE r.item_value IS NOT NULL
    GROUP BY s.assessment_id, q.instrument, q.domain
),
found AS (
    SELECT a.assessment_id, a.points AS total
    FROM derived.answers AS a
    JOIN resolved.assessment AS s ON s.assessment_id = a.assessment_id
    JOIN reference.instrument AS i ON i.instrument = s.instrument
    WHERE i.scoring = 'sum' AND i.last_item = i.items AND a.answered = i.items
    UNION ALL
    SELECT d.assessment_id, sum(d.highest)::BIGINT AS total
    FROM by_domain AS d
    JOIN needed AS n ON n.instrument = d.instrument
    GROUP BY d.assessment_id, n.instrument, n.questions
    HAVING sum(d.questions) = n.questions
)
SELECT assessment_id, min(total) AS total
FROM found
GROUP BY assessment_id
"""


def open_state(
    connection: duckdb.DuckDBPyConnection, resolved: Path, settings: Settings, thresholds: Mapping[str, int]
) -> frozenset[str]:
    """Bring a resolved state and what rules refer to into the session; return the tables the clinic ever delivered.

    A table that was never delivered is there without rows, so that rules may name every table.
    """
    for schema in SCHEMAS:
        connection.execute(f"CREATE SCHEMA {schema}")
    for name, (file, columns) in REFERENCES.items():
        types = ", ".join(f"{quote_text(column)}: {quote_text(kind)}" for column, kind in columns.items())
        connection.execute(
            f"CREATE TABLE reference.{quote_name(name)} AS "
            f"FROM read_csv({quote_text(settings.expectations / file)}, header = true, columns = {{{types}}})"
        )
    fill_table(connection, "reference.grade_limit", GRADE_LIMIT, grade_limits(settings))
    for name, table_of in reference_tables(load_instruments(settings)).items():
        fill_table(connection, f"reference.{quote_name(name)}", *table_of)
    for name, value in thresholds.items():
        connection.execute(f"CREATE MACRO threshold.{quote_name(name)}() AS ({int(value)})")
    delivered = set()
    for table in load_contract().tables.values():
        path = resolved / f"{table.name}.parquet"
        if path.is_file():
            delivered.add(table.name)
            rows = f"SELECT * FROM read_parquet({quote_text(path)}, file_row_number = true)"
            connection.execute(f"CREATE VIEW resolved.{quote_name(table.name)} AS {rows}")
            continue
        columns_of = ", ".join(f"NULL::{kind} AS {quote_name(name)}" for name, kind in table.stored_columns.items())
        for schema in ("resolved", "accepted"):
            connection.execute(f"CREATE VIEW {schema}.{quote_name(table.name)} AS SELECT {columns_of} WHERE false")
    connection.execute(ANSWERS)
    connection.execute(TOTALS)
    return frozenset(delivered)


def find_rows(
    connection: duckdb.DuckDBPyConnection,
    clinic_id: str,
    table: Table,
    rules: Sequence[Rule],
    broken: Sequence[Rule],
) -> list[RuleCount]:
    """Fill ``quarantine.<table>`` and ``notice.<table>`` with every row that breaks one of the ``broken`` rules.

    Counts, for all ``rules``, the rows they speak of and the rows that break them. ``ClinicOutcomesError`` where Great
    Expectations found a rule broken and its SQL finds no row.
    """
    rows: dict[str, int] = {}
    for schema, part in (
        ("quarantine", [rule for rule in broken if rule.quarantines]),
        ("notice", [rule for rule in broken if not rule.quarantines]),
    ):
        rows |= _collect(connection, clinic_id, table, schema, part)
    disagreeing = [rule for rule in broken if rule.rule not in rows]
    if disagreeing:
        message = "Great Expectations found the rule broken, but its SQL finds no row"
        raise ClinicOutcomesError([rule_problem(clinic_id, rule, message) for rule in disagreeing])
    checked = _count_checked(connection, table, rules)
    return [
        RuleCount(
            rule=rule.rule,
            table=table.name,
            column=rule.columns[0],
            severity=rule.severity,
            checked=checked[rule.speaks_of],
            rows=rows.get(rule.rule, 0),
        )
        for rule in rules
    ]


def _collect(
    connection: duckdb.DuckDBPyConnection, clinic_id: str, table: Table, schema: str, rules: Sequence[Rule]
) -> dict[str, int]:
    """Fill ``<schema>.<table>`` with the rows that break one of ``rules``; rows by rule."""
    name = quote_name(table.name)
    connection.execute(f"CREATE TABLE {schema}.{name} (file_row_number BIGINT, rules VARCHAR[])")
    if not rules:
        return {}
    found = " UNION ALL ".join(
        f"SELECT t.file_row_number, {quote_text(rule.rule)} AS rule FROM resolved.{name} AS t WHERE {rule.broken_by}"
        for rule in rules
    )
    try:
        connection.execute(
            f"INSERT INTO {schema}.{name} "
            f"SELECT file_row_number, list(rule ORDER BY rule) FROM ({found}) GROUP BY file_row_number"
        )
    except duckdb.Error:
        problem = rule_problem(clinic_id, rules[0], "the rows that break the table's rules could not be found")
        raise ClinicOutcomesError([problem]) from None
    query = f"SELECT rule, count(*) FROM (SELECT unnest(rules) AS rule FROM {schema}.{name}) GROUP BY rule"
    return dict(connection.execute(query).fetchall())


def _count_checked(connection: duckdb.DuckDBPyConnection, table: Table, rules: Sequence[Rule]) -> dict[str, int]:
    """Rows of the table by the predicate that says which of them a rule speaks of, in one pass."""
    predicates = sorted({rule.speaks_of for rule in rules})
    counts = ", ".join(f"count(*) FILTER (WHERE {predicate})" for predicate in predicates)
    row = (
        connection.execute(f"SELECT {counts} FROM resolved.{quote_name(table.name)} AS t").fetchone() if counts else ()
    )
    return dict(zip(predicates, row or (), strict=True))


def write_rows(
    connection: duckdb.DuckDBPyConnection, table: Table, accepted: Path, set_apart: Path, noticed: Path
) -> None:
    """Write the table's accepted and quarantined rows, and which rows of either break a notice.

    All keep the order of the resolved file, which is total. ``accepted.<table>`` is what rules of children read.
    """
    name = quote_name(table.name)
    columns = ", ".join(f"t.{quote_name(column)}" for column in table.stored_columns if column != "record_action")
    good = accepted / f"{table.name}.parquet"
    write_parquet(
        connection,
        f"SELECT {columns} FROM resolved.{name} AS t ANTI JOIN quarantine.{name} USING (file_row_number) "
        "ORDER BY t.file_row_number",
        good,
    )
    write_parquet(
        connection,
        f"SELECT {columns}, q.rules, coalesce(t.restates, false) AS contested "
        f"FROM resolved.{name} AS t JOIN quarantine.{name} AS q USING (file_row_number) ORDER BY t.file_row_number",
        set_apart / f"{table.name}.parquet",
    )
    lineage = ", ".join(f"t.{column}" for column in LINEAGE_COLUMNS if column not in NOT_OF_A_NOTICE)
    write_parquet(
        connection,
        f"SELECT {lineage}, n.rules "
        f"FROM resolved.{name} AS t JOIN notice.{name} AS n USING (file_row_number) ORDER BY t.file_row_number",
        noticed / f"{table.name}.parquet",
    )
    connection.execute(f"CREATE VIEW accepted.{name} AS SELECT * FROM read_parquet({quote_text(good)})")


def count_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> dict[tuple[str, str, str], int]:
    """Quarantined rows of the table by delivery, file and table."""
    name = quote_name(table.name)
    counts = connection.execute(
        f"SELECT t.delivery_id, t.source_file, count(*) FROM resolved.{name} AS t "
        f"SEMI JOIN quarantine.{name} USING (file_row_number) GROUP BY ALL"
    ).fetchall()
    return {(delivery, file, table.name): rows for delivery, file, rows in counts}
