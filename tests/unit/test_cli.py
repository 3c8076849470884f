"""The command line as a user runs it: processes, exit codes, what is printed and what never is."""

import errno
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from clinic_outcomes import STAGES
from clinic_outcomes.cli import app
from clinic_outcomes.settings import Settings
from tests.support.two_clinics import EAST, WEST, drop, make_settings

PROJECT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).with_name("clinic-outcomes")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


def environment(settings: Settings, **more: str) -> dict[str, str]:
    own = {"CLINIC_OUTCOMES_CLINICS": str(settings.clinics), "CLINIC_OUTCOMES_SYSTEMS": str(settings.systems)}
    return {name: value for name, value in os.environ.items() if not name.startswith("CLINIC_")} | own | more


def cli(settings: Settings, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "--home", settings.home, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(settings, **more),
    )


def test_every_stage_is_a_command() -> None:
    assert set(COMMANDS) == {
        *STAGES,
        "run",
        "generate",
        "new-system",
        "try",
        "contract",
        "accept",
        "alert",
        "alerts",
        "acknowledge",
        "releases",
        "status",
        "receipt",
        "scorecard",
        "prepare",
    }


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_explained(name: str) -> None:
    command = COMMANDS[name]
    assert command.help, "the command has no help text"
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{parameter.name} has no help text"
    runbook = (PROJECT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert re.search(rf"`clinic-outcomes {name}\b", runbook), "docs/runbook.md does not mention the command"
    for parameter in command.params:
        for option in (option for option in parameter.opts if option.startswith("--")):
            assert option in runbook, f"docs/runbook.md does not mention {option}"


def test_help_starts_without_the_heavy_libraries() -> None:
    code = (
        "import sys\nfrom clinic_outcomes.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'great_expectations', 'dbt', 'airflow', 'duckdb', 'numpy', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "receipt" in done.stdout


@pytest.mark.parametrize("arguments", [["frobnicate"], ["receive", "nowhere"], ["receipt", "nowhere"], ["receipt"]])
def test_wrong_usage_exits_with_2(settings: Settings, arguments: list[str]) -> None:
    done = cli(settings, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_an_unknown_clinic_is_told_which_there_are(settings: Settings) -> None:
    assert f"no clinic nowhere; known are {EAST}, {WEST}" in cli(settings, "admit", "nowhere").stderr


def test_a_refused_delivery_is_no_failure_unless_strict(settings: Settings) -> None:
    drop(settings, EAST)
    drop(settings, WEST, "person,sex,age,intake\nP1,F,34,2026-03-01\n")
    for stage in ("receive", "admit"):
        done = cli(settings, stage)
        assert done.returncode == 0, done.stderr
    assert f"{EAST} admit: 000001-full-" in done.stdout
    assert f"calendar_date: values look like calendar dates [clinic {WEST}, file people.csv" in done.stderr
    assert "2026-03-01" not in done.stdout + done.stderr
    assert cli(settings, "admit", "--strict").returncode == 3
    assert cli(settings, "admit", EAST, "--strict").returncode == 0


def test_mistakes_in_a_mapping_are_listed_and_exit_with_1(settings: Settings) -> None:
    columns = settings.systems / "people_only" / "columns.csv"
    columns.write_text(
        columns.read_text().replace("patient,sex", "patient,sax").replace("intake_day,day", "intake_day,")
    )
    done = cli(settings, "status")
    assert done.returncode == 1
    assert "file people_only/columns.csv, column column, line 3" in done.stderr
    assert "file people_only/columns.csv, column unit, line 5" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unexpected_error_shows_its_type_and_place_and_never_its_text(settings: Settings) -> None:
    drop(settings, EAST)
    settings.ledger.write_text("Ottilie Quack: a file where a folder is expected")
    done = cli(settings, "receive", EAST)
    assert done.returncode == 1
    shown = re.search(r"unexpected_error: (\w+Error) at [\w/.]+:\d+ in stage receive", done.stderr)
    assert shown and f"clinic {EAST}" in done.stderr
    assert str(settings.home) not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    debugged = cli(settings, "receive", EAST, CLINIC_OUTCOMES_DEBUG="1")
    assert debugged.returncode == 1
    assert "Traceback" in debugged.stderr and shown[1] in debugged.stderr and str(settings.ledger) in debugged.stderr


def test_a_failing_clinic_leaves_the_others_going(settings: Settings) -> None:
    drop(settings, EAST)
    drop(settings, WEST)
    for stage in ("receive", "admit", "harmonise"):
        assert cli(settings, stage, EAST).returncode == 0
    for path in settings.lake.rglob("*.parquet"):
        path.unlink()
    done = cli(settings, "run")
    assert done.returncode == 1
    assert f"{EAST} resolve: failed" in done.stdout and f"{EAST} validate" not in done.stdout
    assert f"clinic {EAST}, table patient" in done.stderr
    assert f"{WEST} validate: " in done.stdout
    assert "network publish: 2026-08.1" in done.stdout
    assert (settings.releases / "latest" / WEST / "index.html").is_file()
    assert not (settings.releases / "latest" / EAST / "index.html").exists()
    assert done.stdout.rstrip().endswith(f"report: {settings.releases}/latest/network/index.html")


def test_status_and_receipt_print_json(settings: Settings) -> None:
    drop(settings, EAST)
    cli(settings, "receive")
    found = json.loads(cli(settings, "status", "--json").stdout)
    assert [row["clinic"] for row in found["deliveries"]] == [EAST]
    assert json.loads(cli(settings, "receipt", EAST, "--json").stdout)["clinic"] == EAST
    assert f"{EAST}\t000001-full-" in cli(settings, "status").stdout


def test_home_comes_from_the_option_else_from_the_environment(settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other"
    drop(settings.model_copy(update={"home": other}), EAST)
    subprocess.run(
        [PROGRAM, "receive"],
        check=True,
        env=environment(settings, CLINIC_OUTCOMES_HOME=str(other)),
        capture_output=True,
    )
    assert list((other / "ledger" / EAST).glob("*/receive.json"))
    assert not settings.ledger.exists()


def test_a_new_system_is_written_where_systems_are(settings: Settings) -> None:
    assert cli(settings, "new-system", "paper_forms").returncode == 0
    assert {path.name for path in (settings.systems / "paper_forms").iterdir()} == {
        "system.yml",
        "columns.csv",
        "codes.csv",
    }
    again = cli(settings, "new-system", "paper_forms")
    assert again.returncode == 1 and "exists already" in again.stderr


def on_a_terminal(settings: Settings, *arguments: str) -> str:
    """What the program shows on a terminal 200 characters wide."""
    terminal, side = pty.openpty()
    shown = environment(settings, TERM="xterm", COLUMNS="200")
    process = subprocess.Popen([PROGRAM, "--home", settings.home, *arguments], stdout=side, stderr=side, env=shown)
    os.close(side)
    output = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError as error:
            # How Linux says that the other side of a terminal was closed.
            assert error.errno == errno.EIO
            break
        if not part:
            break
        output += part
    os.close(terminal)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output.decode())


def test_a_terminal_gets_a_progress_bar_and_drawn_tables(settings: Settings) -> None:
    drop(settings, EAST)
    drop(settings, WEST, "person,sex\n")
    shown = on_a_terminal(settings, "receive")
    assert "2/2" in shown and "━" in shown
    assert on_a_terminal(settings, "admit").count("2/2") >= 1
    table = on_a_terminal(settings, "status")
    assert "┃ clinic" in table and f"│ {EAST}" in table
    plain = cli(settings, "receive").stdout
    assert "━" not in plain and "\x1b" not in plain
