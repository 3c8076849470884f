"""What figures reveal together: more is withheld where a count could be worked out, and the result is attacked."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np

from clinic_outcomes.audit import Limits, Report, audit
from clinic_outcomes.audit.system import Floats, System, number_cells, read_system
from clinic_outcomes.database import fill_table, quote_path, session
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect.policy import Policy
from clinic_outcomes.protect.suppression import MOST_WEIGHED, suppress
from clinic_outcomes.settings import Settings

EXACT = (
    *("agg_cells", "agg_contributions", "agg_figures", "agg_figure_cells", "agg_relations"),
    *("dim_counts", "dim_measures"),
)
"""The marts that say which counts figures are made of, and what these have to do with each other."""
COALITIONS = {"outsider": 0, "clinics": 1, "pairs": 2}
NETWORK_COST, WHOLE_COST, PROTOCOL_COST = 3.0, 8.0, 3.0
"""How much more a figure of the network, of everything or of a protocol is missed than one of a clinic's category."""


def limits_of(policy: Policy) -> Limits:
    """The policy's limits on what attackers may find out."""
    return Limits(
        smallest_upper=policy.attack.smallest_upper_bound,
        smallest_width=policy.attack.smallest_width,
        largest_coalition=COALITIONS[policy.attack.attackers],
    )


def withhold_together(figures: Path, marts: Path, policy: Policy, settings: Settings) -> tuple[str, ...]:
    """Ids of the figures to withhold besides those that ``figures`` (a ``figures.parquet``) withholds already."""
    with session(settings) as connection:
        _open(connection, figures, marts, policy)
        number_cells(connection)
        system = read_system(connection)
        _require_truth(system)
        more = suppress(system, limits_of(policy), _cost(connection))
    return tuple(system.figures[figure] for figure in more)


def attack_released(figures: Path, marts: Path, policy: Policy, settings: Settings) -> Report | None:
    """What the audit says of a ``figures.parquet``; None where it holds too many withheld counts to be attacked."""
    with session(settings) as connection:
        _open(connection, figures, marts, policy)
        return audit(connection, limits_of(policy), MOST_WEIGHED)


def _open(connection: duckdb.DuckDBPyConnection, figures: Path, marts: Path, policy: Policy) -> None:
    for mart in EXACT:
        path = marts / f"{mart}.parquet"
        if not path.is_file():
            raise ClinicOutcomesError(f"this build has no mart {mart}; run the stage model again")
        connection.execute(f"CREATE TEMP VIEW {mart} AS SELECT * FROM read_parquet({quote_path(path)})")
    connection.execute(f"CREATE TEMP VIEW figures AS SELECT * FROM read_parquet({quote_path(figures)})")
    connection.execute("CREATE TEMP VIEW measures AS SELECT * FROM dim_measures")
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


def _cost(connection: duckdb.DuckDBPyConnection) -> Floats:
    found = connection.execute(
        """
        SELECT
            CASE WHEN clinic_id = 'network' THEN $network ELSE 1 END
            * CASE dimension WHEN '' THEN $whole WHEN 'protocol' THEN $protocol ELSE 1 END AS cost
        FROM figures
        ORDER BY figure_id
        """,
        {"network": NETWORK_COST, "whole": WHOLE_COST, "protocol": PROTOCOL_COST},
    ).fetchnumpy()
    return np.asarray(found["cost"], dtype=np.float64)
