"""Small release marts for tests of protect and publish, from tables a reader can check by eye."""

from __future__ import annotations

from pathlib import Path

import duckdb

from clinic_outcomes.files import point_latest, write_json

CLINICS = """
clinic_id | title        | reporting_period | is_stale
alder     | Alder House  | 2024-03          | false
birch     | Birch Clinic | 2024-03          | false
cedar     | Cedar Centre | 2024-02          | true
"""
COVERAGE = """
clinic_id | table_name    | delivered
alder     | patient       | true
alder     | adverse_event | true
birch     | patient       | true
birch     | adverse_event | true
cedar     | patient       | true
cedar     | adverse_event | false
"""
THRESHOLDS = """
instrument | quantity | threshold_set | value | unit    | citation      | verification | is_used
pcl_5      | response | thirty        | 30    | percent | Somebody 2020 | verified     | true
pcl_5      | response | fifty         | 50    | percent | Another 2021  | reported     | false
"""
DIMENSIONS = """
dimension    | sort_order | label       | scope
group        | 10         | Group       | clinic
system_class | 20         | Body system | clinic
severity     | 30         | Severity    | clinic
"""
TYPES = {
    "is_used": "BOOLEAN",
    "numerator_patients": "BIGINT",
    "numerator_clinics": "BIGINT",
    "numerator_largest": "DECIMAL(18, 4)",
    "numerator_two_largest": "DECIMAL(18, 4)",
    "denominator_largest": "BIGINT",
    "denominator_two_largest": "BIGINT",
    "remainder_largest": "BIGINT",
    "remainder_two_largest": "BIGINT",
    "sort_order": "INTEGER",
    "interval_number": "INTEGER",
    "numerator": "DECIMAL(18, 4)",
    "denominator": "BIGINT",
    "value": "DECIMAL(18, 6)",
    "patients": "BIGINT",
    "clinics": "BIGINT",
    "delivered": "BOOLEAN",
    "is_stale": "BOOLEAN",
}
"""Columns that are not text."""


DESCRIPTION_COLUMNS = (
    *("instrument", "time_point", "time_point_label", "quantity", "completeness_measure", "numerator_definition"),
    *("denominator_definition", "time_window", "threshold_set", "source", "count_measure"),
)
"""Columns of ``dim_measures`` that are empty text unless a table has them; ``interval_number`` is null then."""
CELLS = {
    "dim_counts": """
        SELECT DISTINCT
            measure, unnest(['numerator', 'denominator', 'remainder']) AS role,
            unnest([measure, measure || '/of', measure || '/rest']) AS count_id, count_id AS network_count_id
        FROM agg_figures
    """,
    "agg_figure_cells": """
        SELECT figure_id, role, count_id, clinic_id, dimension, category
        FROM agg_figures INNER JOIN dim_counts USING (measure)
        WHERE CASE role WHEN 'numerator' THEN numerator IS NOT NULL WHEN 'denominator' THEN denominator IS NOT NULL
            ELSE figure_type = 'rate' END
    """,
    "agg_cells": """
        SELECT
            count_id, clinic_id, dimension, category,
            (CASE role WHEN 'numerator' THEN numerator WHEN 'denominator' THEN denominator
                ELSE denominator - numerator END)::DECIMAL(18, 4) AS value,
            NOT (role = 'numerator' AND figure_type = 'mean') AS is_count
        FROM agg_figure_cells INNER JOIN agg_figures USING (figure_id, clinic_id, dimension, category)
    """,
    "agg_relations": """
        SELECT
            figure_id AS relation_id, '=' AS comparison, count_id, clinic_id, dimension, category,
            IF(role = 'denominator', -1, 1) AS coefficient
        FROM agg_figure_cells
        WHERE figure_id IN (SELECT figure_id FROM agg_figures WHERE figure_type = 'rate')
    """,
    "agg_contributions": """
        SELECT count_id, clinic_id, dimension, category, value FROM agg_cells WHERE FALSE
    """,
}
"""The counts behind the figures of a test: each has its own, so that none says anything of another."""
EXPECTED = ("step", "shown", "upper", "of", "reason", "detail")
"""Columns of a table that say what should come of its rows."""
FIGURE_DEFAULTS = {
    "dimension": "'group'",
    # Rows of deliveries have nobody behind them.
    "patients": "NULL",
    # A share has no more patients in its numerator than it counts; a sum of scores has all that are behind the figure.
    "numerator_patients": "IF(figure_type IN ('rate', 'life_table_row'), least(patients, numerator), patients)",
    "numerator_clinics": "clinics",
    # The network's clinics are alike, unless a table says otherwise. Of a clinic, nothing is known of others.
    **{
        f"{part}_{name}": f"IF(clinic_id = 'network' AND {clinics} > 0, ceil({number} * ({whole}) / {clinics}), NULL)"
        for part, whole, clinics in (
            ("numerator", "numerator", "numerator_clinics"),
            ("denominator", "denominator", "clinics"),
            ("remainder", "denominator - numerator", "clinics"),
        )
        for name, number in (("largest", 1), ("two_largest", 2))
    },
    # A life table's is that of a first interval in which nobody is lost from sight.
    "value": """
        CASE figure_type
            WHEN 'count' THEN numerator
            WHEN 'life_table_row' THEN 1 - numerator / nullif(denominator, 0)
            ELSE numerator / nullif(denominator, 0)
        END
    """,
}
"""Columns of figures that a table may leave out, and what they are then."""


def build_marts(
    home: Path,
    *,
    measures: str,
    figures: str,
    clinics: str = CLINICS,
    coverage: str = COVERAGE,
    thresholds: str = THRESHOLDS,
    dimensions: str = DIMENSIONS,
    build_id: str = "00000000000000b1",
    reporting_period: str = "2024-03",
) -> None:
    """Write ``marts/<build>/`` as the stage model does, and move ``latest``.

    A figure's type is its measure's. Figures may leave out the columns of ``FIGURE_DEFAULTS``, measures
    ``DESCRIPTION_COLUMNS`` (then empty) and ``definition``. ``-`` is null, ``''`` empty.
    """
    build = home / "marts" / build_id
    (build / "release").mkdir(parents=True)
    with duckdb.connect() as connection:
        for name, table in {
            "dim_measures": measures,
            "figures": figures,
            "dim_clinics": clinics,
            "agg_coverage": coverage,
            "dim_thresholds": thresholds,
            "dim_dimensions": dimensions,
        }.items():
            _create(connection, name, table)
        if "definition" not in _columns(connection, "dim_measures"):
            connection.execute("ALTER TABLE dim_measures ADD COLUMN definition VARCHAR")
            connection.execute("UPDATE dim_measures SET definition = 'What ' || label || ' means.'")
        for column in DESCRIPTION_COLUMNS:
            connection.execute(f"ALTER TABLE dim_measures ADD COLUMN IF NOT EXISTS {column} VARCHAR DEFAULT ''")
        connection.execute("ALTER TABLE dim_measures ADD COLUMN IF NOT EXISTS interval_number INTEGER")
        _create_figures(connection)
        for mart in ("agg_figures", "dim_measures", "dim_clinics", "agg_coverage", "dim_thresholds", "dim_dimensions"):
            connection.execute(f"COPY {mart} TO '{build}/release/{mart}.parquet' (FORMAT parquet)")
        for mart, query in CELLS.items():
            connection.execute(f"CREATE VIEW {mart} AS {query}")
            connection.execute(f"COPY {mart} TO '{build}/release/{mart}.parquet' (FORMAT parquet)")
    write_json(
        build / "model.json",
        {"build_id": build_id, "states": {}, "reporting_period": reporting_period, "nodes": []},
    )
    point_latest(build)


def _create_figures(connection: duckdb.DuckDBPyConnection) -> None:
    """The mart ``agg_figures``: the figures of the test with their measures' types and the columns it left out."""
    connection.execute(
        "CREATE TABLE typed AS SELECT * FROM figures LEFT JOIN (SELECT measure, figure_type FROM dim_measures)"
        " USING (measure)"
    )
    given = _columns(connection, "figures")
    for column, default in FIGURE_DEFAULTS.items():
        if column not in given:
            connection.execute(f"ALTER TABLE typed ADD COLUMN {column} {TYPES.get(column, 'VARCHAR')}")
            connection.execute(f"UPDATE typed SET {column} = {default}")
    connection.execute(
        """
        CREATE TABLE agg_figures AS
        SELECT
            concat_ws('/', measure, clinic_id, dimension, category) AS figure_id, measure, figure_type, clinic_id,
            dimension, category, numerator, denominator, value, patients, clinics, numerator_patients,
            numerator_clinics, numerator_largest, numerator_two_largest, denominator_largest, denominator_two_largest,
            remainder_largest, remainder_two_largest
        FROM typed
        ORDER BY figure_id
        """
    )


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    return {row[0] for row in connection.execute(f"DESCRIBE {table}").fetchall()}


def _create(connection: duckdb.DuckDBPyConnection, name: str, table: str) -> None:
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines() if line]
    typed = ", ".join(f"{column} {TYPES.get(column, 'VARCHAR')}" for column in header)
    connection.execute(f"CREATE TABLE {name} ({typed})")
    values = [[None if cell == "-" else cell.strip("'") for cell in line] for line in lines]
    columns = [index for index, column in enumerate(header) if column not in EXPECTED]
    marks = ", ".join("?" for _ in columns)
    names = ", ".join(header[index] for index in columns)
    connection.executemany(
        f"INSERT INTO {name} ({names}) VALUES ({marks})", [[value[index] for index in columns] for value in values]
    )
