"""Entering a release into the register."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from clinic_outcomes import ledger
from clinic_outcomes.database import fill_table, quote_path, session, write_parquet
from clinic_outcomes.files import sha256_file
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import ModelRecord
from clinic_outcomes.register.chain import add_entry, read_register
from clinic_outcomes.register.deliveries import clinics_in_use
from clinic_outcomes.register.entries import (
    CELLS,
    EXACT,
    FIGURES,
    RELEASE_FILES,
    RESTATEMENTS,
    STRETCHES,
    TOLD,
    AuditSummary,
    ClinicInUse,
    Entry,
    Release,
    Tally,
)
from clinic_outcomes.register.opening import open_register, releases, withdrawn_numbers
from clinic_outcomes.register.refresh import ROOM, RefreshRules, find_near_cells, planning_basis
from clinic_outcomes.register.stretches import find_stretches
from clinic_outcomes.settings import Settings

MARTS = ("agg_figures", "agg_cells", "agg_figure_cells", "dim_counts")


@dataclass(frozen=True)
class _Made:
    """What a release's entry is made of."""

    model: ModelRecord
    clinics: tuple[ClinicInUse, ...]
    policy_id: str
    figures: Path
    audit: AuditSummary | None
    rules: RefreshRules


def append(
    settings: Settings,
    *,
    build_id: str,
    policy_id: str,
    figures: Path,
    plan: Path,
    audit: AuditSummary | None,
    rules: RefreshRules,
    basis: str | None = None,
) -> Entry:
    """Enter a release as ``provisional``, and return its entry; whoever publishes it calls this first.

    ``figures`` is the ``figures.parquet`` that ``protect`` released, ``plan`` the table ``refresh`` that it was made by
    (``write_plan``), ``audit`` what the auditor said, ``basis`` the ``planning_basis`` of both. The exact figures and
    cells are read from the build's release marts, the deliveries from the records of its clinics' states. All that is
    published is entered, whatever the audit said: those who read it know it.

    Where the newest release of the register is of the same build, policy and figures and stands, its entry is returned
    and nothing is added. Of two workers at once one takes the number and the other enters its release after it.
    ``ClinicOutcomesError`` where the register is not whole, the figures do not follow the plan (a repeated one shows
    something else than it did under the same policy), another release came since ``basis``, or a figure shown anew
    comes too near to what the register says was shown of its cells: the plan was made before another release. Protect
    the build again then.
    """
    model = ledger.read(settings.marts / build_id / "model.json", ModelRecord)
    made = _Made(model, clinics_in_use(model, settings), policy_id, figures, audit, rules)
    while True:
        entries = read_register(settings)
        standing = _same(entries, made)
        if standing is not None:
            return standing
        # What was audited is this release with those before it, and no others.
        if basis is not None and basis != planning_basis(entries, build_id, policy_id):
            raise _refused("another release came, or one was withdrawn, since the figures were made")
        with session(settings) as connection:
            _open_build(connection, settings.marts / build_id / "release", figures, plan)
            open_register(connection, entries, settings)

            def make(
                number: int,
                previous: str,
                folder: Path,
                connection: duckdb.DuckDBPyConnection = connection,
                entries: Sequence[Entry] = entries,
            ) -> Entry:
                return _make(connection, entries, settings, made, number, previous, folder)

            entry, added = add_entry(settings, entries, make)
        if added:
            return entry


def _same(entries: Sequence[Entry], made: _Made) -> Entry | None:
    """The newest release, where it stands and has the same content."""
    newest = releases(entries)[-1:]
    if not newest or newest[0].release is None or newest[0].number in withdrawn_numbers(entries):
        return None
    release = newest[0].release
    before = (release.build_id, release.policy_id, newest[0].files[FIGURES])
    return newest[0] if before == (made.model.build_id, made.policy_id, sha256_file(made.figures)) else None


def _open_build(connection: duckdb.DuckDBPyConnection, marts: Path, figures: Path, plan: Path) -> None:
    paths = {mart: marts / f"{mart}.parquet" for mart in MARTS} | {"released": figures, "refresh": plan}
    for name, path in paths.items():
        if not path.is_file():
            raise ClinicOutcomesError(f"{path.name} of this build is gone; build and protect it again")
        connection.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM read_parquet({quote_path(path)})")


def _make(
    connection: duckdb.DuckDBPyConnection,
    entries: Sequence[Entry],
    settings: Settings,
    made: _Made,
    number: int,
    previous: str,
    folder: Path,
) -> Entry:
    connection.execute("CREATE OR REPLACE TEMP TABLE register_number AS SELECT ?::INTEGER AS number", [number])
    find_near_cells(connection, made.rules)
    connection.execute((ROOM / "append.sql").read_text(encoding="utf-8"))
    _refuse_unplanned(connection)
    _refuse_altered(connection, entries, made.policy_id)
    _refuse_near(connection)
    _find_restatements(connection, entries, made, number)
    shutil.copyfile(made.figures, folder / FIGURES)
    write_parquet(connection, "SELECT * FROM exact ORDER BY figure_id", folder / EXACT)
    write_parquet(connection, "SELECT * FROM today_cell ORDER BY ALL", folder / CELLS)
    write_parquet(connection, "SELECT * FROM told ORDER BY ALL", folder / TOLD)
    find_stretches(connection, entries, settings, "told")
    write_parquet(connection, "SELECT * FROM stretch ORDER BY cell", folder / STRETCHES)
    write_parquet(connection, "SELECT * FROM restatement ORDER BY figure_id", folder / RESTATEMENTS)
    return Entry(
        number=number,
        previous=previous,
        status="provisional",
        release=Release(
            release_period=made.model.reporting_period,
            build_id=made.model.build_id,
            policy_id=made.policy_id,
            clinics=made.clinics,
            audit=made.audit,
            tally=_tally(connection),
        ),
        files={name: sha256_file(folder / name) for name in sorted(RELEASE_FILES)},
    )


def _refuse_unplanned(connection: duckdb.DuckDBPyConnection) -> None:
    """Every figure shown is of the build, planned to be shown, and once in each table."""
    found = connection.execute(
        """
        SELECT
            count(*) FILTER (WHERE exact.figure_id IS NULL OR vintage.refreshed_in IS NULL)
            + count(*) - count(DISTINCT released.figure_id)
        FROM released
        LEFT JOIN exact USING (figure_id)
        LEFT JOIN vintage USING (figure_id)
        WHERE released.status = 'shown'
        """
    ).fetchone()
    if found != (0,):
        raise _refused("figures are shown that the refresh plan withholds, or that are not of the build")


def _refuse_altered(connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], policy_id: str) -> None:
    """A repeated figure shows what it showed. Another policy rounds the same exact values otherwise, and may."""
    same_policy = [e.number for e in releases(entries) if e.release is not None and e.release.policy_id == policy_id]
    found = connection.execute(
        """
        SELECT count(*)
        FROM released
        INNER JOIN vintage USING (figure_id)
        INNER JOIN (
            SELECT * FROM register_figures WHERE stands
            QUALIFY row_number() OVER (PARTITION BY figure_id ORDER BY entry DESC) = 1
        ) AS before USING (figure_id)
        WHERE vintage.action = 'repeated'
            AND list_contains(?::INTEGER[], before.entry)
            AND (
                released.shown_value IS DISTINCT FROM before.shown_value
                OR released.shown_upper IS DISTINCT FROM before.shown_upper
                OR released.shown_denominator IS DISTINCT FROM before.shown_denominator
            )
        """,
        [same_policy],
    ).fetchone()
    if found != (0,):
        raise _refused("figures that are to be repeated show something else than they did")


def _refuse_near(connection: duckdb.DuckDBPyConnection) -> None:
    """The register trusts no plan: it looks again at each cell that is about to be told anew."""
    found = connection.execute("SELECT count(*) FROM told SEMI JOIN near_cell USING (cell)").fetchone()
    if found != (0,):
        raise _refused("figures shown anew come too near to what was shown of their cells before")


def _refused(message: str) -> ClinicOutcomesError:
    advice = "The register has moved on, or the figures were made by another plan: protect the build again."
    return ClinicOutcomesError([Problem(rule="register", message=message, advice=advice)])


def _find_restatements(
    connection: duckdb.DuckDBPyConnection, entries: Sequence[Entry], made: _Made, number: int
) -> None:
    """Make the table ``restatement`` of the entry ``number``."""
    withdrawn = withdrawn_numbers(entries)
    told = [(e.number, e.release.release_period, e.release.clinics) for e in entries if e.release is not None]
    told.append((number, made.model.reporting_period, made.clinics))
    fill_table(
        connection,
        "register_entry",
        {"number": "INTEGER", "release_period": "VARCHAR", "was_withdrawn": "BOOLEAN", "is_new": "BOOLEAN"},
        [(entry, period, entry in withdrawn, entry == number) for entry, period, _ in told],
    )
    fill_table(
        connection,
        "register_delivery",
        {
            **{"entry": "INTEGER", "clinic_id": "VARCHAR", "delivery_id": "VARCHAR"},
            **{"reporting_period": "VARCHAR", "restates_final": "BOOLEAN"},
        },
        [
            (entry, clinic.clinic_id, delivery.delivery_id, delivery.reporting_period, delivery.restates_final)
            for entry, _, clinics in told
            for clinic in clinics
            for delivery in clinic.deliveries
        ],
    )
    connection.execute((ROOM / "restatements.sql").read_text(encoding="utf-8"))


def _tally(connection: duckdb.DuckDBPyConnection) -> Tally:
    figures = dict(connection.execute("SELECT status, count(*) FROM released GROUP BY status").fetchall())
    kinds = dict(connection.execute("SELECT kind, count(*) FROM restatement GROUP BY kind").fetchall())
    return Tally(
        shown=figures.get("shown", 0),
        withheld=figures.get("withheld", 0),
        restated=kinds.get("restated", 0),
        new_data=kinds.get("new data", 0),
        method=kinds.get("method", 0),
    )
