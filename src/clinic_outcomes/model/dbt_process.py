"""The child process of ``warehouse.Dbt``: read the project, wait for the word, build.

``python -m clinic_outcomes.model.dbt_process PROJECT TARGET LOGS``, with ``build`` on standard input once the inputs
are there. Anything else on standard input, or its end, means that there is nothing to build.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

BUILD = "build\n"


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 where dbt succeeded or had nothing to do, else 1."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    project, target, logs = arguments
    switches = ["--no-use-colors", "--no-version-check", "--no-partial-parse", "--no-populate-cache"]
    switches += ["--log-level", "error", "--log-level-file", "none", "--log-path", logs]
    paths = ["--project-dir", project, "--profiles-dir", project, "--target-path", target]
    manifest = dbtRunner().invoke([*switches, "parse", *paths]).result
    if not isinstance(manifest, Manifest):
        return 1
    if sys.stdin.readline() != BUILD:
        return 0
    build = [*switches, "build", "--exclude-resource-type", "unit_test", *paths]
    return 0 if dbtRunner(manifest=manifest).invoke(build).success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
