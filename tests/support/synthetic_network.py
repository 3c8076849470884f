"""Deliveries of all clinics that the project knows, drawn once a test session, with a cluster and without defects.

Import the fixture where it is wanted: ``from tests.support.synthetic_network import network``.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.settings import Settings
from clinic_outcomes.synthetic import GenerateRecord, Plant, generate
from tests.support.made_once import made_once

PEOPLE, SEED = 1500, 5


class SyntheticNetwork:
    """The deliveries, and the true tables to ask with SQL."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.truth = settings.home / "truth"
        self.record = GenerateRecord.model_validate_json((settings.home / "generate.json").read_text())
        self.counts = json.loads((self.truth / "truth.json").read_text())["clinics"]
        self.systems = {name: clinic.system.name for name, clinic in load_clinics(settings).items()}

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """SQL in which ``{course}`` stands for a table of all clinics, with the clinic as ``clinic_id``."""

        def table(name: re.Match[str]) -> str:
            files = f"read_parquet('{self.truth}/*/{name[1]}.parquet', filename = true)"
            return f"(SELECT * EXCLUDE (filename), split_part(filename, '/', -2) AS clinic_id FROM {files})"

        return duckdb.sql(re.sub(r"\{(\w+)\}", table, sql)).fetchall()

    def value(self, sql: str) -> float:
        """The one number that SQL gives."""
        ((found,),) = self.rows(sql)
        return float(str(found))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> SyntheticNetwork:
    return SyntheticNetwork(made_once(tmp_path_factory, "synthetic_network", _make))


def _make(folder: Path) -> Settings:
    folder.mkdir()
    settings = Settings(home=folder)
    plant = Plant(defects=False, corrections=False, refused_delivery=False)
    record = generate(settings.landing, PEOPLE, SEED, settings, plant=plant)
    (folder / "generate.json").write_text(record.model_dump_json())
    return settings
