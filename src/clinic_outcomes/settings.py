"""Where things lie and how much of the machine may be used."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

PROJECT_ROOT = Path(os.environ.get("CLINIC_OUTCOMES_PROJECT", Path(__file__).resolve().parents[2]))

LIMITS = ("largest_", "deepest_", "most_")
"""How names of limits on delivered files begin."""


class Settings(BaseModel):
    """Folders and limits of one run.

    Every stage takes one of these; nothing else in the package reads the environment.
    """

    model_config = ConfigDict(frozen=True)

    home: Path
    clinics: Path = PROJECT_ROOT / "clinics"
    systems: Path = PROJECT_ROOT / "systems"
    instruments: Path = PROJECT_ROOT / "instruments"
    expectations: Path = PROJECT_ROOT / "expectations"
    dbt_project: Path = PROJECT_ROOT / "dbt_project"
    salt: Path | None = Field(default=None, description="File of the secret salt; by default in the home.")
    threshold_sets: tuple[tuple[str, str], ...] = Field(
        default=(), description="Pairs of <instrument>.<quantity> and the threshold set to use instead of the file's."
    )
    crisis_line: str = Field(
        default=(
            "In crisis, or worried about someone? In the US, call or text 988, the Suicide & Crisis Lifeline, "
            "day or night."
        ),
        min_length=1,
        description="What reports say to a reader in crisis: whom to call, where and when. One sentence or two.",
    )
    threads: int = Field(default=2, ge=1, description="Threads of DuckDB and dbt.")
    memory_limit_mb: int = Field(default=1200, ge=256, description="Memory of DuckDB, in megabytes.")
    largest_file_mb: int = Field(default=2000, ge=1, description="Size of a delivered file, in megabytes.")
    largest_unpacked_mb: int = Field(default=8000, ge=1, description="What a gzip or Parquet file may hold, unpacked.")
    largest_workbook_mb: int = Field(default=200, ge=1, description="What a workbook may hold, unpacked.")
    largest_ratio: int = Field(default=200, ge=2, description="How many times larger a file may get when unpacked.")
    largest_cell_kb: int = Field(default=1000, ge=1, description="Length of a cell, in thousands of bytes.")
    largest_line_mb: int = Field(default=10, ge=1, description="Length of a line of NDJSON, in megabytes.")
    deepest_json: int = Field(default=40, ge=1, description="Levels of lists and objects in JSON.")
    most_files: int = Field(default=500, ge=1, description="Files in a delivery.")
    most_archive_parts: int = Field(default=500, ge=1, description="Files in an archive, such as a workbook is.")
    most_columns: int = Field(default=5000, ge=1, description="Columns of a file or a sheet.")
    most_rows: int = Field(default=200_000_000, ge=1, description="Rows of a Parquet file.")
    most_cells: int = Field(default=2_000_000, ge=1, description="Cells of a sheet, its empty ones among them.")
    alert_recipients: tuple[str, ...] = Field(default=(), description="E-mail addresses that alerts are sent to.")
    debug: bool = Field(default=False, description="Show unexpected errors in full: their text may hold a value.")

    @field_validator("alert_recipients", mode="before")
    @classmethod
    def _addresses(cls, value: object) -> object:
        """``address,address`` as addresses; what could not be one is refused without being shown."""
        if not isinstance(value, str):
            return value
        addresses = [part.strip() for part in value.split(",") if part.strip()]
        if not all(re.fullmatch(r"[^@\s]+@[^@\s]+", address) for address in addresses):
            raise ValueError("recipients of alerts are e-mail addresses, with commas between")
        return addresses

    @field_validator("threshold_sets", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        """``<instrument>.<quantity>=<set>,...`` as pairs, in an order of their own."""
        if not isinstance(value, str):
            return value
        pairs = [tuple(map(str.strip, part.split("="))) for part in value.split(",") if part.strip()]
        if any(len(pair) != 2 or "." not in pair[0] or not pair[1] for pair in pairs):
            raise ValueError("threshold sets are written <instrument>.<quantity>=<set>, with commas between")
        if len({pair[0] for pair in pairs}) < len(pairs):
            raise ValueError("a threshold set is chosen twice for one quantity")
        return sorted(pairs)

    @classmethod
    def from_environment(cls, home: Path | None = None) -> Self:
        """Read ``CLINIC_OUTCOMES_HOME``, ``_CLINICS``, ``_SYSTEMS``, ``_SALT_FILE``, ``_THREADS`` and the like.

        The others are ``_THRESHOLD_SETS`` (``<instrument>.<quantity>=<set>,...``), ``_ALERT_RECIPIENTS``
        (``<address>,...``), ``_CRISIS_LINE`` (a sentence), ``_MEMORY_LIMIT_MB``, ``_DEBUG``, and for each limit on
        delivered files its own name, such as ``_LARGEST_FILE_MB`` or ``_MOST_CELLS``.
        ``home`` takes precedence over the variable; the default is ``var/`` in the project.
        """
        names = {
            "home": "HOME",
            "clinics": "CLINICS",
            "systems": "SYSTEMS",
            "salt": "SALT_FILE",
            "threshold_sets": "THRESHOLD_SETS",
            "alert_recipients": "ALERT_RECIPIENTS",
            "crisis_line": "CRISIS_LINE",
            "threads": "THREADS",
            "memory_limit_mb": "MEMORY_LIMIT_MB",
            "debug": "DEBUG",
        } | {name: name.upper() for name in cls.model_fields if name.startswith(LIMITS)}
        values: dict[str, object] = {
            field: os.environ[f"CLINIC_OUTCOMES_{name}"]
            for field, name in names.items()
            if os.environ.get(f"CLINIC_OUTCOMES_{name}")
        }
        if home is not None:
            values["home"] = home
        values.setdefault("home", PROJECT_ROOT / "var")
        settings = cls.model_validate(values)
        return settings.model_copy(
            update={
                name: path.resolve()
                for name in ("home", "clinics", "systems", "salt")
                if (path := getattr(settings, name)) is not None
            }
        )

    @property
    def limits(self) -> dict[str, int]:
        """Name → value of each limit on what a delivered file may be."""
        return {name: getattr(self, name) for name in sorted(type(self).model_fields) if name.startswith(LIMITS)}

    @property
    def salt_file(self) -> Path:
        """File of the secret salt that re-keys every key: ``secrets/salt`` in the home unless the settings say."""
        return self.salt or self.home / "secrets" / "salt"

    @property
    def landing(self) -> Path:
        """What clinics dropped: ``landing/<clinic>/<delivery folder>/``. Never edited."""
        return self.home / "landing"

    @property
    def ledger(self) -> Path:
        """One immutable JSON record a delivery and stage: ``ledger/<clinic>/<delivery id>/<stage>….json``."""
        return self.home / "ledger"

    @property
    def lake(self) -> Path:
        """Harmonised rows: ``lake/<table>/clinic_id=<c>/<delivery id>.<recipe>.parquet``. Immutable."""
        return self.home / "lake"

    @property
    def state(self) -> Path:
        """Resolved and validated rows a clinic: ``state/<clinic>/<state id>/``; ``latest`` points at the newest."""
        return self.home / "state"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file that dbt alone writes."""
        return self.home / "warehouse"

    @property
    def marts(self) -> Path:
        """Exported marts: ``marts/<build>/{core,release}/<mart>.parquet``; ``latest`` points at the newest."""
        return self.home / "marts"

    @property
    def releases(self) -> Path:
        """Reports: ``releases/<yyyy-mm>.<n>/<recipient>/``; ``latest`` points at the newest."""
        return self.home / "releases"

    @property
    def register(self) -> Path:
        """All releases there were, as a chain: ``register/<number, six digits>/``. It has exact figures."""
        return self.home / "register"

    @property
    def alerts(self) -> Path:
        """What a person should know at once: ``alerts/<clinic>/<alert id>/alert.json``. For engineers only."""
        return self.home / "alerts"

    @property
    def scratch(self) -> Path:
        """Temporary files, on the same file system as the rest so that renames are atomic."""
        return self.home / "scratch"
