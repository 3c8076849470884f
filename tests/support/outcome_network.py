"""A modelled network of more than 2,000 treated people, to measure against independent implementations.

Import the fixture where it is wanted: ``from tests.support.outcome_network import outcome_network``. It is made once a
test session, whichever worker asks first.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from clinic_outcomes.database import quote_text, session
from clinic_outcomes.mapping import load_clinics
from clinic_outcomes.model import model
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from clinic_outcomes.synthetic.deliveries import PERIODS, Plant, make_exports
from clinic_outcomes.synthetic.network import draw_network
from clinic_outcomes.synthetic.programme import load_population, load_programme
from clinic_outcomes.synthetic.shaping import shape
from clinic_outcomes.synthetic.truth import write_tables
from clinic_outcomes.synthetic.world import draw_world
from tests.support.columnar_states import write_columnar_state
from tests.support.made_once import made_once

CLINICS = ("alder_point", "harbor_light", "lakeshore_desert", "lakeshore_north", "northfold", "quiet_harbor")
"""One clinic of each system and a second one of the system that sells its sites and closes one."""
PEOPLE_A_CLINIC = 850
SEED = 20
SEEN_BEFORE = 0.03
"""Share of those referred whom another of these clinics had seen before."""


@pytest.fixture(scope="session")
def outcome_network(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with the accepted inputs of every clinic and the marts made of them."""
    return made_once(tmp_path_factory, "outcome_network", _make)


def _make(folder: Path) -> Settings:
    settings = write_network(folder)
    model(settings)
    return settings


def write_network(folder: Path, people_a_clinic: int = PEOPLE_A_CLINIC, seed: int = SEED) -> Settings:
    """Write the clinics' accepted rows below ``folder``, ready to be modelled: real systems, some clinics."""
    settings = Settings(home=folder / "home", clinics=folder / "clinics")
    settings.clinics.mkdir(parents=True)
    for clinic_id in CLINICS:
        shutil.copy(PROJECT_ROOT / "clinics" / f"{clinic_id}.yml", settings.clinics)
    streams = [np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(len(CLINICS) + 1)]
    clinics = load_clinics(settings)
    systems = [clinics[clinic_id].system for clinic_id in CLINICS]
    numbers = list(range(1, len(CLINICS) + 1))
    places = draw_network(streams[-1], systems, numbers, [people_a_clinic] * len(CLINICS), SEEN_BEFORE)
    with session(settings) as connection:
        for stream, clinic_id, system, place in zip(streams, CLINICS, systems, places, strict=False):
            programme, population = load_programme(system.folder), load_population()
            assert programme is not None
            last_day = PERIODS[-1].last_day
            world = draw_world(
                stream, system, programme, population, people_a_clinic, last_day, place, clinic_id=clinic_id
            )
            shape(world, system)
            nothing = Plant(defects=False, corrections=False, refused_delivery=False)
            exports = make_exports(
                stream, world, system, programme, periods=PERIODS[-1:], mistakes=0, plant=nothing, refused=False
            )
            truth = folder / "canonical" / clinic_id
            write_tables(connection, truth, system, exports.in_force)
            tables = {
                name: f"SELECT * FROM read_parquet({quote_text(truth / f'{name}.parquet')})"
                for name in exports.in_force
            }
            write_columnar_state(connection, settings, clinic_id, tables)
    return settings
