"""Two clinics on a system of one file, for tests of the command line, status and receipt."""

from pathlib import Path

from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
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
    folder = root / "systems" / "people_only"
    folder.mkdir(parents=True)
    (folder / "system.yml").write_text(SYSTEM)
    (folder / "columns.csv").write_text(COLUMNS)
    (folder / "codes.csv").write_text(CODES)
    (root / "clinics").mkdir()
    settings = Settings(home=root / "home", systems=root / "systems", clinics=root / "clinics", threads=1)
    for clinic in (EAST, WEST):
        (root / "clinics" / f"{clinic}.yml").write_text(f"title: {clinic}\nsystem: people_only\n" + short_keys(SYSTEM))
        (settings.landing / clinic).mkdir(parents=True)
    return settings


def drop(settings: Settings, clinic: str, people: str = PEOPLE, *, sequence: int = 1, folder: str = "drop") -> None:
    """Put one full export of people into the clinic's landing folder."""
    deliver(settings.landing / clinic / folder, {"people.csv": people}, clinic, sequence=sequence)
