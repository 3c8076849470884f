"""One ``dbt build``: a process of its own, with nothing sent, nothing fetched, and no value in what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import NodeResult
from clinic_outcomes.settings import Settings

SUCCEEDED = frozenset({"success", "pass", "no-op", "warn"})
LAYERS = ("core", "release")


def build_warehouse(
    inputs: Path, warehouse: Path, work: Path, settings: Settings
) -> tuple[tuple[NodeResult, ...], dict[str, tuple[str, ...]]]:
    """Run ``dbt build`` on ``inputs`` into the DuckDB file ``warehouse``; each node's result, and each layer's marts.

    dbt's artifacts go to ``work``, which the caller removes: the text of an error may hold a value. For the same
    reason ``ClinicOutcomesError`` names the nodes that failed and nothing more. Unit tests are left out: they test
    the models and not the rows.
    """
    run = subprocess.run(
        [
            *(sys.executable, "-m", "dbt.cli.main", "--no-use-colors", "--no-version-check", "--no-partial-parse"),
            *("--log-level", "error", "--log-level-file", "none", "--log-path", str(work / "logs")),
            *("--no-populate-cache", "build", "--exclude-resource-type", "unit_test"),
            *("--project-dir", str(settings.dbt_project), "--profiles-dir", str(settings.dbt_project)),
            *("--target-path", str(work / "target")),
        ],
        env=_environment(inputs, warehouse, work, settings),
        cwd=settings.dbt_project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    manifest = _read(work / "target" / "manifest.json")
    results = _read(work / "target" / "run_results.json")
    if manifest is None:
        # No query has run yet, so this text is about the project and holds no value.
        raise ClinicOutcomesError(f"dbt cannot read its project:\n{run.stdout.strip()[-2000:]}")
    if results is None:
        raise ClinicOutcomesError(f"dbt ended before its work was done (exit code {run.returncode})")
    nodes = tuple(sorted(map(_node, results["results"]), key=lambda node: node.node))
    failed = [node for node in nodes if node.status not in SUCCEEDED | {"skipped"}]
    if failed or run.returncode != 0:
        raise ClinicOutcomesError([_problem(node) for node in failed] or "dbt failed without naming a node")
    return nodes, _marts(manifest)


def _environment(inputs: Path, warehouse: Path, work: Path, settings: Settings) -> dict[str, str]:
    """The environment of the dbt process: what profile and sources read, and dbt's own switches all off."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "CLINIC_OUTCOMES_"))}
    return kept | {
        "CLINIC_OUTCOMES_INPUTS": str(inputs),
        "CLINIC_OUTCOMES_WAREHOUSE": str(warehouse),
        "CLINIC_OUTCOMES_THREADS": str(settings.threads),
        "CLINIC_OUTCOMES_MEMORY_LIMIT_MB": str(settings.memory_limit_mb),
        "CLINIC_OUTCOMES_SCRATCH": str(work / "duckdb"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",
    }


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _node(result: Mapping[str, Any]) -> NodeResult:
    """A node's result in our words: dbt's own message may quote a value, its count of failing rows does not."""
    failures = result.get("failures") or 0
    return NodeResult(
        node=str(result["unique_id"]),
        status=str(result["status"]),
        message=f"{failures} rows fail" if failures else "",
    )


def _problem(node: NodeResult) -> Problem:
    kind, _, name = node.node.partition(".")
    detail = f", {node.message}" if node.message else ""
    return Problem(
        rule="model",
        message=f"dbt {kind} {name.removeprefix('clinic_outcomes.')} ended with {node.status}{detail}",
        advice="Nothing was published; the last build stays. Run dbt by hand on the same state to see why.",
    )


def _marts(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Names of the marts of each layer, from dbt's own list of its models."""
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    return {layer: tuple(sorted(node["name"] for node in models if node["schema"] == layer)) for layer in LAYERS}
