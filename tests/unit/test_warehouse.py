"""What is told of a failed dbt node: its kind, and nothing that dbt's message quotes."""

import pytest

from clinic_outcomes.model.warehouse import _node


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "Runtime Error in model fct_sessions (models/marts/core/fct_sessions.sql)\n"
            "  Conversion Error: Could not convert string 'Jane Doe' to INT32\n  LINE 3: 'IO Error of Jane Doe'",
            "Runtime Error, Conversion Error",
        ),
        ("Compilation Error in model x\n  'macro' is undefined", "Compilation Error"),
        ("Jane Doe Error: no such kind", ""),
        (None, ""),
    ],
)
def test_a_failed_node_tells_the_kind_of_error_alone(message: str | None, told: str) -> None:
    assert _node({"unique_id": "model.x", "status": "error", "message": message}).message == told


def test_a_failed_test_tells_how_many_rows_and_a_success_nothing() -> None:
    assert _node({"unique_id": "test.x", "status": "fail", "failures": 3, "message": "Got 3"}).message == "3 rows fail"
    assert _node({"unique_id": "model.x", "status": "success", "message": "IO Error"}).message == ""
