"""docker-compose.yml: valid by Compose's own word and by the Compose specification, complete, and without passwords."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "docker-compose.yml"
AIRFLOW = {"api-server", "scheduler", "dag-processor", "triggerer"}


def compose(*arguments: str, file: Path = FILE) -> subprocess.CompletedProcess[str]:
    """Run the real Compose; the Python wrapper around it always exits with 0, so it is left out."""
    package = importlib.util.find_spec("compose")
    assert package and package.origin
    command = [str(Path(package.origin).with_name("docker-compose")), "-f", str(file), "--profile", "*", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(file.parent)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=file.parent)


def resolved() -> dict[str, Any]:
    done = compose("config")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)
    return found


def test_compose_accepts_the_file() -> None:
    done = compose("config", "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_compose_would_refuse_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(
        FILE.read_text().replace("postgres:\n    image", "postgres:\n    imago")
    )
    assert compose("config", "-q", file=tmp_path / "docker-compose.yml").returncode != 0


def test_the_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    assert subprocess.run(command, check=False).returncode == 0


def test_every_service_is_there_and_healthy_before_it_counts() -> None:
    services = resolved()["services"]
    assert set(services) == {*AIRFLOW, "postgres", "migrate", "reports"}
    for name in {*AIRFLOW, "postgres", "reports"}:
        assert services[name]["healthcheck"]["test"], name
    for name in AIRFLOW:
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["environment"]["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"


def test_no_service_has_a_password_in_the_file() -> None:
    found = resolved()
    for name, service in found["services"].items():
        for key, value in (service.get("environment") or {}).items():
            if any(word in key for word in ("PASSWORD", "SECRET", "FERNET", "SQL_ALCHEMY")):
                assert "/run/secrets/" in value, f"{name}: {key}"
    assert found["secrets"]
    assert all(set(secret) == {"name", "environment"} for secret in found["secrets"].values())


def test_the_example_names_every_secret_and_gives_none() -> None:
    lines = [line for line in (PROJECT / ".env.example").read_text().splitlines() if line and line[0] != "#"]
    given = dict(line.split("=", 1) for line in lines)
    for secret in resolved()["secrets"].values():
        assert given[secret["environment"]] == ""


def test_the_web_server_reads_reports_and_nothing_else() -> None:
    reports = resolved()["services"]["reports"]
    (mount,) = reports["volumes"]
    assert mount["source"] == "releases" and mount["read_only"] is True


def test_nothing_answers_beyond_this_machine() -> None:
    for name, service in resolved()["services"].items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", ())), name
