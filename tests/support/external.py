"""Public data beside the project; tests that need it skip where it is absent."""

from pathlib import Path

import pytest

from clinic_outcomes.settings import PROJECT_ROOT

EXTERNAL = PROJECT_ROOT.parent / "shared" / "external"


def external(name: str) -> Path:
    """A folder of public data, or a skip that says which is missing."""
    folder = EXTERNAL / name
    if not folder.is_dir():
        pytest.skip(f"public data {name} is not beside the project (../shared/external/{name})")
    return folder
