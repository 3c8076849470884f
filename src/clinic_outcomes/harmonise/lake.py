"""Where harmonised rows lie, and how to read them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clinic_outcomes.database import quote_path
from clinic_outcomes.settings import Settings


def lake_file(table: str, clinic_id: str, delivery_id: str, recipe: str, settings: Settings) -> Path:
    """Where the harmonised rows of a delivery's table lie."""
    return settings.lake / table / f"clinic_id={clinic_id}" / f"{delivery_id}.{recipe}.parquet"


def lake_rows(paths: Iterable[Path]) -> str:
    """SQL of the rows of harmonised files, for ``FROM``. What is in the files counts, not the folders' names."""
    return f"read_parquet([{', '.join(map(quote_path, paths))}], hive_partitioning = false)"
