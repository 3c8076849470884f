"""Data homes that several modules read, with marts that are made once a test session, whichever worker asks first."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic_outcomes.settings import Settings


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Settings]) -> Settings:
    """Settings of the home that ``make`` fills below the folder it is given, which is not there yet.

    Nobody may write there afterwards: other modules, and other workers, read the same files.
    """
    base = factory.getbasetemp()
    # Workers have each a folder of their own in that of the session.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, made = shared / name, shared / f"{name}.json"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            made.write_text(make(folder).model_dump_json(), encoding="utf-8")
    return Settings.model_validate_json(made.read_text(encoding="utf-8"))
