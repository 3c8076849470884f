"""The release register: what was ever released, as a chain of entries that only grows.

``refresh`` plans what a release may show anew given all before it, ``appending`` enters a release, ``word`` a person's
word that one is final or withdrawn; ``chain`` reads and verifies. In short, with a session of DuckDB in which the views
``agg_figures``, ``agg_cells``, ``agg_figure_cells`` and ``dim_counts`` are a build's release marts:

    entries = entries_before(read_register(settings), build_id, policy_id)
    open_register(connection, entries, settings)
    plan_refresh(connection, rules)            # the table refresh: what each figure shows; then judge and round
    write_history(connection, entries, settings, engineers / "history.parquet")  # for withhold_together and the audit
    repeat_instead(connection, given_up)       # what suppression gives up, where an earlier number can stand in
    write_plan(connection, engineers / "refresh.parquet")
    ...
    append(settings, build_id=..., policy_id=..., figures=released / "figures.parquet",
           plan=engineers / "refresh.parquet", audit=AuditSummary(...), rules=rules)

The last is for whoever publishes, before anything leaves. A plan depends on the register: ``planning_basis`` names what
it was made by, so that a released folder named after it is made again when another release came between.
"""

from clinic_outcomes.register.appending import append
from clinic_outcomes.register.chain import entry_folder, read_register
from clinic_outcomes.register.entries import AuditSummary, Entry
from clinic_outcomes.register.listing import list_releases, list_restatements
from clinic_outcomes.register.opening import open_register
from clinic_outcomes.register.refresh import (
    RefreshRules,
    entries_before,
    plan_refresh,
    planning_basis,
    repeat_instead,
    write_plan,
)
from clinic_outcomes.register.stretches import write_history
from clinic_outcomes.register.word import make_final, withdraw

__all__ = [
    "AuditSummary",
    "Entry",
    "RefreshRules",
    "append",
    "entries_before",
    "entry_folder",
    "list_releases",
    "list_restatements",
    "make_final",
    "open_register",
    "plan_refresh",
    "planning_basis",
    "read_register",
    "repeat_instead",
    "withdraw",
    "write_history",
    "write_plan",
]
