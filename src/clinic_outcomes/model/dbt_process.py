"""The child process of ``warehouse.Dbt``: read the project, wait for the word, build.

``python -m clinic_outcomes.model.dbt_process PROJECT TARGET LOGS``, with ``build`` on standard input once the inputs
are there. Anything else on standard input, or its end, means that there is nothing to build.

Reading the project takes longer than most builds. dbt can do it in a fraction of the time where it finds what it read
before, and reads again what has changed since: it is kept in ``target`` of the project, dbt's own place for it.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BUILD = "build\n"
READ_BEFORE = "partial_parse.msgpack"
RESULTS = "results.json"
"""What came of the build, in the target: each node's result, each model's schema. No file: nothing was built."""
UNREADABLE = 3
"""Exit code where dbt cannot read its project; it has said why, and run no query yet."""


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 where dbt succeeded or had nothing to do, ``UNREADABLE``, or 1 where it failed to build."""
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    # The process ends with its build: looking for what could be freed, again and again, is a tenth of its work.
    gc.disable()
    project, target, logs = arguments
    switches = ["--no-use-colors", "--no-version-check", "--no-populate-cache"]
    switches += ["--log-level-file", "none", "--log-path", logs]
    paths = ["--project-dir", project, "--profiles-dir", project, "--target-path", target]
    shared = Path(project) / "target" / kept_as(os.environ)
    _copy(shared, Path(target) / READ_BEFORE)
    # Writing the manifest takes a second, and of it only the models' schemas are wanted.
    switches += ["--no-write-json"]
    read = [*switches, "--log-level", "error", "--partial-parse", "parse", *paths]
    manifest = dbtRunner().invoke(read).result
    if not isinstance(manifest, Manifest):
        return UNREADABLE
    _copy(Path(target) / READ_BEFORE, shared)
    if sys.stdin.readline() != BUILD:
        return 0
    # What it says of a node is in its results; lines that nobody reads are not made either.
    build = [*switches, "--log-level", "none", "--no-partial-parse", "build", "--exclude-resource-type", "unit_test"]
    build += paths
    built = dbtRunner(manifest=manifest).invoke(build)
    if isinstance(built.result, RunExecutionResult):
        (Path(target) / RESULTS).write_text(json.dumps(_told(built.result.results, manifest)), encoding="utf-8")
    return 0 if built.success else 1


def _told(results: Sequence[Any], manifest: Any) -> dict[str, Any]:
    """Results of nodes, and schema of each model by its name, of dbt's own objects."""
    models = (node for node in manifest.nodes.values() if node.resource_type == "model")
    return {
        "nodes": [
            {
                "unique_id": result.node.unique_id,
                "status": str(result.status),
                "failures": result.failures,
                "message": result.message,
            }
            for result in results
        ],
        "schemas": {model.name: model.schema for model in models},
    }


def kept_as(environment: Mapping[str, str]) -> str:
    """Name of the file of what dbt has read, with the threads and memory of ``environment``.

    The profile names them, and with others than before dbt reads everything again: those of each are kept apart.
    """
    chosen = (environment[f"CLINIC_OUTCOMES_{name}"] for name in ("THREADS", "MEMORY_LIMIT_MB"))
    return ".".join(["partial_parse", *chosen, "msgpack"])


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all; nothing where there is none, or where the target's folder is read-only."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, temporary)
        temporary.replace(target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
