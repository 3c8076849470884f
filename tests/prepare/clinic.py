"""A small clinic that counts days from 1, its export, and what its keys must become."""

import csv
import hashlib
import hmac

from clinic_outcomes.prepare import Order

CLINIC = "alder"
SYSTEM = """\
title: Made up
format: csv
csv: {delimiter: ';', decimal_separator: ','}
missing: ['', n/a]
list_separator: '|'
sources:
  people: {file: people*.csv}
  calls: {file: calls*.csv, required: false}
  visits: {file: visits*.csv}
  forms: {file: forms*.csv}
  answers: {from: forms, unpivot: {columns: 'q{1..2}', number: item, value: answer}}
key_patterns:
  patient_id: 'p[0-9a-f]{16}'
  network_token: '[0-9a-f]{32}'
  course_id: 'c[0-9a-f]{16}'
  session_id: 's[0-9a-f]{16}'
  referral_id: 'r[0-9a-f]{16}'
  assessment_id: 'f[0-9a-f]{16}'
  site_id: 'SITE-[0-9]'
  organisation_id: 'ORG-[0-9]'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,token,patient,network_token,,,
people,intake,patient,intake_day,day_from_1,,
people,watched,patient,observed_through_day,day_from_1,,
people,age,patient,age_years,year,top_age,
people,sex,patient,sex,,sex,
people,traumas,patient,trauma_types,,trauma,
calls,call,referral,referral_id,,,
calls,person,referral,patient_id,,,
calls,received,referral,received_day,day_from_1,,
calls,from,referral,source_type,,from,
calls,year,referral,service_period,,,
visits,visit,session,session_id,,,
visits,person,session,patient_id,,,
visits,course,session,course_id,,,
visits,day,session,session_day,day_from_1,,
visits,number,session,sequence_number,session,,
visits,drug,session,drug,,drug,
visits,dose,session,dose_mg,mg,,
visits,site,session,site_id,,,
visits,year,session,service_period,,,
answers,form,assessment_item,assessment_id,,,
answers,person,assessment_item,patient_id,,,
answers,item,assessment_item,item_number,,,
answers,answer,assessment_item,item_value,point,,
"""
CODES = """\
codes,source_code,code
top_age,90+,90
sex,F,female
sex,M,male
trauma,war,combat
trauma,crash,accident
from,self,self
drug,ket,ketamine
"""
PREPARE = """\
dates: ['%m/%d/%Y']
columns:
  people.person: {from: mrn}
  people.token: {token: [full_name, birth_date]}
  people.age: {born: birth_date, at: intake}
  visits.year: {period_of: day}
"""
# Miller was referred on 10 January and came on 12 January; Doe came without a referral; Roe has no date at all.
PEOPLE = """\
mrn;full_name;birth_date;phone;intake;sex;traumas;note
1001;Ann Miller;03/31/1980;555-0100;01/12/2025;F;war|quarrel;likes tea
1002;Bob Doe;01/01/1930;;02/01/2025;X;n/a;
1003;Roe;;;n/a;M;crash;
"""
CALLS = "call;person;received;from;year\n77;1001;01/10/2025;self;01/10/2025\n"
VISITS = """\
visit;person;course;day;number;drug;dose;site;therapist
9;1001;5;01/20/2025;1;ket;35,5;SITE-1;Dr. Who
10;1002;6;31.01.2025;1;ket;lots;North;Dr. Who
"""
FORMS = "form;person;q1;q2\n31;1001;4;\n32;1002;n/a;2\n"


def clinic_key(prefix: str, column: str, text: str, digits: int = 16) -> str:
    secret = bytes.fromhex("a" * 64)
    return prefix + hmac.new(secret, f"{column}|{text}".encode(), hashlib.sha256).hexdigest()[:digits]


def token(*parts: str) -> str:
    message = "network_token|" + "\x1f".join(parts)
    return hmac.new(bytes.fromhex("b" * 64), message.encode(), hashlib.sha256).hexdigest()[:32]


def delivered(order: Order, name: str) -> list[dict[str, str]]:
    with (order.out / f"{name}_{order.export_sequence}.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    return sorted(rows, key=lambda row: sorted(row.items()))


def by_person(order: Order, name: str) -> dict[str, dict[str, str]]:
    return {row["person"]: row for row in delivered(order, name)}
