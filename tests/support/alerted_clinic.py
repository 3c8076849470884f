"""Two clinics on a system of people, sessions and events, for tests of alerts."""

from pathlib import Path

from clinic_outcomes.pipeline import run_stage
from clinic_outcomes.records import AlertRecord
from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.own_system import own_system
from tests.support.short_keys import short_keys

QUIET, LOUD = "quiet_house", "loud_house"

SYSTEM = """\
title: People, sessions and events
format: csv
missing: ['']
sources:
  people: {file: 'people*.csv', required: false}
  sessions: {file: 'sessions*.csv', required: false}
  events: {file: 'events*.csv', required: false}
key_patterns:
  patient_id: 'Q\\d{4}'
  course_id: 'Q\\d{4}'
  session_id: 'Q\\d{4}/\\d{1,3}'
  adverse_event_id: 'EV\\d{4}'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,sex,patient,sex,,sex,
people,age,patient,age_years,year,,
people,intake,patient,intake_day,day,,
people,person,course,course_id,,,
people,person,course,patient_id,,,
people,,course,protocol,,,iv_ketamine
sessions,person+number,session,session_id,,,
sessions,person,session,patient_id,,,
sessions,person,session,course_id,,,
sessions,number,session,sequence_number,session,,
sessions,day,session,session_day,day,,
sessions,drug,session,drug,,drug,
sessions,action,session,record_action,,,
events,event,adverse_event,adverse_event_id,,,
events,person,adverse_event,patient_id,,,
events,person+number,adverse_event,session_id,,,
events,term,adverse_event,term,,term,
events,severity,adverse_event,severity,,severity,
events,grade,adverse_event,grade,,,
events,serious,adverse_event,serious,,yes_no,
events,criteria,adverse_event,seriousness_criteria,,criterion,
events,onset,adverse_event,onset_day,day,,
events,end,adverse_event,end_day,day,,
events,outcome,adverse_event,outcome,,outcome,
events,related,adverse_event,relatedness,,related,
events,action,adverse_event,record_action,,,
"""
CODES = """\
codes,source_code,code
sex,F,female
drug,K,ketamine
drug,M,midazolam
term,SICK,nausea
term,FAINT,syncope
term,HOARSE,hoarseness
term,PSY,hallucinations
severity,1,mild
severity,3,severe
severity,4,life_threatening
severity,5,fatal
yes_no,Y,yes
yes_no,N,no
criterion,HOSP,hospitalisation
criterion,DEAD,death
outcome,OK,recovered
outcome,RIP,fatal
related,NO,not_related
related,MAYBE,possible
"""
EVENT_COLUMNS = (
    "event", "person", "number", "term", "severity", "grade", "serious", "criteria", "onset", "end", "outcome",
    "related", "action",
)  # fmt: skip


def make_settings(root: Path, thresholds: dict[str, int] | None = None) -> Settings:
    """Write the system and both clinics below ``root``; ``thresholds`` are the loud clinic's own."""
    clinics = {clinic: f"title: {clinic}\n{short_keys(SYSTEM)}" for clinic in (QUIET, LOUD)}
    if thresholds:
        own = (f"  {name}: {{value: {value}, reason: a test}}\n" for name, value in thresholds.items())
        clinics[LOUD] += "thresholds:\n" + "".join(own)
    settings = own_system(root, "with_events", system=SYSTEM, columns=COLUMNS, codes=CODES, clinics=clinics)
    for clinic in clinics:
        (settings.landing / clinic).mkdir(parents=True)
    return settings


def event(name: str, person: str, **cells: str) -> str:
    """A line of the events' file: of nausea, mild, not serious, unless ``cells`` say otherwise."""
    row = {"term": "SICK", "severity": "1", "serious": "N", "event": name, "person": person} | cells
    return ",".join(row.get(column, "") for column in EVENT_COLUMNS)


def people(numbers: range) -> str:
    """The file of people, aged 47."""
    return "person,sex,age,intake\n" + "".join(f"Q{number:04},F,47,0\n" for number in numbers)


def sessions(numbers: range, each: int) -> str:
    """The file of sessions with ketamine: so many of each person, on the days 100, 103 and so on."""
    return "person,number,day,drug,action\n" + "".join(
        f"Q{number:04},{n},{97 + 3 * n},K,\n" for number in numbers for n in range(1, each + 1)
    )


def drop(
    settings: Settings,
    clinic: str,
    events: list[str] | None,
    sequence: int = 1,
    kind: str = "full",
    numbers: range = range(1, 11),
    each: int = 6,
    treated: range | None = None,
) -> None:
    """Put an export of people, so many sessions of each and their events into the clinic's landing folder."""
    files: dict[str, bytes | str] = {"people.csv": people(numbers)} if numbers else {}
    if each:
        files["sessions.csv"] = sessions(numbers if treated is None else treated, each)
    if events is not None:
        files["events.csv"] = "\n".join([",".join(EVENT_COLUMNS), *events]) + "\n"
    deliver(settings.landing / clinic / f"export-{sequence}", files, clinic, sequence, kind)


def take_in(settings: Settings, clinic: str) -> None:
    """Take what was dropped from receive to validate."""
    for stage in ("receive", "admit", "harmonise", "resolve", "validate"):
        outcome = run_stage(stage, clinic, settings)
        assert outcome.refusals == (), outcome.refusals


def kinds(record: AlertRecord) -> list[tuple[str, ...]]:
    """Kinds of the alert's events, without their order by key."""
    return sorted(event.kinds for event in record.events)
