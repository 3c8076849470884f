"""A clinic on a system small enough to check by eye, for tests of receive and admit."""

from pathlib import Path

from clinic_outcomes.settings import Settings
from tests.support.own_system import own_system
from tests.support.short_keys import short_keys

CLINIC = "made_up"

SYSTEM = """\
title: Made up
format: csv
missing: ['', NA]
sources:
  people: {file: 'people*.csv'}
  doses: {file: 'doses*.csv', required: false}
  drugs: {file: 'drugs*.csv', required: false}
key_patterns:
  patient_id: 'P\\d{3}'
  course_id: 'P\\d{3}'
  session_id: 'P\\d{3}/\\d{1,2}'
  medication_id: 'M\\d{3}'
"""

COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,sex,patient,sex,,sex,
people,age,patient,age_years,year,age_top_code,
people,trauma,patient,trauma_types,,trauma,
people,intake,patient,intake_day,day,,
people,colour,,,,colour,
doses,person+number,session,session_id,,,
doses,person,session,patient_id,,,
doses,person,session,course_id,,,
doses,number,session,sequence_number,session,,
doses,day,session,session_day,day,,
doses,drug,session,drug,,drug,
doses,mg,session,dose_mg,mg,,
doses,period,session,service_period,,,
doses,action,session,record_action,,,
drugs,drug_no,medication,medication_id,,,
drugs,person,medication,patient_id,,,
drugs,rxnorm,medication,rxnorm_code,,,
drugs,,medication,medication_class,,,ssri
"""

CODES = """\
codes,source_code,code
sex,F,female
sex,M,male
age_top_code,90+,90
trauma,war,combat
trauma,crash,accident
colour,red,red
colour,blue,blue
drug,ketamine hydrochloride 50 mg/mL solution for injection as a slow infusion,ketamine
"""

PEOPLE = "person,sex,age,trauma,intake,colour\nP001,F,34,war;crash,0,red\nP002,M,90+,,3,\nP003,NA,51,crash,-2,blue\n"
DOSES = (
    "person,number,day,drug,mg,period,action\n"
    "P001,1,5,ketamine hydrochloride 50 mg/mL solution for injection as a slow infusion,32.5,2025,\n"
    "P001,2,8,NA,,2025,upsert\n"
)
DRUGS = "drug_no,person,rxnorm\nM001,P001,36437\nM002,P002,20250131\n"

FILES: dict[str, bytes | str] = {"people.csv": PEOPLE, "doses.csv": DOSES, "drugs.csv": DRUGS}


def make_settings(root: Path, *, columns: str = COLUMNS, system: str = SYSTEM, basis: str = "year") -> Settings:
    """Write the system and the clinic below ``root``; ``basis`` is the finest service period allowed."""
    legal_basis = f"legal_basis:\n  basis: expert_determination\n  service_period: {basis}\n"
    clinic = f"title: Made up\n{legal_basis}{short_keys(system)}"
    return own_system(root, "small", system=system, columns=columns, codes=CODES, clinics={CLINIC: clinic})
