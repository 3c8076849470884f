"""What figures reveal together: more is withheld where a count could be worked out, and the result is attacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np

from clinic_outcomes.audit import Limits, Report, audit
from clinic_outcomes.audit.system import Floats, System, number_cells, read_system
from clinic_outcomes.database import fill_table, quote_path, session
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect.policy import ROOM, Missed, Policy, Selection
from clinic_outcomes.protect.suppression import MOST_WEIGHED, suppress
from clinic_outcomes.settings import Settings

EXACT = (
    *("agg_cells", "agg_contributions", "agg_figures", "agg_figure_cells", "agg_relations"),
    *("dim_counts", "dim_measures"),
)
"""The marts that say which counts figures are made of, and what these have to do with each other."""
HISTORY_COLUMNS = {
    **dict.fromkeys(("count_id", "clinic_id", "dimension", "category"), "VARCHAR"),
    **{"since": "INTEGER", "least": "DOUBLE", "told": "DOUBLE", "is_known": "BOOLEAN"},
}


def limits_of(policy: Policy) -> Limits:
    """The policy's limits on what attackers may find out."""
    return Limits(
        smallest_upper=policy.attack.smallest_upper_bound,
        smallest_width=policy.attack.smallest_width,
        largest_coalition=policy.attack.known_clinics,
        exact_counts=policy.attack.exact_counts,
        smallest_shown=policy.counts.smallest_shown,
    )


def withhold_together(
    figures: Path, marts: Path, policy: Policy, settings: Settings, history: Path | None = None
) -> tuple[str, ...]:
    """Ids of the figures to withhold besides those that ``figures`` (a ``figures.parquet``) withholds already.

    ``history`` is what earlier releases told of today's counts, None in a first release.
    """
    with session(settings) as connection:
        open_released(connection, figures, marts, policy, history)
        number_cells(connection)
        system = replace(read_system(connection), exact=policy.attack.exact_counts)
        _require_truth(system)
        more = suppress(system, limits_of(policy), cost_of(connection, policy))
    return tuple(system.figures[figure] for figure in more)


def attack_released(
    figures: Path, marts: Path, policy: Policy, settings: Settings, history: Path | None = None
) -> Report | None:
    """What the audit says of a ``figures.parquet``; None where it holds too many withheld counts to be attacked."""
    with session(settings) as connection:
        open_released(connection, figures, marts, policy, history)
        return audit(connection, limits_of(policy), MOST_WEIGHED)


def open_released(
    connection: duckdb.DuckDBPyConnection, figures: Path, marts: Path, policy: Policy, history: Path | None
) -> None:
    """Make the views that the audit reads, of released figures, of the exact marts and of earlier releases."""
    for mart in EXACT:
        path = marts / f"{mart}.parquet"
        if not path.is_file():
            raise ClinicOutcomesError(f"this build has no mart {mart}; run the stage model again")
        connection.execute(f"CREATE TEMP VIEW {mart} AS SELECT * FROM read_parquet({quote_path(path)})")
    connection.execute(f"CREATE TEMP VIEW figures AS SELECT * FROM read_parquet({quote_path(figures)})")
    connection.execute("CREATE TEMP VIEW measures AS SELECT * FROM dim_measures")
    if history is None:
        fill_table(connection, "history", HISTORY_COLUMNS, [])
    else:
        connection.execute(f"CREATE TEMP VIEW history AS SELECT * FROM read_parquet({quote_path(history)})")
    fill_table(
        connection,
        "policy",
        {"smallest_shown": "BIGINT", "rounding_base": "BIGINT"},
        [(policy.counts.smallest_shown, policy.counts.rounding_base)],
    )


def _require_truth(system: System) -> None:
    """Relations that the exact counts do not bear out would make attackers look for what is not there."""
    rows, cells = system.contradicted()
    if len(rows) or len(cells):
        raise ClinicOutcomesError(
            f"{len(rows)} relations and {len(cells)} ranges of released counts contradict the exact ones; "
            "nothing is released"
        )


def cost_of(connection: duckdb.DuckDBPyConnection, policy: Policy) -> Floats:
    """How much each figure of the view ``figures`` would be missed, in the order of their ids."""
    load_selections(connection, "missed_line", policy.missed)
    found = connection.execute((ROOM / "cost.sql").read_text(encoding="utf-8")).fetchnumpy()
    return np.asarray(found["cost"], dtype=np.float64)


def load_selections(connection: duckdb.DuckDBPyConnection, table: str, lines: Sequence[Selection]) -> None:
    """The lines of the policy that select figures, as a table: an empty property is open."""
    lists = ("sections", "dimensions", "time_points", "quantities", "measures")
    columns = {"weight": "INTEGER", "figures_of": "VARCHAR"} | dict.fromkeys(lists, "VARCHAR[]")
    rows = [
        (
            *(line.weight if isinstance(line, Missed) else None, line.figures_of),
            *(None if (names := getattr(line, name)) is None else list(names) for name in lists),
        )
        for line in lines
    ]
    connection.execute(f"DROP TABLE IF EXISTS {table}")
    fill_table(connection, table, columns, rows)
