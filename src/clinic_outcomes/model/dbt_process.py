"""The child process of ``warehouse.Dbt``: read the project, wait for the word, build.

``python -m clinic_outcomes.model.dbt_process PROJECT TARGET LOGS``, with ``build`` on standard input once the inputs
are there. Anything else on standard input, or its end, means that there is nothing to build.

Reading the project takes longer than most builds. dbt can do it in a fraction of the time where it finds what it read
before, and reads again what has changed since: ``target/partial_parse.msgpack`` in the project, its own place for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

BUILD = "build\n"
READ_BEFORE = "partial_parse.msgpack"
UNREADABLE = 3
"""Exit code where dbt cannot read its project; it has said why, and run no query yet."""


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 where dbt succeeded or had nothing to do, ``UNREADABLE``, or 1 where it failed to build."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    project, target, logs = arguments
    switches = ["--no-use-colors", "--no-version-check", "--no-populate-cache"]
    switches += ["--log-level-file", "none", "--log-path", logs]
    paths = ["--project-dir", project, "--profiles-dir", project, "--target-path", target]
    shared = Path(project) / "target" / READ_BEFORE
    _copy(shared, Path(target) / READ_BEFORE)
    # The build writes the manifest; each writing takes a second.
    read = [*switches, "--log-level", "error", "--partial-parse", "--no-write-json", "parse", *paths]
    manifest = dbtRunner().invoke(read).result
    if not isinstance(manifest, Manifest):
        return UNREADABLE
    _copy(Path(target) / READ_BEFORE, shared)
    if sys.stdin.readline() != BUILD:
        return 0
    # What it says of a node is in its results; lines that nobody reads are not made either.
    build = [*switches, "--log-level", "none", "--no-partial-parse", "build", "--exclude-resource-type", "unit_test"]
    build += paths
    return 0 if dbtRunner(manifest=manifest).invoke(build).success else 1


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all; nothing where there is none, or where the target's folder is read-only."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, temporary)
        temporary.replace(target)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
