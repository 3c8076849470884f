"""Pressure, infusion, dose, discharge and dissociation of sessions: by eye, at every edge."""

# ruff: noqa: E501 - a row of a table that is read by eye stays on one line

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pytest

from clinic_outcomes.model import model
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from tests.support.marts import case_id, cells, check_figure, rows
from tests.support.model_states import read_table, small_settings, write_state

# Pressures are systolic/diastolic. `reached` is hypertension from 165/100 on, `rise` from 40/25 on, `graded` a higher
# CTCAE grade at the peak than before (grades begin at 120/80, 140/90 and 160/100).
PRESSURE = """
    session       | person | number | before  | peak    | reached | rise | graded | systolic_rise | diastolic_rise
    calm          | one    | 1      | 118/78  | 119/79  | no      | no   | no     | 1             | 1
    at_165        | one    | 2      | 130/80  | 165/85  | yes     | no   | yes    | 35            | 5
    under_165     | two    | 1      | 130/85  | 164/99  | no      | no   | yes    | 34            | 14
    at_100        | two    | 2      | 130/80  | 150/100 | yes     | no   | yes    | 20            | 20
    under_100     | three  | 1      | 124/75  | 150/99  | no      | no   | yes    | 26            | 24
    rise_40       | three  | 13     | 110/70  | 150/80  | no      | yes  | yes    | 40            | 10
    rise_39       | three  | 14     | 111/70  | 150/80  | no      | no   | yes    | 39            | 10
    rise_25       | three  | -      | 120/70  | 130/95  | no      | yes  | yes    | 10            | 25
    before_165    | four   | 1      | 165/85  | 190/99  | no      | no   | no     | 25            | 14
    before_100    | four   | 2      | 150/100 | 170/105 | no      | no   | no     | 20            | 5
    same_grade    | four   | 3      | 140/85  | 159/89  | no      | no   | no     | 19            | 4
    fallen        | four   | 4      | 150/90  | 140/85  | no      | no   | no     | -10           | -5
    at_120        | four   | 5      | 119/79  | 120/79  | no      | no   | yes    | 1             | 0
    at_160        | four   | 6      | 159/99  | 160/99  | no      | no   | yes    | 1             | 0
    at_140        | four   | 7      | 139/89  | 139/90  | no      | no   | yes    | 0             | 1
    no_before     | five   | 1      | -       | 180/110 | -       | -    | -      | -             | -
    half_before   | five   | 2      | 130/-   | 180/110 | -       | -    | -      | -             | -
    half_peak     | five   | 3      | 130/80  | -/110   | -       | -    | -      | -             | -
    no_peak       | five   | 4      | 130/80  | -       | -       | -    | -      | -             | -
    """
# Infusions of 45 minutes, give or take 5, of drugs and routes for which that is meant.
INFUSION = """
    session    | protocol          | drug        | route           | infusion | on_target
    shortest   | iv_ketamine       | ketamine    | intravenous     | 40       | yes
    too_short  | iv_ketamine       | ketamine    | intravenous     | 39.99    | no
    longest    | sgb_ketamine      | ketamine    | intravenous     | 50       | yes
    too_long   | iv_ketamine       | ketamine    | intravenous     | 50.01    | no
    control    | midazolam_control | midazolam   | intravenous     | 45       | yes
    unrouted   | iv_ketamine       | ketamine    | -               | 45       | yes
    unmapped   | iv_ketamine       | ketamine    | unmapped        | 30       | no
    untimed    | iv_ketamine       | ketamine    | intravenous     | -        | -
    muscle     | im_ketamine       | ketamine    | intramuscular   | 45       | -
    spray      | esketamine        | esketamine  | intranasal      | -        | -
    block      | sgb               | ropivacaine | injection_block | -        | -
    nad        | nad_plus          | nad_plus    | intravenous     | 45       | -
    another    | other             | ketamine    | intravenous     | 45       | yes
    """
DOSE = """
    session      | protocol          | drug        | route           | mg_per_kg | mg   | outside
    lowest       | iv_ketamine       | ketamine    | intravenous     | 0.2       | 15   | no
    too_low      | iv_ketamine       | ketamine    | intravenous     | 0.1999    | 15   | yes
    highest      | iv_ketamine       | ketamine    | intravenous     | 1.0       | 80   | no
    too_high     | iv_ketamine       | ketamine    | intravenous     | 1.0001    | 80   | yes
    with_block   | sgb_ketamine      | ketamine    | intravenous     | 1.5       | 80   | yes
    unrouted     | iv_ketamine       | ketamine    | -               | 1.5       | 80   | yes
    unmapped     | iv_ketamine       | ketamine    | unmapped        | 0.5       | 40   | no
    unweighed    | iv_ketamine       | ketamine    | intravenous     | -         | 500  | -
    muscle       | iv_ketamine       | ketamine    | intramuscular   | 5.0       | 400  | -
    no_band      | im_ketamine       | ketamine    | intramuscular   | 5.0       | 400  | -
    block        | sgb_ketamine      | ropivacaine | injection_block | -         | 35   | -
    control      | midazolam_control | midazolam   | intravenous     | 0.045     | 3.5  | no
    control_high | midazolam_control | midazolam   | intravenous     | 0.0501    | 4    | yes
    one_device   | esketamine        | esketamine  | intranasal      | -         | 28   | no
    half_device  | esketamine        | esketamine  | intranasal      | 0.2       | 14   | yes
    three        | esketamine        | esketamine  | intranasal      | -         | 84   | no
    three_and    | esketamine        | esketamine  | intranasal      | -         | 84.1 | yes
    sublingual   | oral_ketamine     | ketamine    | sublingual      | 7.0       | 560  | no
    too_much     | oral_ketamine     | ketamine    | oral            | 7.1       | 560  | yes
    nad          | nad_plus          | nad_plus    | intravenous     | -         | 9000 | -
    another      | other             | ketamine    | intravenous     | 5.0       | 400  | -
    """
# All sessions are of day 10. Events are onset>end in minutes, with the day of the end after the @; `.` is not recorded.
# Discharge is 75 minutes after the start of an infusion of 45 minutes with 30 of recovery.
DISCHARGE = """
    session         | route           | infusion | recovery | before  | discharge | events      | early
    ready           | intravenous     | 45       | 30       | 120/80  | 120/80    | -           | no
    too_soon        | intravenous     | 45       | 29.99    | 120/80  | 120/80    | -           | yes
    left_165        | intravenous     | 45       | 30       | 120/80  | 165/80    | -           | yes
    left_100        | intravenous     | 45       | 30       | 120/80  | 130/100   | -           | yes
    left_under      | intravenous     | 45       | 30       | 120/80  | 164/99    | -           | no
    left_unmeasured | intravenous     | 45       | 30       | 120/80  | -         | -           | no
    came_165        | intravenous     | 45       | 30       | 165/80  | 170/101   | -           | no
    no_before       | intravenous     | 45       | 30       | -       | 170/80    | -           | yes
    ended_at        | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>75       | no
    ended_after     | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>75.01    | yes
    no_end          | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>.        | yes
    began_before    | intravenous     | 45       | 30       | 120/80  | 120/80    | 74.99>.     | yes
    began_at        | intravenous     | 45       | 30       | 120/80  | 120/80    | 75>.        | no
    no_onset        | intravenous     | 45       | 30       | 120/80  | 120/80    | .>.         | no
    ended_that_day  | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>.@10     | no
    ended_next_day  | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>.@11     | yes
    two_events      | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>30 20>.  | yes
    both_over       | intravenous     | 45       | 30       | 120/80  | 120/80    | 20>30 80>.  | no
    untimed_ended   | intravenous     | -        | 30       | 120/80  | 120/80    | 20>900      | no
    untimed_open    | intravenous     | -        | 30       | 120/80  | 120/80    | 29.99>.     | yes
    untimed_later   | intravenous     | -        | 30       | 120/80  | 120/80    | 30>.        | no
    block_over      | injection_block | -        | 30       | 120/80  | 120/80    | 5>30        | no
    block_there     | injection_block | -        | 30       | 120/80  | 120/80    | 5>30.01     | yes
    unwatched       | intravenous     | 45       | -        | 120/80  | 170/105   | 20>.        | -
    """
# Scores are minutes:total, from the start of the session. Windows are -120 to 0, 25 to 75 and 90 to 150 minutes.
DISSOCIATION = """
    session   | cadss                   | cadss_6             | cadss_before | cadss_40_minutes | cadss_120_minutes | cadss_6_before | cadss_6_40_minutes | cadss_6_120_minutes | passed
    edges_in  | -120:1 25:20 90:2       | -                   | 1            | 20               | 2                 | -              | -                  | -                   | no
    edges_out | -120.01:1 24.99:9 89.99:2 | -                 | -            | -                | -                 | -              | -                  | -                   | -
    late_in   | 0:3 75:30 150:3         | -                   | 3            | 30               | 3                 | -              | -                  | -                   | yes
    late_out  | 0.01:3 75.01:30 150.01:3 | -                  | -            | -                | -                 | -              | -                  | -                   | -
    latest    | -90:8 -10:2 120:2       | -                   | 2            | -                | 2                 | -              | -                  | -                   | yes
    nearest   | -5:1 30:11 55:22 120:0  | -                   | 1            | 11               | 0                 | -              | -                  | -                   | yes
    tie       | 35:5 45:6 121:7 119:8   | -                   | -            | 5                | 8                 | -              | -                  | -                   | -
    short     | -                       | -30:0 40:9 118:1    | -            | -                | -                 | 0              | 9                  | 1                   | no
    both      | -30:4 40:40 120:4       | -30:0 40:9 120:1    | 4            | 40               | 4                 | 0              | 9                  | 1                   | yes
    crossed   | 120:0                   | -30:5               | -            | -                | 0                 | 5              | -                  | -                   | -
    no_total  | -30:. 40:93 120:5       | 40:24               | -            | -                | 5                 | -              | 24                 | -                   | -
    """
# A session with one record at most. An answer of `unknown` is none; an event or a form at whatever time is a record.
RECORDS = """
    session  | peak    | discharge | recovery | monitored | events | cadss | unrecorded
    nothing  | -       | -         | -        | -         | -      | -     | yes
    asked    | -       | -         | -        | unknown   | -      | -     | yes
    unmapped | -       | -         | -        | unmapped  | -      | -     | yes
    unscored | -       | -         | -        | -         | -      | 40:.  | yes
    watched  | -       | -         | -        | yes       | -      | -     | no
    alone    | -       | -         | -        | no        | -      | -     | no
    peak     | 130/-   | -         | -        | -         | -      | -     | no
    measured | -       | -/70      | -        | -         | -      | -     | no
    stayed   | -       | -         | 0        | -         | -      | -     | no
    harmed   | -       | -         | -        | -         | .>.    | -     | no
    rated    | -       | -         | -        | -         | -      | 500:0 | no
    """
# bare delivers sessions alone: three of them, one with a recovery time.
BARE = """
    session | recovery
    one     | -
    two     | 20
    three   | -
    """
FIGURES = """
    measure                              | clinic_id    | dimension         | category    | numerator | denominator | patients | numerator_patients
    pressure_recorded_share              | pressure     | ''                | ''          | 15        | 19          | 5        | 4
    systolic_rise_mmhg                   | pressure     | ''                | ''          | 261       | 15          | 4        | 4
    diastolic_rise_mmhg                  | pressure     | ''                | ''          | 128       | 15          | 4        | 4
    systolic_peak_mmhg                   | pressure     | ''                | ''          | 2256      | 15          | 4        | 4
    hypertension_165_100_share           | pressure     | ''                | ''          | 2         | 15          | 4        | 2
    hypertension_rise_share              | pressure     | ''                | ''          | 2         | 15          | 4        | 1
    hypertension_grade_share             | pressure     | ''                | ''          | 10        | 15          | 4        | 4
    patients_hypertension_165_100_share  | pressure     | ''                | ''          | 2         | 4           | 4        | 2
    patients_hypertension_165_100_share  | pressure     | protocol          | iv_ketamine | 2         | 4           | 4        | 2
    hypertension_165_100_share           | pressure     | session_of_course | 1           | 0         | 4           | 4        | 0
    hypertension_165_100_share           | pressure     | session_of_course | 2           | 2         | 3           | 3        | 2
    hypertension_165_100_share           | pressure     | session_of_course | 13_or_more  | 0         | 2           | 1        | 0
    pressure_recorded_share              | pressure     | session_of_course | 2           | 3         | 4           | 4        | 3
    infusion_on_target_share             | infusion     | ''                | ''          | 5         | 8           | 8        | 5
    infusion_on_target_share             | infusion     | drug              | ketamine    | 4         | 7           | 7        | 4
    infusion_on_target_share             | infusion     | drug              | nad_plus    | 0         | 0           | 0        | 0
    dose_outside_band_share              | dose         | ''                | ''          | 8         | 15          | 15       | 8
    dose_outside_band_share              | dose         | protocol          | esketamine  | 2         | 4           | 4        | 2
    dose_outside_band_share              | dose         | protocol          | nad_plus    | 0         | 0           | 0        | 0
    discharged_before_ready_share        | discharge    | ''                | ''          | 11        | 23          | 23       | 11
    cadss_before                         | dissociation | ''                | ''          | 11        | 5           | 5        | 5
    cadss_40_minutes                     | dissociation | ''                | ''          | 106       | 5           | 5        | 5
    cadss_120_minutes                    | dissociation | ''                | ''          | 24        | 8           | 8        | 8
    cadss_6_before                       | dissociation | ''                | ''          | 5         | 3           | 3        | 3
    cadss_6_40_minutes                   | dissociation | ''                | ''          | 42        | 3           | 3        | 3
    cadss_6_120_minutes                  | dissociation | ''                | ''          | 2         | 2           | 2        | 2
    cadss_40_minutes                     | dissociation | session_of_course | 1           | 106       | 5           | 5        | 5
    dissociation_passed_share            | dissociation | ''                | ''          | 4         | 6           | 6        | 4
    sessions_without_safety_record_share | records      | ''                | ''          | 4         | 11          | 11       | 4
    sessions_without_safety_record_share | bare         | ''                | ''          | 2         | 3           | 3        | 2
    sessions_without_safety_record_share | network      | ''                | ''          | 40        | 102         | 88       | 40
    """
DAY = "10"
YES_NO = {
    "reached": "is_hypertension_165_100",
    "rise": "is_hypertension_rise",
    "graded": "is_hypertension_grade",
    "on_target": "is_infusion_on_target",
    "outside": "is_dose_outside_band",
    "early": "is_discharged_before_ready",
    "passed": "is_dissociation_passed",
    "unrecorded": "is_without_safety_record",
}
SCORES = [f"{form}_{point}" for form in ("cadss", "cadss_6") for point in ("before", "40_minutes", "120_minutes")]
NUMBERS = {name: name for name in SCORES} | {
    "systolic_rise": "systolic_rise_mmhg",
    "diastolic_rise": "diastolic_rise_mmhg",
}
TABLES = {
    "pressure": PRESSURE,
    "infusion": INFUSION,
    "dose": DOSE,
    "discharge": DISCHARGE,
    "dissociation": DISSOCIATION,
    "records": RECORDS,
}


def clinic(text: str) -> dict[str, str]:
    """Canonical tables of a clinic with the sessions of ``text``: a person each, where none is named."""
    sessions, courses, events, forms = [], [], [], []
    people = set()
    for row in read_table(text):
        name = str(row["session"])
        person = row.get("person") or name
        protocol = row.get("protocol", "iv_ketamine")
        people.add(person)
        courses.append((f"{person}_{protocol}", person, protocol))
        pressures = [
            part for reading in ("before", "peak", "discharge") for part in (row.get(reading) or "-/-").split("/")
        ]
        sessions.append(
            (
                *(name, person, f"{person}_{protocol}", DAY, row.get("number", "1")),
                *(row.get("drug", "ketamine"), row.get("mg"), row.get("mg_per_kg"), row.get("route", "intravenous")),
                *(row.get("infusion"), row.get("recovery"), row.get("monitored"), *pressures),
            )
        )
        for number, event in enumerate((row.get("events") or "").split(), start=1):
            onset, end = event.split(">")
            minutes, _, end_day = end.partition("@")
            events.append((f"{name}_{number}", person, name, "nausea", DAY, onset, minutes, end_day or "-"))
        for instrument in ("cadss", "cadss_6"):
            for number, form in enumerate((row.get(instrument) or "").split(), start=1):
                minutes, total = form.split(":")
                forms.append((f"{name}_{instrument}_{number}", person, name, instrument, DAY, minutes, total))
    return {
        "patient": _table("patient_id", [(person,) for person in sorted(people)]),
        "course": _table("course_id patient_id protocol", sorted(set(courses))),
        "session": _table(
            "session_id patient_id course_id session_day sequence_number drug dose_mg dose_mg_per_kg route "
            "infusion_minutes recovery_minutes monitored systolic_before_mmhg diastolic_before_mmhg systolic_peak_mmhg "
            "diastolic_peak_mmhg systolic_discharge_mmhg diastolic_discharge_mmhg",
            sessions,
        ),
        "adverse_event": _table(
            "adverse_event_id patient_id session_id term onset_day onset_minutes end_minutes end_day", events
        ),
        "assessment": _table(
            "assessment_id patient_id session_id instrument assessed_day minutes_from_session_start delivered_total",
            forms,
        ),
    }


def _table(header: str, lines: Iterable[tuple[str | None, ...]]) -> str:
    told = [" | ".join("-" if cell in (None, ".") else str(cell) for cell in line) for line in lines]
    return "\n".join([" | ".join(header.split()), *told])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Clinics of this module alone: how many sessions lack a record is told of all."""
    names = [*TABLES, "bare"]
    settings = small_settings(tmp_path_factory.mktemp("session_safety"), {name: name.title() for name in names})
    for name, text in TABLES.items():
        write_state(settings, name, clinic(text))
    tables = clinic(BARE)
    write_state(settings, "bare", {name: tables[name] for name in ("patient", "course", "session")})
    model(settings)
    return settings


@pytest.mark.parametrize("clinic_id", TABLES)
def test_sessions_are_judged_as_by_eye(network: Settings, clinic_id: str) -> None:
    expected = read_table(TABLES[clinic_id])
    columns = {"session": "split_part(session_key, '/', 2)"}
    columns |= {
        name: f"CASE WHEN {it} THEN 'yes' WHEN NOT {it} THEN 'no' END"
        for name, it in YES_NO.items()
        if name in expected[0]
    }
    columns |= {name: it for name, it in NUMBERS.items() if name in expected[0]}
    selected = ", ".join(f"{it} AS {name}" for name, it in columns.items())
    found = cells(network, f"SELECT {selected} FROM {{fct_session_safety}} WHERE clinic_id = '{clinic_id}'")
    told = [{name: row[name] for name in columns} for row in expected]
    assert sorted(found, key=lambda row: str(row["session"])) == sorted(told, key=lambda row: str(row["session"]))


@pytest.mark.parametrize("case", read_table(FIGURES), ids=case_id)
def test_figures_are_those_counted_by_eye(network: Settings, case: dict[str, str | None]) -> None:
    check_figure(network, case)


def test_what_is_not_delivered_is_absent_and_not_zero(network: Settings) -> None:
    told = rows(
        network,
        """
        SELECT clinic_id, measure FROM {agg_figures} JOIN {dim_measures} USING (measure)
        WHERE section = 'session_safety' GROUP BY ALL
        """,
    )
    of_clinic = {clinic_id: {measure for by, measure in told if by == clinic_id} for clinic_id, _ in told}
    of_forms = {"dissociation_passed_share", *SCORES}
    assert len(of_clinic["network"]) == 19
    assert of_clinic["bare"] == of_clinic["network"] - of_forms - {"discharged_before_ready_share"}
    assert of_clinic["discharge"] == of_clinic["network"] - of_forms
    assert of_clinic["records"] == of_clinic["network"] - {name for name in SCORES if name.startswith("cadss_6")}


def test_definitions_name_the_settings_and_windows_in_use(network: Settings) -> None:
    words = {name: (definition, window) for name, definition, window in rows(
        network, "SELECT measure, definition, time_window FROM {dim_measures} WHERE section = 'session_safety'"
    )}  # fmt: skip
    assert not [name for name, (definition, _) in words.items() if "{" in definition]
    assert "at least 165 mmHg systolic or 100 mmHg diastolic" in words["hypertension_165_100_share"][0]
    assert "at least 40 mmHg systolic or 25 mmHg diastolic" in words["hypertension_rise_share"][0]
    seeds = PROJECT_ROOT / "dbt_project" / "seeds"
    ((source,),) = rows(network, "SELECT source FROM {dim_measures} WHERE measure = 'dose_outside_band_share'")
    for unit, lowest, highest in duckdb.sql(
        f"SELECT replace(unit, '_per_', '/'), lowest, highest FROM read_csv('{seeds}/protocol_dose_bands.csv', all_varchar = true)"
    ).fetchall():
        assert f"{lowest} to {highest} {unit}" in source
    windows = duckdb.sql(
        f"SELECT time_point, from_minute, to_minute, target_minute FROM read_csv('{seeds}/session_time_points.csv')"
    ).fetchall()
    for form in ("cadss", "cadss_6"):
        for time_point, first, last, target in windows:
            expected = (
                f"In the {-first} minutes up to the start; the latest"
                if time_point == "before"
                else f"From {first} to {last} minutes after the start; the nearest to {target}"
            )
            assert words[f"{form}_{time_point}"][1] == expected
