"""The command line. Thin: each command calls one function of the package and shows what it returned."""

from __future__ import annotations

import sys
from collections.abc import Sequence

# Importing them registers their commands, in the order in which help lists them.
from clinic_outcomes.cli import releases, safety, stages, systems, view
from clinic_outcomes.cli.application import FAILED, app
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings

__all__ = ["app", "main", "releases", "safety", "stages", "systems", "view"]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; the process exits with 0, 1, 2 or 3. No traceback is shown unless debugging."""
    try:
        app(arguments)
    except ClinicOutcomesError as error:
        _fail(error.problems)
    except Exception as error:
        if Settings.from_environment().debug:
            raise
        problem = Problem(
            rule="unexpected_error",
            message=type(error).__name__,
            advice="The error's text may hold a patient's value: set CLINIC_OUTCOMES_DEBUG=1 to see it.",
        )
        _fail([problem])


def _fail(problems: Sequence[Problem]) -> None:
    from clinic_outcomes.console import show_problems

    show_problems(problems)
    sys.exit(FAILED)
