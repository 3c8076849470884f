"""Alerts through Airflow: a real mail is received, a failing server costs nothing, and a person's answer is kept."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.alert import message, open_alerts
from clinic_outcomes.alert.tasks import send_alerts
from clinic_outcomes.pipeline import run_clinic
from clinic_outcomes.settings import Settings
from clinic_outcomes.status import status
from tests.dags.conftest import DAGS
from tests.dags.mail_server import Mailbox, mail_server
from tests.support.alerted_clinic import LOUD, QUIET, drop, event, make_settings

TO = ("director@example.org", "safety@example.org")
CLUSTER = [
    event(f"EV000{n}", f"Q000{n}", number="2", onset="103", term="FAINT", serious="Y", criteria="HOSP")
    for n in range(2, 6)
]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.fixture
def alerted(tmp_path: Path) -> Settings:
    settings = make_settings(tmp_path).model_copy(update={"alert_recipients": TO})
    drop(settings, LOUD, CLUSTER)
    run_clinic(LOUD, settings)
    assert len(open_alerts(LOUD, settings)) == 2
    return settings


def text_of(mail: object) -> str:
    return mail.get_body(("html",)).get_content()  # type: ignore[attr-defined]


def test_a_server_that_fails_leaves_the_alert_to_be_sent_and_raises_none_anew(
    alerted: Settings, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(DAGS))
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", mailbox.connection)
    from dag_defaults import send_mail

    before = open_alerts(LOUD, alerted)
    mailbox.refuses = True
    with pytest.raises(Exception, match="not now"):
        send_alerts(LOUD, send_mail, alerted)
    assert not list(alerted.alerts.rglob("sent.json"))
    run_clinic(LOUD, alerted)
    mailbox.refuses = False
    assert send_alerts(LOUD, send_mail, alerted) == [record.alert_id for record in before]
    assert open_alerts(LOUD, alerted) == before and mailbox.mails
    assert [recipients for recipients, _ in mailbox.mails] == [list(TO)] * 2
    assert send_alerts(LOUD, send_mail, alerted) == [] and len(mailbox.mails) == 2
    for record, (_, mail) in zip(before, mailbox.mails, strict=True):
        assert mail["Subject"] == message(record).subject
        assert record.alert_id in text_of(mail) and f"clinic-outcomes alerts --clinic {LOUD}" in text_of(mail)


@dataclass
class Run:
    """Both DAGs ran: what they sent, asked, and left behind."""

    settings: Settings
    output: str
    mailbox: Mailbox
    asked: list[list[str]]
    database: Path

    def query(self, sql: str) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    settings = make_settings(tmp_path_factory.mktemp("alerts"))
    drop(settings, QUIET, [event("EV0001", "Q0001", number="1", onset="100")])
    drop(settings, LOUD, CLUSTER)
    for clinic in (QUIET, LOUD):
        run_clinic(clinic, settings)  # Airflow finds them done, as in an hour in which nothing came.
    airflow, home = Path(sys.executable).with_name("airflow"), settings.home / "airflow"
    with mail_server() as box:
        environment = os.environ | {
            "PATH": f"{airflow.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
            "AIRFLOW_CONN_SMTP_DEFAULT": box.connection,
            "CLINIC_OUTCOMES_ALERT_RECIPIENTS": ", ".join(TO),
            "CLINIC_OUTCOMES_HOME": str(settings.home),
            "CLINIC_OUTCOMES_CLINICS": str(settings.clinics),
            "CLINIC_OUTCOMES_SYSTEMS": str(settings.systems),
        }
        said = []
        for arguments in (["db", "migrate"], ["dags", "test", "clinic_exports"]):
            done = subprocess.run([airflow, *arguments], env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
            said.append(done.stdout + done.stderr)
        answering = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("answer_reviews.py")), "2"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            reviewed = subprocess.run(
                [airflow, "dags", "test", "safety_review"],
                env=environment, capture_output=True, text=True, check=False, timeout=400,
            )  # fmt: skip
            asked = answering.communicate(timeout=60)[0]
        finally:
            answering.kill()
        assert reviewed.returncode == 0, reviewed.stdout[-5000:] + reviewed.stderr[-5000:]
        output = "".join(said) + reviewed.stdout + reviewed.stderr
        yield Run(settings, output, box, json.loads(asked[asked.index("[[") :]), home / "airflow.db")


def test_the_mail_is_received_once_by_everybody(run: Run) -> None:
    assert [recipients for recipients, _ in run.mailbox.mails] == [list(TO)] * 2
    assert {mail["From"] for _, mail in run.mailbox.mails} == {"pipeline@example.org"}
    ids = {path.parent.name for path in run.settings.alerts.glob(f"{LOUD}/*/sent.json")}
    assert len(ids) == 2
    for alert_id in ids:
        assert sum(alert_id in mail["Subject"] for _, mail in run.mailbox.mails) == 1
    assert not (run.settings.alerts / QUIET).exists()


def test_only_the_clinic_with_an_alert_updates_the_asset(run: Run) -> None:
    events = run.query(
        "SELECT asset.name, asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_id "
        "WHERE asset.name = 'alerted'"
    )
    assert [(name, json.loads(extra)) for name, extra in events] == [("alerted", {"clinic": LOUD})]


def test_a_person_was_asked_of_each_alert_and_the_answer_is_kept(run: Run) -> None:
    kept = [json.loads(path.read_text()) for path in run.settings.alerts.rglob("acknowledged.json")]
    assert {(entry["acknowledged_by"], entry["note"]) for entry in kept} == {
        ("kim", "Acted on: the clinic was asked"),
    }
    assert len(kept) == len(run.asked) == 2
    for entry, (subject, body) in zip(sorted(kept, key=lambda e: e["alert_id"]), run.asked, strict=True):
        assert entry["alert_id"] in subject and f"clinic-outcomes alerts --clinic {LOUD}" in body
    assert status(run.settings)["alerts"] == []


def test_no_value_of_a_person_left(run: Run) -> None:
    told = "\n".join([
        *(f"{mail['Subject']}\n{text_of(mail)}" for _, mail in run.mailbox.mails),
        *(text for asked in run.asked for text in asked),
        *(str(row) for row in run.query("SELECT value FROM xcom")),
        *(str(row) for row in run.query("SELECT extra FROM asset_event")),
        run.output,
    ])  # fmt: skip
    values = {"syncope", "FAINT", "hospitalisation", "HOSP", "Q0002", "EV0002"}
    for table, keys in (
        ("adverse_event", ("adverse_event_id", "patient_id", "session_id")),
        ("patient", ("patient_id",)),
    ):
        path = run.settings.state / LOUD / "latest" / "resolved" / f"{table}.parquet"
        for key in keys:
            values |= {
                row[0] for row in duckdb.execute(f"SELECT {key} FROM '{path}' WHERE {key} IS NOT NULL").fetchall()
            }
    assert len(values) > 15
    assert [value for value in values if value in told] == []
    for number in ("103", "47"):
        mails = "\n".join(text_of(mail) for _, mail in run.mailbox.mails)
        assert not re.search(rf"(?<![0-9a-f]){number}(?![0-9a-f])", mails), number
