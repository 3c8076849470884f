"""A clinic whose system has every kind of column once, for planting identifiers into each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clinic_outcomes.settings import Settings
from tests.support.own_system import own_system

CLINIC = "made_up"
SYSTEM = """\
title: Made up
format: csv
other_formats: [parquet]
missing: ['', NA]
sources:
  people: {file: 'people*'}
  doses: {file: 'doses*', required: false}
key_patterns:
  patient_id: 'P[0-9a-f]{16}'
  network_token: '[0-9a-f]{32}'
  course_id: 'C[0-9a-f]{16}'
  session_id: 'C[0-9a-f]{16}/\\d{1,2}'
  site_id: 'SITE-[0-9]{2}'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,token,patient,network_token,,,
people,intake,patient,intake_day,day,,
people,watched_weeks,patient,observed_through_day,week,,
people,age,patient,age_years,year,top_age,
people,sex,patient,sex,,sex,
people,trauma,patient,trauma_types,,trauma,
people,action,patient,record_action,,,
people,colour,,,,colour,
people,count,,,,,
doses,course+number,session,session_id,,,
doses,person,session,patient_id,,,
doses,course,session,course_id,,,
doses,day,session,session_day,day,,
doses,drug,session,drug,,drug,
doses,mg,session,dose_mg,mg,,
doses,minutes,session,infusion_minutes,minute,,
doses,peak,session,systolic_peak_mmhg,mmHg,,
doses,site,session,site_id,,,
doses,period,session,service_period,,,
"""
CODES = """\
codes,source_code,code
top_age,90+,90
sex,F,female
sex,M,male
trauma,war,combat
trauma,crash,accident
colour,red,red
drug,ketamine,ketamine
"""
CLEAN = {
    "people": {
        "person": "P0123456789abcdef", "token": "0123456789abcdef0123456789abcdef", "intake": "0",
        "watched_weeks": "52", "age": "90+", "sex": "F", "trauma": "war;crash", "action": "upsert", "colour": "red",
        "count": "4",
    },
    "doses": {
        "course": "C0123456789abcdef", "number": "1", "person": "P0123456789abcdef", "day": "36", "drug": "ketamine",
        "mg": "32.5", "minutes": "45", "peak": "140", "site": "SITE-01", "period": "2025",
    },
}  # fmt: skip


def make_settings(root: Path, basis: str = "safe_harbor") -> Settings:
    """Write the system and its clinic below ``root``."""
    clinics = {CLINIC: f"title: x\nlegal_basis: {{basis: {basis}}}\n"}
    return own_system(root, "every_kind", system=SYSTEM, columns=COLUMNS, codes=CODES, clinics=clinics)


def csv_text(rows: Sequence[dict[str, str]]) -> str:
    """Rows as CSV in which every cell is quoted."""
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in cells)


def planted_rows(source: str, column: str, values: Sequence[str]) -> list[dict[str, str]]:
    """One row a value, clean but for the column."""
    return [CLEAN[source] | {column: value} for value in values]
