"""One ``dbt build``: a process of its own, with nothing sent, nothing fetched, and no value in what it leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinic_outcomes.model.dbt_process import BUILD, RESULTS, UNREADABLE
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.records import NodeResult
from clinic_outcomes.settings import Settings

SUCCEEDED = frozenset({"success", "pass", "no-op", "warn"})
LAYERS = ("core", "release")
INPUTS, WAREHOUSE = "inputs", "outcomes.duckdb"
# What dbt and DuckDB call their errors: the only words of a message that never quote a value.
ERRORS = tuple(
    f"{kind} Error"
    for kind in (
        *("Compilation", "Runtime", "Database", "Internal", "Dependency"),
        *("Binder", "Catalog", "Constraint", "Conversion", "FATAL", "INTERNAL", "INTERRUPT", "IO", "Invalid Input"),
        *("Out of Memory", "Out of Range", "Parser", "Serialization", "TransactionContext"),
    )
)


class Dbt:
    """dbt in a process of its own, which reads its project as soon as it is started, and builds when told to.

    Reading takes about as long as building, and needs no data: who knows that a build will follow starts it early.
    ``work`` is the folder of one build: dbt reads ``inputs/`` in it and writes the DuckDB file ``outcomes.duckdb``. Its
    artifacts go there too, for the caller to remove: the text of an error may hold a value.
    """

    def __init__(self, work: Path, settings: Settings) -> None:
        work, project = work.resolve(), settings.dbt_project.resolve()
        self.inputs, self.warehouse = work / INPUTS, work / WAREHOUSE
        self._target = work / "target"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clinic_outcomes.model.dbt_process", project, self._target, work / "logs"],
            env=_environment(settings),
            cwd=work,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def build(self) -> tuple[tuple[NodeResult, ...], dict[str, tuple[str, ...]]]:
        """Run ``dbt build``; each node's result, and each layer's marts.

        ``ClinicOutcomesError`` names the nodes that failed and nothing more. Unit tests are left out: they test the
        models and not the rows.
        """
        output, _ = self._process.communicate(BUILD)
        if self._process.returncode == UNREADABLE:
            # No query has run yet, so this text is about the project and holds no value.
            raise ClinicOutcomesError(f"dbt cannot read its project:\n{output.strip()[-2000:]}")
        results = self._target / RESULTS
        if not results.is_file():
            raise ClinicOutcomesError(f"dbt ended before its work was done (exit code {self._process.returncode})")
        told: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
        nodes = tuple(sorted(map(_node, told["nodes"]), key=lambda node: node.node))
        failed = [node for node in nodes if node.status not in SUCCEEDED | {"skipped"}]
        if failed or self._process.returncode != 0:
            raise ClinicOutcomesError([_problem(node) for node in failed] or "dbt failed without naming a node")
        return nodes, _marts(told["schemas"])

    def close(self) -> None:
        """End the process, whether it has built or not."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def _environment(settings: Settings) -> dict[str, str]:
    """The environment of the dbt process: what profile and sources read, and dbt's own switches all off.

    Paths are relative to its folder, and so the same for every build: what dbt read of its project before stays valid.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBT_", "CLINIC_OUTCOMES_"))}
    return kept | {
        "CLINIC_OUTCOMES_INPUTS": INPUTS,
        "CLINIC_OUTCOMES_WAREHOUSE": WAREHOUSE,
        "CLINIC_OUTCOMES_THREADS": str(settings.threads),
        "CLINIC_OUTCOMES_MEMORY_LIMIT_MB": str(settings.memory_limit_mb),
        "CLINIC_OUTCOMES_SCRATCH": "duckdb",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONSAFEPATH": "1",
    }


def _node(result: Mapping[str, Any]) -> NodeResult:
    """A node's result in our words: dbt's own message may quote a value, its count and kind of failures do not."""
    failures, status = result.get("failures") or 0, str(result["status"])
    said = str(result.get("message") or "") if status not in SUCCEEDED else ""
    kinds = ", ".join(kind for kind in ERRORS if re.search(rf"^\s*{kind}\b", said, re.MULTILINE))
    return NodeResult(
        node=str(result["unique_id"]),
        status=status,
        message=f"{failures} rows fail" if failures else kinds,
    )


def _problem(node: NodeResult) -> Problem:
    kind, _, name = node.node.partition(".")
    detail = f", {node.message}" if node.message else ""
    return Problem(
        rule="model",
        message=f"dbt {kind} {name.removeprefix('clinic_outcomes.')} ended with {node.status}{detail}",
        advice="Nothing was published; the last build stays. Run dbt by hand on the same state to see why.",
    )


def _marts(schemas: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Names of the marts of each layer, from dbt's own list of its models."""
    return {layer: tuple(sorted(name for name, schema in schemas.items() if schema == layer)) for layer in LAYERS}
