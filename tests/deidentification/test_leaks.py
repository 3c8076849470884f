"""The search for leaked values finds them: in every format that the pipeline writes, however deep."""

import gzip
import json
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.admit import stage
from clinic_outcomes.database import session
from clinic_outcomes.settings import Settings
from tests.deidentification.clinic import make_settings
from tests.support.leaks import canaries

CANARY = "Zoë O'Quack"


def _parquet(path: Path) -> None:
    duckdb.execute(f"COPY (SELECT i, '{CANARY.replace(chr(39), chr(39) * 2)}' AS x FROM range(500) t(i)) TO '{path}'")


def _parquet_metadata(path: Path) -> None:
    value = CANARY.replace("'", "''")
    duckdb.execute(f"COPY (SELECT 1 AS x) TO '{path}' (FORMAT parquet, KV_METADATA {{note: '{value}'}})")


def _duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t AS SELECT {'a': [?]} AS deep, repeat('x', 9000) AS y", [CANARY])


def _sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE xcom (value BLOB)")
        connection.execute("INSERT INTO xcom VALUES (?)", [gzip.compress(pickle.dumps({"return": CANARY}))])


def _xlsx(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings.xml", f"<t>{CANARY}</t>")


def _archive_in_archive(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(json.dumps([CANARY]).encode()))


WRITERS: dict[str, Callable[[Path], object]] = {
    "x.json": lambda path: path.write_text(json.dumps({"deep": [{"message": f"bad value {CANARY}!"}]})),
    "lines.log": lambda path: path.write_text('not json\n{"event": ' + json.dumps(CANARY) + "}\n"),
    "plain.txt": lambda path: path.write_text(f"... {CANARY} ..."),
    "latin.txt": lambda path: path.write_bytes(CANARY.encode("latin-1")),
    "wide.txt": lambda path: path.write_bytes(b"x" + CANARY.encode("utf-16-le")),
    "x.pickle": lambda path: path.write_bytes(pickle.dumps([CANARY])),
    "x.log.gz": lambda path: path.write_bytes(gzip.compress(CANARY.encode())),
    "x.parquet": _parquet,
    "metadata.parquet": _parquet_metadata,
    "x.duckdb": _duckdb,
    "x.db": _sqlite,
    "x.xlsx": _xlsx,
    "x.zip": _archive_in_archive,
    f"named {CANARY}.txt": lambda path: path.write_text(""),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_value_is_found_in_every_format(tmp_path: Path, name: str) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "landing").mkdir()
    WRITERS[name](tmp_path / "ledger" / name)
    (tmp_path / "landing" / "people.csv").write_text(CANARY)
    assert set(canaries(tmp_path, [CANARY, "Nobody"])) == {f"ledger/{name}"}


def test_the_gate_s_database_never_spills(tmp_path: Path) -> None:
    settings = make_settings(tmp_path).model_copy(update={"memory_limit_mb": 256})
    big = "SELECT count(*) FROM (SELECT DISTINCT md5(i::VARCHAR) || repeat('x', 90) FROM range(4_000_000) t(i))"
    with session(settings, spill=False) as connection, pytest.raises(duckdb.OutOfMemoryException):
        connection.execute(big)
    assert not settings.scratch.exists()


def test_the_gate_uses_a_database_that_does_not_spill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def remember(settings: Settings, *, spill: bool = True) -> object:
        asked.append(spill)
        return session(settings, spill=spill)

    monkeypatch.setattr(stage, "session", remember)
    from clinic_outcomes.receive import receive
    from tests.deidentification.clinic import CLEAN, CLINIC, csv_text
    from tests.support.deliveries import deliver

    settings = make_settings(tmp_path)
    deliver(settings.landing / CLINIC / "drop", {"people.csv": csv_text([CLEAN["people"]])}, CLINIC)
    receive(CLINIC, settings)
    (record,) = stage.admit(CLINIC, settings)
    assert record.admitted and asked == [False]
