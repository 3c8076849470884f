"""The chain: whatever is changed in it, is found; two workers at once; a worker killed in the middle."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.files import canonical_json
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.register import (
    RefreshRules,
    append,
    entry_folder,
    list_releases,
    make_final,
    open_register,
    read_register,
    withdraw,
)
from clinic_outcomes.register.entries import Entry
from clinic_outcomes.settings import Settings
from tests.support.register_builds import POLICY, enter, protect_like, release, write_build

COUNTED = "measure | clinic_id | numerator | denominator\ntreated | alder | {} | -"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("register"))
    for number in (1, 2, 3):
        release(settings, f"build{number}", COUNTED.format(20 * number))
    make_final(settings, 1, by="TK", reason="agreed")
    withdraw(settings, 3, by="TK", reason="wrong")
    return settings


@pytest.fixture
def settings(made: Settings, tmp_path: Path) -> Settings:
    """A copy of the register of three releases and two words, to be damaged."""
    shutil.copytree(made.home, tmp_path / "home")
    return Settings(home=tmp_path / "home")


def broken(settings: Settings) -> str:
    """What reading says, which must name an entry and stop everything that would add one."""
    with pytest.raises(ClinicOutcomesError) as caught:
        read_register(settings)
    with pytest.raises(ClinicOutcomesError):
        list_releases(settings)
    with pytest.raises(ClinicOutcomesError):
        make_final(settings, 1, by="TK", reason="agreed")
    (problem,) = caught.value.problems
    assert problem.rule == "register"
    assert "restore" in problem.advice
    return problem.message


def test_a_register_that_nobody_touched_is_whole(settings: Settings) -> None:
    assert [entry.number for entry in read_register(settings)] == [1, 2, 3, 4, 5]
    # What a process killed while it wrote left is none of its entries.
    (settings.register / ".000006.0123.tmp").mkdir()
    assert len(read_register(settings)) == 5


def test_no_register_is_an_empty_one(tmp_path: Path) -> None:
    assert read_register(Settings(home=tmp_path)) == ()
    assert list_releases(Settings(home=tmp_path)) == []


FILES = ("entry.json", "figures.parquet", "exact.parquet", "cells.parquet", "told.parquet", "restatements.parquet")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("number", [1, 3])
def test_a_changed_byte_is_found(settings: Settings, name: str, number: int) -> None:
    path = entry_folder(number, settings) / name
    content = path.read_bytes()
    for place in {0, len(content) // 3, len(content) // 2, len(content) - 1}:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert f"entry {number:06d}" in broken(settings)
    path.write_bytes(content + b"\n")
    assert f"entry {number:06d}" in broken(settings)
    path.write_bytes(content)
    read_register(settings)


def change(settings: Settings, number: int, alter: Callable[[dict[str, object]], None], *, seal: bool) -> None:
    """Change an entry's JSON, and with ``seal`` give it the hash that it has then."""
    path = entry_folder(number, settings) / "entry.json"
    content = json.loads(path.read_text())
    alter(content)
    if seal:
        content = Entry.model_validate(content).sealed().model_dump(mode="json")
    path.write_text(canonical_json(content))


def test_an_entry_written_anew_with_a_hash_of_its_own_breaks_the_chain(settings: Settings) -> None:
    def another_build(content: dict[str, object]) -> None:
        content["release"]["build_id"] = "build9"  # type: ignore[index]

    change(settings, 2, another_build, seal=False)
    assert "entry 000002 has an entry.json that was changed" in broken(settings)
    change(settings, 2, another_build, seal=True)
    assert "entry 000003 does not follow the entry before it" in broken(settings)


def test_a_missing_entry_is_found(settings: Settings) -> None:
    shutil.rmtree(entry_folder(2, settings))
    assert "entry 000002 is missing" in broken(settings)


def test_a_missing_file_and_one_too_many_are_found(settings: Settings) -> None:
    extra = entry_folder(4, settings) / "figures.parquet"
    shutil.copy(entry_folder(1, settings) / "figures.parquet", extra)
    assert "entry 000004 lacks a file, or holds one" in broken(settings)
    extra.unlink()
    (entry_folder(1, settings) / "exact.parquet").unlink()
    assert "entry 000001 lacks a file" in broken(settings)


def test_entries_in_another_order_are_found(settings: Settings) -> None:
    first, second, aside = entry_folder(1, settings), entry_folder(2, settings), settings.register / ".aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert "entry 000001 has the number of another" in broken(settings)


def test_an_entry_of_another_register_is_found(settings: Settings, tmp_path: Path) -> None:
    fork = Settings(home=tmp_path / "fork")
    for number in (1, 2):
        release(fork, f"build{number}", COUNTED.format(30 * number))
    shutil.rmtree(entry_folder(2, settings))
    shutil.copytree(entry_folder(2, fork), entry_folder(2, settings))
    assert "entry 000002 does not follow" in broken(settings)


def test_a_folder_that_is_no_entry_is_found(settings: Settings) -> None:
    (settings.register / "7").mkdir()
    assert "entry 7 is no folder" in broken(settings)


@pytest.mark.parametrize("about", [4, 5, 9])
def test_a_word_on_no_earlier_release_is_found(settings: Settings, about: int) -> None:
    def of_another(content: dict[str, object]) -> None:
        content["word"]["about"] = about  # type: ignore[index]

    change(settings, 5, of_another, seal=True)
    assert "entry 000005 speaks of an entry that is no release" in broken(settings)


# ---- workers at once ----


def enter_at_once(home: Path, build: str, figures: Path, plan: Path, together: Barrier) -> None:
    together.wait()
    append(
        Settings(home=home),
        build_id=build,
        policy_id=POLICY,
        figures=figures,
        plan=plan,
        audit=None,
        rules=RefreshRules(),
    )


def run_at_once(settings: Settings, builds: list[str]) -> list[int | None]:
    """Enter builds in a process each, planned beforehand and let go together; their exit codes."""
    context = multiprocessing.get_context("spawn")
    together = context.Barrier(len(builds))
    plans = {build: protect_like(settings, build, RefreshRules()) for build in builds}
    workers = [
        context.Process(target=enter_at_once, args=(settings.home, build, *plans[build], together)) for build in builds
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    return [worker.exitcode for worker in workers]


def test_two_workers_with_one_release_enter_it_once(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_build(settings, "build1", COUNTED.format(20))
    assert run_at_once(settings, ["build1", "build1"]) == [0, 0]
    assert [entry.number for entry in read_register(settings)] == [1]
    assert [path.name for path in settings.register.iterdir()] == ["000001"]


def test_two_workers_with_two_releases_enter_both_one_after_the_other(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    # Far enough from each other, so that whoever comes second still may.
    write_build(settings, "build1", COUNTED.format(20))
    write_build(settings, "build2", COUNTED.format(40))
    assert run_at_once(settings, ["build1", "build2"]) == [0, 0]
    entries = read_register(settings)
    assert {entry.release.build_id for entry in entries if entry.release} == {"build1", "build2"}
    assert [row["method"] for row in list_releases(settings)] == [0, 1], "the second changes a number"


def test_two_workers_too_near_to_each_other_are_not_both_entered(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    write_build(settings, "build1", COUNTED.format(40))
    write_build(settings, "build2", COUNTED.format(46))
    assert sorted(code or 0 for code in run_at_once(settings, ["build1", "build2"])) == [0, 1]
    assert len(read_register(settings)) == 1


@pytest.mark.parametrize("meanwhile", ["same", "other", "word"])
def test_who_finds_the_number_taken_looks_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Another worker adds an entry after this one has read the register."""
    write_build(settings, "build6", COUNTED.format(90))
    write_build(settings, "build7", COUNTED.format(120))
    plans = {build: protect_like(settings, build, RefreshRules()) for build in ("build6", "build7")}

    def add(build: str) -> Entry:
        figures, plan = plans[build]
        rules = RefreshRules()
        return append(settings, build_id=build, policy_id=POLICY, figures=figures, plan=plan, audit=None, rules=rules)

    def let_another_in(*arguments: object) -> None:
        monkeypatch.undo()
        if meanwhile == "word":
            make_final(settings, 2, by="TK", reason="agreed")
        else:
            add("build6" if meanwhile == "same" else "build7")
        open_register(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("clinic_outcomes.register.appending.open_register", let_another_in)
    entry = add("build6")
    assert entry.number == (6 if meanwhile == "same" else 7)
    assert [found.number for found in read_register(settings)] == list(range(1, entry.number + 1))
    assert not list(settings.register.glob(".*"))
    exact = duckdb.sql(f"SELECT refreshed_in FROM '{entry_folder(entry.number, settings)}/exact.parquet'").fetchall()
    assert exact == [(entry.number,)], "numbered anew, not only moved"


def enter_slowly(home: Path, build: str, ready: Path) -> None:
    """Enter a build, as a process that is about to be killed: it tells when it begins."""
    settings = Settings(home=home)
    figures, plan = protect_like(settings, build, RefreshRules())
    ready.touch()
    append(
        settings,
        build_id=build,
        policy_id=POLICY,
        figures=figures,
        plan=plan,
        audit=None,
        rules=RefreshRules(),
    )
    ready.with_suffix(".done").touch()


@pytest.mark.parametrize("wait_ms", [0, 20, 40, 60, 90, 150])
def test_killed_in_the_middle_leaves_the_old_register_or_the_new(tmp_path: Path, wait_ms: int) -> None:
    settings, ready = Settings(home=tmp_path / "home"), tmp_path / "ready"
    release(settings, "build1", COUNTED.format(20))
    write_build(settings, "build2", COUNTED.format(40))
    before = read_register(settings)
    worker = multiprocessing.get_context("spawn").Process(target=enter_slowly, args=(settings.home, "build2", ready))
    worker.start()
    while not ready.exists():
        time.sleep(0.002)
    time.sleep(wait_ms / 1000)
    os.kill(worker.pid or 0, signal.SIGKILL)
    worker.join()
    after = read_register(settings)
    assert after[:1] == before
    assert len(after) in (1, 2)
    assert len(after) == 2 or not ready.with_suffix(".done").exists()
    # Entered again, it is there once.
    assert enter(settings, "build2").number == 2
    assert len(read_register(settings)) == 2


@pytest.mark.parametrize("step", ["entry.json", "exact.parquet", "rename"])
def test_whatever_was_written_when_it_stopped_is_no_entry(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = read_register(settings)
    write_build(settings, "build6", COUNTED.format(90))

    class Stopped(BaseException):
        pass

    def stop_at(path: Path, *others: object, **more: object) -> object:
        raise Stopped

    if step == "rename":
        monkeypatch.setattr(Path, "rename", stop_at)
    elif step == "entry.json":
        monkeypatch.setattr(Entry, "text", stop_at)
    else:
        monkeypatch.setattr("clinic_outcomes.register.appending.write_parquet", stop_at)
    with pytest.raises(Stopped):
        enter(settings, "build6")
    monkeypatch.undo()
    assert read_register(settings) == before
