"""A clinic or a system is data: its id stands in its own file and nowhere in the code."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
GUARDED = ("dags", "src", "dbt_project", "expectations")
DERIVED = {"__pycache__", "target", "logs"}


def ids() -> set[str]:
    clinics = {path.stem for path in (PROJECT / "clinics").glob("*.yml")}
    systems = {path.name for path in (PROJECT / "systems").iterdir() if path.is_dir()}
    assert len(clinics) >= 2 and len(systems) >= 2
    return clinics | systems


def texts(folders: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not DERIVED & set(path.relative_to(folder).parts):
                yield path, path.read_text(encoding="utf-8", errors="replace")


def mentions(names: set[str], folders: Iterable[Path]) -> list[str]:
    pattern = re.compile(r"(?<![a-z0-9])(" + "|".join(map(re.escape, sorted(names))) + r")(?![a-z0-9])", re.IGNORECASE)
    found = []
    for path, text in texts(folders):
        for number, line in enumerate(text.splitlines(), start=1):
            if pattern.search(line) or pattern.search(path.name):
                found.append(f"{path}:{number}")
    return found


def test_no_id_of_a_clinic_or_system_is_in_the_code() -> None:
    folders = [PROJECT / name for name in GUARDED]
    read = list(texts(folders))
    for folder in folders:
        assert any(folder in path.parents for path, _ in read), f"nothing was read in {folder.name}/"
    assert mentions(ids(), folders) == []


def test_the_guard_finds_an_id_in_text_and_in_a_file_name(tmp_path: Path) -> None:
    (tmp_path / "model.sql").write_text("select 1\nwhere clinic_id = 'North_Fold'\n")
    (tmp_path / "stg_north_fold.sql").write_text("select 1\n")
    (tmp_path / "fine.sql").write_text("select 'north_folder', 'the_north'\n")
    assert mentions({"north_fold"}, [tmp_path]) == [f"{tmp_path}/model.sql:2", f"{tmp_path}/stg_north_fold.sql:1"]
