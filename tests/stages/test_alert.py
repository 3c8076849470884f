"""Alerts of small clinics: what is told of, once, by whom it is found, and what never leaves the house."""

import json
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.alert import acknowledge, alert, message, open_alerts
from clinic_outcomes.alert.tasks import alerts_to_review, keep_answer, needs_review, send_alerts
from clinic_outcomes.cli import main
from clinic_outcomes.pipeline import run_clinic
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.records import AlertRecord
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from tests.support.alerted_clinic import LOUD, QUIET, drop, event, kinds, make_settings, take_in

MILD = event("EV0001", "Q0001", number="1", onset="100")
CLUSTER = [
    event(f"EV000{n}", f"Q000{n}", number="2", onset="103", term="FAINT", serious="Y", criteria="HOSP")
    for n in range(2, 6)
]


def told(records: Sequence[AlertRecord]) -> dict[int, tuple[str, ...]]:
    """Line of the events' file (the header is line 1) → kinds, of an alert of events."""
    return {e.source_line: e.kinds for record in records if record.kind == "events" for e in record.events}


def raised(settings: Settings, *exports: list[str] | None, **options: object) -> list[tuple[AlertRecord, ...]]:
    """What each of several full exports of the loud clinic raises, one after another."""
    found = []
    for sequence, events in enumerate(exports, start=1):
        drop(settings, LOUD, events, sequence, **options)  # type: ignore[arg-type]
        take_in(settings, LOUD)
        found.append(alert(LOUD, settings))
    return found


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Both clinics after two exports; the second one of the loud clinic holds the cluster."""
    settings = make_settings(tmp_path_factory.mktemp("network"))
    for clinic in (QUIET, LOUD):
        drop(settings, clinic, [MILD], sequence=1)
        take_in(settings, clinic)
        assert alert(clinic, settings) == (), "nothing serious yet"
    drop(settings, QUIET, [MILD], sequence=2)
    drop(settings, LOUD, [MILD, *CLUSTER], sequence=2)
    for clinic in (QUIET, LOUD):
        assert [e.state for e in run_clinic(clinic, settings)] == ["done"] * 6
    return settings


def test_a_planted_cluster_is_flagged_in_the_first_run_that_holds_it_and_once(network: Settings) -> None:
    assert open_alerts(QUIET, network) == ()
    records = {record.kind: record for record in open_alerts(LOUD, network)}
    assert kinds(records["events"]) == [("serious", "unexpected")] * 4
    assert {e.source_line for e in records["events"].events} == {3, 4, 5, 6}
    (newest,) = (d for d in records["events"].deliveries)
    assert newest.startswith("000002-full-")
    assert alert(LOUD, network) == ()
    run_clinic(LOUD, network)
    assert open_alerts(LOUD, network) == tuple(sorted(records.values(), key=lambda record: record.alert_id))


def test_the_cluster_crosses_the_limit_of_the_monitoring(network: Settings) -> None:
    """60 sessions were first told of by export 1; four of them are serious: 4 * 268 - 60 = 1012."""
    (record,) = (record for record in open_alerts(LOUD, network) if record.kind == "monitoring")
    crossed = record.monitoring
    assert crossed
    assert [(e.export_sequence, e.sessions, e.serious_sessions) for e in crossed.path] == [(1, 60, 4), (2, 0, 0)]
    assert (crossed.step, [e.value for e in crossed.path], crossed.alarms) == (268, [1012, 1012], (1,))
    assert crossed.limit <= 1012 and float(crossed.false_alarm_percent) <= 5 and crossed.horizon_sessions == 2000
    assert sorted(len(serious.events) for serious in crossed.serious_sessions) == [1, 1, 1, 1]
    assert len(record.events) == 4


def test_a_message_holds_no_value_of_a_person(network: Settings) -> None:
    records = open_alerts(LOUD, network)
    told = "\n".join(text for record in records for text in (message(record).subject, message(record).text))
    told += json.dumps(status(network)["alerts"])
    assert told.count(LOUD) > 4 and all(record.alert_id in told for record in records)
    values = {"Q0002", "EV0002", "FAINT", "syncope", "HOSP", "hospitalisation", "103", "47", "ketamine"}
    for table in ("adverse_event", "session", "patient"):
        rows = duckdb.execute(f"SELECT * FROM '{network.state}/{LOUD}/latest/resolved/{table}.parquet'")
        names = [column[0] for column in rows.description or ()]
        place = {"clinic_id", "delivery_id", "export_sequence", "source_line", "source_item"}
        for row in rows.fetchall():
            cells = {name: cell for name, cell in zip(names, row, strict=True) if name not in place}
            values |= {str(cell) for cell in cells.values() if isinstance(cell, str) and len(cell) > 2}
            values |= {str(cell) for name, cell in cells.items() if isinstance(cell, int) and cell > 40}
    assert len(values) > 100
    allowed = {"60"}  # the count of sessions is no day
    for value in values - allowed:
        assert not re.search(rf"(?<![0-9a-z_]){re.escape(value)}(?![0-9a-z_])", told), value
    # What would find them: they are where they belong.
    kept = (network.alerts / LOUD / records[0].alert_id / "alert.json").read_text()
    assert records[0].events[0].patient_id and records[0].events[0].patient_id in kept


def test_two_workers_at_once_raise_the_same_alert(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    drop(settings, LOUD, CLUSTER)
    take_in(settings, LOUD)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: alert(LOUD, settings), range(4)))
    kept = open_alerts(LOUD, settings)
    assert {record.kind for record in kept} == {"events", "monitoring"} and len(kept) == 2
    assert {r.alert_id for result in results for r in result} == {r.alert_id for r in kept}
    assert sorted(path.name for path in settings.alerts.rglob("*") if path.is_file()) == ["alert.json"] * 2


RULES = [
    # what an event says, and what it is told as; all after a session with ketamine
    ({}, ()),
    ({"serious": "Y"}, ("serious",)),
    ({"criteria": "HOSP"}, ("serious",)),  # serious = no against a criterion: quarantined
    ({"severity": "3"}, ()),
    ({"severity": "4"}, ("life_threatening", "serious")),
    ({"severity": "5", "outcome": "RIP"}, ("fatal", "serious")),
    ({"severity": "", "outcome": "RIP"}, ("fatal", "serious")),
    ({"severity": "", "grade": "3"}, ()),
    ({"severity": "", "grade": "4"}, ("life_threatening", "serious")),  # nausea has no grade 4: quarantined
    ({"severity": "", "grade": "5", "outcome": "OK"}, ("fatal", "serious")),  # contradicts itself: quarantined
    ({"criteria": "DEAD", "serious": "Y", "outcome": "OK"}, ("fatal", "serious")),
    ({"criteria": "77", "serious": ""}, ("serious",)),  # a criterion that no mapping knows
    ({"serious": "77"}, ("unclear",)),
    ({"severity": "9"}, ("unclear",)),
    ({"outcome": "77"}, ("unclear",)),
    ({"severity": "", "grade": "3.5"}, ("unclear",)),
    ({"serious": "Y", "severity": "9"}, ("serious",)),
    ({"end": "1", "serious": "Y"}, ("serious",)),  # ends before it begins: quarantined
    ({"person": "Q0999", "number": "", "serious": "Y"}, ("serious",)),  # of nobody known: quarantined
    ({"event": "", "serious": "Y"}, ("serious",)),  # without a key: quarantined
    ({"event": "EV0001", "serious": "Y"}, ("serious",)),  # a second row of the key of the first: both quarantined
    # expected or not
    ({"term": "PSY"}, ()),
    ({"term": "HOARSE"}, ("unexpected",)),
    ({"term": "HOARSE", "related": "MAYBE"}, ("unexpected",)),
    ({"term": "HOARSE", "related": "NO"}, ()),
    ({"term": "HOARSE", "number": "", "onset": "99"}, ()),  # the first session is on day 100
    ({"term": "HOARSE", "number": "", "onset": ""}, ("unexpected",)),
    ({"term": "HOARSE", "person": "Q0010", "number": ""}, ()),  # never treated
    ({"term": "77"}, ()),
    ({"term": "77", "serious": "Y"}, ("serious",)),
]


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, AlertRecord]:
    """One clinic with an event a rule; person 10 has no session."""
    settings = make_settings(tmp_path_factory.mktemp("judged"))
    events = [
        event(cells.get("event", f"EV{n:04}"), **({"person": f"Q{1 + n % 9:04}", "number": "1", "onset": "100"}
              | {name: value for name, value in cells.items() if name != "event"}))
        for n, (cells, _) in enumerate(RULES, start=1)
    ]  # fmt: skip
    drop(settings, LOUD, events, treated=range(1, 10))
    take_in(settings, LOUD)
    (found,) = (record for record in alert(LOUD, settings) if record.kind == "events")
    return settings, found


@pytest.mark.parametrize("number", range(len(RULES)), ids=[str(cells) for cells, _ in RULES])
def test_what_is_told_of(judged: tuple[Settings, AlertRecord], number: int) -> None:
    _, record = judged
    expected = RULES[number][1]
    if number in (0, 20):  # two rows of one key are one event, with the place of the first
        number, expected = 0, ("serious",)
    assert told([record]).get(number + 2, ()) == expected


def test_quarantined_and_unmapped_are_counted(judged: tuple[Settings, AlertRecord]) -> None:
    settings, record = judged
    (entry,) = (a for a in status(settings)["alerts"] if a["alert"] == record.alert_id)
    quarantined = {e.source_line - 2 for e in record.events if e.quarantined}
    assert quarantined == {0, 2, 8, 9, 10, 15, 17, 18, 19}
    assert entry["counts"]["quarantined"] == 9
    assert (entry["counts"]["term_unmapped"], entry["unmapped_terms"]) == (1, 2)
    assert alert(LOUD, settings) == ()


def test_an_event_is_told_again_when_it_has_become_worse_and_only_then(tmp_path: Path) -> None:
    hoarse = {"person": "Q0001", "number": "1", "onset": "100", "term": "HOARSE"}
    versions = [
        event("EV0001", **hoarse),
        event("EV0001", **hoarse, end="101"),  # restated: the same of what matters
        event("EV0001", **(hoarse | {"serious": "Y"})),
        event("EV0001", **(hoarse | {"serious": "Y", "severity": "5", "outcome": "RIP"})),
        event("EV0001", **(hoarse | {"serious": "Y"})),
    ]
    settings = make_settings(tmp_path)
    first, restated, serious, fatal, milder, gone, back = raised(
        settings, *([version] for version in versions), [], [versions[3]]
    )
    assert [told(found) for found in (first, serious, fatal)] == [
        {2: ("unexpected",)}, {2: ("serious", "unexpected")}, {2: ("fatal", "serious", "unexpected")},
    ]  # fmt: skip
    assert [found[0].events[0].told_before for found in (first, serious, fatal)] == [False, True, True]
    assert restated == milder == gone == back == ()


def test_an_event_deleted_by_a_delta_is_told_of_no_more_and_a_new_one_is(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    (first,) = raised(settings, CLUSTER[:1])
    assert told(first) == {2: ("serious", "unexpected")}
    drop(settings, LOUD, [event("EV0002", "Q0002", action="delete"), CLUSTER[1]], 2, "delta", numbers=range(0), each=0)
    take_in(settings, LOUD)
    assert told(alert(LOUD, settings)) == {3: ("serious", "unexpected")}
    drop(settings, LOUD, [event("EV0003", "Q0003", action="delete")], 3, "delta", numbers=range(0), each=0)
    take_in(settings, LOUD)
    assert alert(LOUD, settings) == ()
    assert len(open_alerts(LOUD, settings)) == 2, "what was told stays to be looked at"


def test_a_clinic_without_sessions_or_without_events(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    (none,) = raised(settings, None)
    assert none == ()
    drop(settings, QUIET, [event("EV0002", "Q0002", onset="103", term="HOARSE", serious="Y")], each=0)
    take_in(settings, QUIET)
    (only,) = alert(QUIET, settings)
    assert (kinds(only), only.monitoring) == ([("serious",)], None)


def serious(*sessions: tuple[int, int], first: int = 1) -> list[str]:
    """A serious event of each of these (person, session), from key ``first`` on."""
    return [
        event(f"EV{first + n:04}", f"Q{person:04}", number=str(number), onset=str(97 + 3 * number), serious="Y")
        for n, (person, number) in enumerate(sessions)
    ]


def monitored(found: Sequence[AlertRecord]) -> list[tuple[tuple[int, ...], list[int], int]]:
    """Of monitoring alerts: the sequences with an alarm, the path, and how many serious sessions are named."""
    return [
        (r.monitoring.alarms, [e.value for e in r.monitoring.path], len(r.monitoring.serious_sessions))
        for r in found
        if r.monitoring
    ]


def test_an_alarm_is_told_once_until_a_further_serious_session(tmp_path: Path) -> None:
    """The step is 268 and the limit 721: three serious sessions of 10 cross it (794), a fourth adds to it."""
    three = serious((1, 1), (2, 1), (3, 1))
    settings = make_settings(tmp_path)
    found = raised(
        settings,
        three[:2],  # 2 * 268 - 10 = 526
        three,  # told later, of a session of export 1: 3 * 268 - 10
        three,
        [*three, event("EV0009", "Q0001", number="1", onset="100", serious="Y")],  # another event of a session
        [*three, *serious((4, 1), first=4)],
        each=1,
    )
    assert [monitored(records) for records in found] == [
        [],
        [((1,), [794, 794], 3)],
        [],
        [],
        [((1,), [1062, 1062, 1062, 1062, 1062], 4)],
    ]
    assert [len(told(records)) for records in found] == [2, 1, 0, 1, 1]


def test_an_alarm_names_the_sessions_since_the_value_was_last_zero(tmp_path: Path) -> None:
    """In control 6 %, five times that looked for: the step is 6. First 6 - 10, so 0; then 8 * 6 - 10 = 38."""
    settings = make_settings(tmp_path, {"serious_sessions_per_10000": 600, "monitoring_horizon_sessions": 100})
    (first,) = raised(settings, serious((1, 1)), each=1)
    cluster = serious(*((person, 1) for person in range(101, 109)), first=101)
    drop(settings, LOUD, cluster, 2, "delta", numbers=range(101, 111), each=1)
    take_in(settings, LOUD)
    second = alert(LOUD, settings)
    assert (monitored(first), monitored(second)) == ([], [((2,), [0, 38], 8)])
    assert [len(record.deliveries) for record in second] == [1, 1]


def test_a_table_of_events_that_comes_late_is_no_cluster(tmp_path: Path) -> None:
    """Sessions fall where their export told of them: 3 events of 9 exports' sessions are those of the sessions."""
    settings = make_settings(tmp_path, {"serious_sessions_per_10000": 150, "monitoring_horizon_sessions": 100})
    events = serious((1, 1), (101, 1), (201, 1))
    for sequence, numbers in enumerate((range(1, 60), range(101, 160), range(201, 260)), start=1):
        drop(settings, LOUD, events if sequence == 3 else None, sequence, "delta" if sequence > 1 else "full",
             numbers=numbers, each=1)  # fmt: skip
        take_in(settings, LOUD)
    (only,) = alert(LOUD, settings)
    assert (only.kind, len(only.events)) == ("events", 3)


def test_a_clinic_has_its_own_rate(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, {"serious_sessions_per_10000": 600, "serious_rate_ratio": 2})
    (found,) = raised(settings, serious((1, 1), (2, 1), (3, 1), (4, 1)))
    assert [record.kind for record in found] == ["events"]


def test_a_chart_that_cannot_be_is_a_problem_of_the_thresholds(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, {"serious_rate_ratio": 1})
    drop(settings, LOUD, serious((1, 1)))
    take_in(settings, LOUD)
    with pytest.raises(ClinicOutcomesError, match=f"monitoring_thresholds.*{LOUD}"):
        alert(LOUD, settings)
    # The event is known all the same, and the failure is seen.
    assert run_clinic(LOUD, settings)[-1].state == "failed"
    assert [record.kind for record in open_alerts(LOUD, settings)] == ["events"]


def test_a_held_export_is_not_read_until_it_is_accepted(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, {"lost_records_minimum": 4})
    drop(settings, LOUD, [MILD], 1)
    take_in(settings, LOUD)
    drop(settings, LOUD, [MILD, *CLUSTER], 2, numbers=range(1, 6))
    run_clinic(LOUD, settings)
    assert open_alerts(LOUD, settings) == ()
    (held,) = (d["delivery"] for d in status(settings)["deliveries"] if d["state"] == "held")
    from clinic_outcomes.resolve import accept

    accept(LOUD, held, "me", "a test", settings)
    run_clinic(LOUD, settings)
    assert len(open_alerts(LOUD, settings)) == 2


def test_what_is_killed_before_it_is_kept_as_sent_is_sent_again(network: Settings, tmp_path: Path) -> None:
    settings = copied(network, tmp_path).model_copy(update={"alert_recipients": ("a@example.org", "b@example.org")})
    sent: list[tuple[tuple[str, ...], str]] = []

    def killed(recipients: Sequence[str], told: object) -> None:
        sent.append((tuple(recipients), str(told)))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_alerts(LOUD, killed, settings)
    assert len(sent) == 1 and not list(settings.alerts.rglob("sent.json"))
    ids = [record.alert_id for record in open_alerts(LOUD, settings)]
    assert send_alerts(LOUD, lambda recipients, told: sent.append((tuple(recipients), str(told))), settings) == ids
    assert len(sent) == 3 and sent[0] == sent[1]
    assert {recipients for recipients, _ in sent} == {("a@example.org", "b@example.org")}
    assert send_alerts(LOUD, killed, settings) == []
    assert {entry["sent"] for entry in status(settings)["alerts"]} == {True}


def test_without_recipients_nothing_is_sent_and_it_is_said(network: Settings, caplog: pytest.LogCaptureFixture) -> None:
    assert send_alerts(LOUD, lambda *_: pytest.fail("sent"), network) == []
    assert caplog.text.count("NOT SENT: alert") == 2
    assert {entry["sent"] for entry in status(network)["alerts"]} == {False}


def test_an_alert_is_put_before_a_person_once_and_the_first_answer_is_kept(network: Settings, tmp_path: Path) -> None:
    settings = copied(network, tmp_path)
    assert needs_review(LOUD, settings) and not needs_review(QUIET, settings)
    shown = alerts_to_review("run 1", settings)
    assert [entry["alert_id"] for entry in shown] == [record.alert_id for record in open_alerts(LOUD, settings)]
    assert alerts_to_review("run 1", settings) == shown, "the same run, killed and cleared"
    assert alerts_to_review("run 2", settings) == [] and not needs_review(LOUD, settings)
    one, other = (entry["alert_id"] for entry in shown)
    assert keep_answer(LOUD, one, None, settings) == []
    assert len(open_alerts(LOUD, settings)) == 2
    answer = {
        "chosen_options": ["Acted on"], "params_input": {"note": "the clinic was asked"},
        "responded_by_user": {"id": "1", "name": "kim"},
    }  # fmt: skip
    assert keep_answer(LOUD, one, answer, settings) == [one]
    kept = acknowledge(LOUD, one, "lee", "again", settings)
    assert (kept.acknowledged_by, kept.note) == ("kim", "Acted on: the clinic was asked")
    assert [entry["alert"] for entry in status(settings)["alerts"]] == [other]
    assert send_alerts(LOUD, lambda *_: None, settings.model_copy(update={"alert_recipients": ("a@b",)})) == [other]


@pytest.mark.parametrize("name", ["0123456789abcdef", "../x", "", "."])
def test_an_alert_that_is_not_known_is_not_acknowledged(network: Settings, name: str) -> None:
    before = sorted(network.home.rglob("*"))
    with pytest.raises(ClinicOutcomesError, match="alert_unknown"):
        acknowledge(LOUD, name, "kim", "seen", network)
    assert sorted(network.home.rglob("*")) == before


def test_the_command_line_lists_and_acknowledges(
    network: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = copied(network, tmp_path)
    monkeypatch.setenv("CLINIC_OUTCOMES_CLINICS", str(settings.clinics))
    monkeypatch.setenv("CLINIC_OUTCOMES_SYSTEMS", str(settings.systems))

    def command(*arguments: str) -> str:
        with pytest.raises(SystemExit) as exited:
            main(["--home", str(settings.home), *arguments])
        assert not exited.value.code, arguments
        return capsys.readouterr().out

    one, other = (record.alert_id for record in open_alerts(LOUD, settings))
    listed = command("alerts")
    assert listed.count("not sent\topen\n") == 2 and f"clinic-outcomes acknowledge {LOUD} {one}" in listed
    assert command("alerts", "--clinic", QUIET) == ""
    assert "acknowledged by kim: no link found" in command(
        "acknowledge", LOUD, one, "--by", "kim", "--note", "no link found"
    )
    assert "was acknowledged already by kim" in command("acknowledge", LOUD, one, "--by", "lee", "--note", "other")
    assert [entry["alert"] for entry in json.loads(command("alerts", "--json"))] == [other]
    assert {entry["alert"] for entry in json.loads(command("alerts", "--all", "--json"))} == {one, other}
    assert [entry["alert"] for entry in json.loads(command("status", "--json"))["alerts"]] == [other]
    assert f"{LOUD}\t{other}\t" in command("status")
    assert f"{LOUD} alert: nothing to do" in command("alert", LOUD)


def copied(settings: Settings, root: Path) -> Settings:
    """The same clinics, with all that was derived of their deliveries, in another home."""
    home = root / "home"
    shutil.copytree(settings.home, home, symlinks=True)
    return settings.model_copy(update={"home": home})
