"""Two networks of the clinics that several modules write by hand: their marts are made once a test session.

A module that asks for ``by_hand`` or ``others_by_hand`` has its clinics in ``CLINICS``, by ids that no other module
has. What it asks of the network as a whole is of tables that no other module's clinics deliver. That is why there are
two: a questionnaire without a total, or a response that lasts, is counted whoever's it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

from clinic_outcomes.model import model
from clinic_outcomes.settings import Settings
from tests.support.made_once import made_once
from tests.support.model_states import small_settings, write_state

MODULES = ("completeness", "recovery", "referral_flow", "safety", "suicidality", "windows")
OTHERS = ("durability", "scoring")


@pytest.fixture(scope="session")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with the marts of the clinics of ``MODULES``."""
    return made_once(tmp_path_factory, "by_hand", partial(_make, MODULES))


@pytest.fixture(scope="session")
def others_by_hand(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with the marts of the clinics of ``OTHERS``."""
    return made_once(tmp_path_factory, "others_by_hand", partial(_make, OTHERS))


def _make(modules: Sequence[str], folder: Path) -> Settings:
    clinics: dict[str, Mapping[str, str]] = {}
    for name in modules:
        own: Mapping[str, Mapping[str, str]] = import_module(f"tests.outcomes.test_{name}").CLINICS
        assert clinics.keys().isdisjoint(own), f"a clinic of test_{name} has the name of another"
        clinics |= own
    settings = small_settings(folder, {name: name.title() for name in clinics})
    for name, tables in clinics.items():
        write_state(settings, name, tables)
    model(settings)
    return settings
