"""What prepare says when it stops."""

from __future__ import annotations

from clinic_outcomes.problems import ClinicOutcomesError, Problem


def refusal(rule: str, message: str, advice: str = "See docs/preparing.md.", column: str | None = None) -> Exception:
    """An error of one problem."""
    return ClinicOutcomesError([Problem(rule=rule, message=message, advice=advice, column=column)])
