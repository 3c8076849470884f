"""Two clinics on a system of one file, for tests of the command line, status and receipt."""

from pathlib import Path

from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.own_system import own_system
from tests.support.short_keys import short_keys

EAST, WEST = "east_side", "west_side"

SYSTEM = """\
title: People only
format: csv
sources:
  people: {file: 'people*.csv'}
key_patterns:
  patient_id: 'P\\d{1,2}'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,sex,patient,sex,,sex,
people,age,patient,age_years,year,,
people,intake,patient,intake_day,day,,
"""
CODES = "codes,source_code,code\nsex,F,female\nsex,M,male\n"

PEOPLE = "person,sex,age,intake\nP1,F,34,0\nP2,M,51,3\n"


def make_settings(root: Path) -> Settings:
    """Write the system and both clinics below ``root``, with an empty landing folder each."""
    clinics = {clinic: f"title: {clinic}\n{short_keys(SYSTEM)}" for clinic in (EAST, WEST)}
    settings = own_system(root, "people_only", system=SYSTEM, columns=COLUMNS, codes=CODES, clinics=clinics)
    for clinic in clinics:
        (settings.landing / clinic).mkdir(parents=True)
    return settings


def drop(settings: Settings, clinic: str, people: str = PEOPLE, *, sequence: int = 1, folder: str = "drop") -> None:
    """Put one full export of people into the clinic's landing folder."""
    deliver(settings.landing / clinic / folder, {"people.csv": people}, clinic, sequence=sequence)
