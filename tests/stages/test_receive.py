"""Receive: what is a delivery, what is refused and why, and that each is one however often it comes."""

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic_outcomes import ledger
from clinic_outcomes.files import fingerprint
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive import (
    Manifest,
    ManifestFile,
    delivery_files,
    landing_folders,
    receive,
    write_manifest,
)
from clinic_outcomes.records import ReceiveRecord
from clinic_outcomes.settings import Settings
from tests.support.deliveries import deliver
from tests.support.small_clinic import CLINIC, DOSES, DRUGS, FILES, PEOPLE, SYSTEM, make_settings

CANARY = "Ottilie Quack"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path)


@pytest.fixture
def drop(settings: Settings) -> Path:
    """A good delivery, to be spoilt."""
    return deliver(settings.landing / CLINIC / "drop", FILES, CLINIC)


def only(settings: Settings) -> ReceiveRecord:
    (record,) = receive(CLINIC, settings)
    return record


def edit_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def everything_kept(settings: Settings) -> str:
    return "".join(path.read_text() for path in sorted(settings.ledger.rglob("*.json")))


def test_a_good_delivery_is_received(settings: Settings, drop: Path) -> None:
    record = only(settings)
    assert record.received and record.problems == ()
    assert (record.export_sequence, record.export_kind, record.reporting_period) == (1, "full", "2026-08")
    assert [(file.name, file.sources, file.rows) for file in record.files] == [
        ("doses.csv", ("doses",), 2),
        ("drugs.csv", ("drugs",), 2),
        ("people.csv", ("people",), 3),
    ]
    assert record.files[2].sha256 == hashlib.sha256(PEOPLE.encode()).hexdigest()
    assert record.delivery_id.startswith("000001-full-") and len(record.delivery_id) == len("000001-full-") + 16
    assert landing_folders(CLINIC, settings) == {record.delivery_id: (drop,)}
    assert {path.parent for path in delivery_files(record, settings).values()} == {drop}


def test_a_clinic_that_delivered_nothing_has_nothing(settings: Settings) -> None:
    assert receive(CLINIC, settings) == () and landing_folders(CLINIC, settings) == {}


def test_header_alone_is_a_table_without_rows(settings: Settings) -> None:
    files = FILES | {"doses.csv": DOSES.splitlines()[0] + "\n"}
    deliver(settings.landing / CLINIC / "drop", files, CLINIC)
    assert next((file.name, file.rows) for file in only(settings).files) == ("doses.csv", 0)


def test_two_files_of_one_source(settings: Settings) -> None:
    header = PEOPLE.splitlines()[0]
    deliver(settings.landing / CLINIC / "drop", {"people.csv": PEOPLE, "people_2.csv": f"{header}\n"}, CLINIC)
    assert [file.sources for file in only(settings).files] == [("people",), ("people",)]


# --- refusals -----------------------------------------------------------------------------------------------------


def cut_short(drop: Path) -> None:
    text = (drop / "people.csv").read_text()
    (drop / "people.csv").write_text(text[: text.index("P003")])


def cut_within_a_row(drop: Path) -> None:
    text = (drop / "people.csv").read_text()
    (drop / "people.csv").write_text(text[: text.index(",51") + 2])


def replace_by_a_link(drop: Path) -> None:
    (drop / "people.csv").rename(drop.parent.parent / "elsewhere.csv")
    (drop / "people.csv").symlink_to(drop.parent.parent / "elsewhere.csv")


def replace_by_a_pipe(drop: Path) -> None:
    (drop / "drugs.csv").unlink()
    os.mkfifo(drop / "drugs.csv")


def redeliver(name: str, content: bytes | str) -> Callable[[Path], None]:
    def spoil(drop: Path) -> None:
        shutil.rmtree(drop)
        deliver(drop, FILES | {name: content}, CLINIC)

    return spoil


def listed(name: str) -> Callable[[Path], None]:
    def spoil(drop: Path) -> None:
        entry = {"name": name, "rows": 0, "sha256": "0" * 64}
        edit_manifest(drop, files=[*json.loads((drop / "manifest.json").read_text())["files"], entry])

    return spoil


def untold(name: str) -> str:
    """How a file is called whose name could be a person's."""
    return f"file-{fingerprint([name])[:8]}"


INVALID: list[tuple[str, str | None]] = [("manifest_invalid", "manifest.json")]
REFUSALS: dict[str, tuple[Callable[[Path], object], list[tuple[str, str | None]]]] = {
    "no_manifest": (lambda d: (d / "manifest.json").unlink(), [("manifest_missing", "manifest.json")]),
    "manifest_is_no_json": (lambda d: (d / "manifest.json").write_text(f'{{"{CANARY}'), INVALID),
    "manifest_is_deep": (lambda d: (d / "manifest.json").write_text("[" * 100_000), INVALID),
    "manifest_is_no_text": (lambda d: (d / "manifest.json").write_bytes(b"\xff\xfe{"), INVALID),
    "manifest_is_huge": (
        lambda d: (d / "manifest.json").write_text(" " * 1_000_000 + (d / "manifest.json").read_text()),
        INVALID,
    ),
    "manifest_has_more_fields": (lambda d: edit_manifest(d, **{CANARY: CANARY}), INVALID),
    "manifest_of_another_version": (lambda d: edit_manifest(d, manifest_version=2), INVALID),
    "sequence_of_zero": (lambda d: edit_manifest(d, export_sequence=0), INVALID),
    "sequence_as_text": (lambda d: edit_manifest(d, export_sequence="1"), INVALID),
    "kind_unknown": (lambda d: edit_manifest(d, export_kind=CANARY), INVALID),
    "period_is_a_date": (lambda d: edit_manifest(d, reporting_period="2026-08-01"), INVALID),
    "no_files": (lambda d: edit_manifest(d, files=[]), INVALID),
    "file_above_the_folder": (listed("../people.csv"), INVALID),
    "file_by_whole_path": (listed("/etc/passwd"), INVALID),
    "file_listed_twice": (listed("people.csv"), INVALID),
    "another_clinic": (lambda d: edit_manifest(d, clinic_id=CANARY), [("clinic_mismatch", "manifest.json")]),
    "file_missing": (lambda d: (d / "people.csv").unlink(), [("file_missing", "people.csv")]),
    "file_unlisted": (lambda d: (d / "doses_2.csv").write_text(DOSES), [("file_unlisted", "doses_2.csv")]),
    "file_unlisted_by_an_unsafe_name": (
        lambda d: (d / f"{CANARY}\n.csv").write_text(DOSES),
        [("file_name_unsafe", None), ("file_unlisted", None)],
    ),
    "file_name_is_no_text": (
        lambda d: Path(os.fsdecode(os.fsencode(d) + b"/\xff.csv")).write_text(DOSES),
        [("file_name_unsafe", None), ("file_unlisted", None)],
    ),
    "sub_folder": (lambda d: (d / "more").mkdir(), [("file_not_regular", untold("more"))]),
    "link": (replace_by_a_link, [("file_not_regular", "people.csv")]),
    "pipe": (replace_by_a_pipe, [("file_not_regular", "drugs.csv")]),
    "file_of_no_source": (redeliver("notes.csv", "a\n1\n"), [("file_unknown", untold("notes.csv"))]),
    "empty_file": (redeliver("doses.csv", ""), [("file_empty", "doses.csv")]),
    "wrong_encoding": (redeliver("doses.csv", f"{DOSES}Zoë,,,,,,\n".encode("latin-1")), [("encoding", "doses.csv")]),
    "ragged": (redeliver("doses.csv", f"{DOSES}{CANARY}\n"), [("csv_structure", "doses.csv")]),
    "column_twice": (redeliver("drugs.csv", "rxnorm,rxnorm\n1,2\n"), [("column_duplicate", "drugs.csv")]),
    "changed_on_the_way": (
        lambda d: (d / "people.csv").write_text(PEOPLE.replace("34", "43")),
        [("checksum_mismatch", "people.csv")],
    ),
    "cut_short": (cut_short, [("checksum_mismatch", "people.csv"), ("row_count_mismatch", "people.csv")]),
    "cut_within_a_row": (cut_within_a_row, [("checksum_mismatch", "people.csv"), ("csv_structure", "people.csv")]),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_bad_delivery_is_refused_and_says_why(settings: Settings, drop: Path, case: str) -> None:
    good = only(settings)
    spoil, expected = REFUSALS[case]
    spoil(drop)
    records = {record.delivery_id: record for record in receive(CLINIC, settings)}
    assert records.pop(good.delivery_id) == good
    (record,) = records.values()
    assert not record.received
    assert [(problem.rule, problem.file) for problem in record.problems] == expected
    assert all(problem.clinic == CLINIC and problem.advice for problem in record.problems)
    assert record.delivery_id.startswith("unidentified-") == expected[0][0].startswith("manifest_")
    assert CANARY not in everything_kept(settings) and "Zo" not in everything_kept(settings)
    assert list(landing_folders(CLINIC, settings)) == [record.delivery_id]


def test_the_line_of_a_broken_row_is_told(settings: Settings) -> None:
    deliver(settings.landing / CLINIC / "drop", FILES | {"doses.csv": f"{DOSES}{CANARY}\n"}, CLINIC)
    assert [problem.line for problem in only(settings).problems] == [4]


def test_a_wrong_row_count_is_another_delivery_than_the_right_one(settings: Settings) -> None:
    # The files are the same to the byte: were the id the same, the correction would find the refusal in the ledger.
    deliver(settings.landing / CLINIC / "a", FILES, CLINIC, rows={"people.csv": 4})
    assert [problem.rule for problem in only(settings).problems] == ["row_count_mismatch"]
    deliver(settings.landing / CLINIC / "b", FILES, CLINIC)
    assert sorted(record.received for record in receive(CLINIC, settings)) == [False, True]


def test_a_required_source_is_missing(settings: Settings) -> None:
    deliver(settings.landing / CLINIC / "drop", {"doses.csv": DOSES}, CLINIC)
    assert [problem.rule for problem in only(settings).problems] == ["source_missing"]


def test_all_that_is_wrong_is_told_at_once(settings: Settings) -> None:
    folder = deliver(
        settings.landing / CLINIC / "drop", {"doses.csv": "", "notes.csv": "a\n", "drugs.csv": DRUGS}, CLINIC
    )
    (folder / "drugs.csv").write_text(DRUGS + "M003,P003,1\n")
    (folder / "people.csv").mkdir()
    edit_manifest(folder, clinic_id="other")
    assert [problem.rule for problem in only(settings).problems] == [
        "file_not_regular", "clinic_mismatch", "source_missing", "file_empty", "checksum_mismatch",
        "row_count_mismatch", "file_unknown",
    ]  # fmt: skip


def test_what_is_no_folder_is_refused(settings: Settings, drop: Path) -> None:
    good = only(settings)
    (drop.parent / "people.csv").write_text(PEOPLE)
    (drop.parent / "link").symlink_to(drop)
    records = [record for record in receive(CLINIC, settings) if record != good]
    assert [[problem.rule for problem in record.problems] for record in records] == [
        ["manifest_missing", "folder_expected"]
    ] * 2


def test_names_that_begin_with_a_dot_are_still_on_their_way(settings: Settings, drop: Path) -> None:
    (drop / ".people.csv.part").write_text("half")
    shutil.copytree(drop, drop.parent / ".upload")
    assert only(settings).received and len(landing_folders(CLINIC, settings)) == 1


# --- one delivery, however it comes -------------------------------------------------------------------------------


def test_the_same_delivery_renamed_is_one(settings: Settings) -> None:
    first = deliver(settings.landing / CLINIC / "first", FILES, CLINIC)
    record = only(settings)
    renamed = {f"{name.removesuffix('.csv')}_again.csv": content for name, content in reversed(FILES.items())}
    second = deliver(settings.landing / CLINIC / "second", renamed, CLINIC)
    assert only(settings) == record
    assert landing_folders(CLINIC, settings) == {record.delivery_id: (first, second)}


def test_a_copy_under_other_names_serves_where_the_first_has_gone(settings: Settings, drop: Path) -> None:
    record = only(settings)
    drop.rename(drop.with_name("moved"))
    (drop.with_name("moved") / "people.csv").rename(drop.with_name("moved") / "people_moved.csv")
    files = json.loads((drop.with_name("moved") / "manifest.json").read_text())["files"]
    edit_manifest(
        drop.with_name("moved"), files=[f | {"name": f["name"].replace("people", "people_moved")} for f in files]
    )
    assert only(settings) == record
    assert delivery_files(record, settings)["people.csv"] == drop.with_name("moved") / "people_moved.csv"


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": 2},
        {"kind": "delta"},
        {"period": "2026-09"},
        {"files": FILES | {"people.csv": PEOPLE + "P004,F,1,,0,\n"}},
    ],
)
def test_other_content_is_another_delivery(settings: Settings, change: dict[str, object]) -> None:
    deliver(settings.landing / CLINIC / "a", FILES, CLINIC)
    options = {"files": FILES, "clinic_id": CLINIC} | change
    deliver(settings.landing / CLINIC / "b", **options)  # type: ignore[arg-type]
    assert [record.received for record in receive(CLINIC, settings)] == [True, True]


def test_a_file_under_another_source_is_another_delivery(settings: Settings) -> None:
    deliver(settings.landing / CLINIC / "a", {"people.csv": PEOPLE, "doses.csv": "a\n"}, CLINIC)
    deliver(settings.landing / CLINIC / "b", {"people.csv": PEOPLE, "drugs.csv": "a\n"}, CLINIC)
    assert len(receive(CLINIC, settings)) == 2


def receive_in_a_process(settings: Settings, at_once: object, results: object) -> None:
    at_once.wait()  # type: ignore[attr-defined]
    results.put([record.model_dump() for record in receive(CLINIC, settings)])  # type: ignore[attr-defined]


def test_the_same_delivery_twice_at_once_is_one(settings: Settings) -> None:
    for name in ("first", "second"):
        deliver(settings.landing / CLINIC / name, FILES, CLINIC)
    context = multiprocessing.get_context("spawn")
    at_once, results = context.Barrier(2), context.Queue()
    workers = [context.Process(target=receive_in_a_process, args=(settings, at_once, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(timeout=60)
    assert found[0] == found[1] and len(found[0]) == 1
    assert len(list((settings.ledger / CLINIC).glob("*/receive.json"))) == 1
    assert len(landing_folders(CLINIC, settings)[found[0][0]["delivery_id"]]) == 2
    assert not list(settings.ledger.rglob("*.tmp"))


# --- landing changes ----------------------------------------------------------------------------------------------


def test_an_upload_is_refused_until_its_manifest_comes(settings: Settings, drop: Path) -> None:
    manifest = (drop / "manifest.json").read_text()
    (drop / "manifest.json").unlink()
    refused = only(settings)
    (drop / "manifest.json").write_text(manifest)
    record = only(settings)
    assert record.received and list(landing_folders(CLINIC, settings)) == [record.delivery_id]
    assert ledger.receive_path(CLINIC, refused.delivery_id, settings).is_file()


def test_a_delivery_purged_from_landing_stays_received(settings: Settings, drop: Path) -> None:
    record = only(settings)
    shutil.rmtree(drop)
    assert only(settings) == record and landing_folders(CLINIC, settings) == {}
    with pytest.raises(ClinicOutcomesError) as caught:
        delivery_files(record, settings)
    assert (caught.value.problems[0].rule, caught.value.problems[0].clinic) == ("landing_changed", CLINIC)


def test_an_edit_that_the_index_cannot_see_is_found_when_opened(settings: Settings, drop: Path) -> None:
    record, path = only(settings), drop / "people.csv"
    before = path.stat()
    path.write_text(PEOPLE.replace("34", "43"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ClinicOutcomesError) as caught:
        delivery_files(record, settings)
    assert caught.value.problems[0].rule == "landing_changed"
    # Nothing more is taken on trust of that folder: the next run reads it again.
    assert [r.received for r in receive(CLINIC, settings) if r != record] == [False]


def test_a_folder_that_stays_is_not_read_again(settings: Settings, drop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = only(settings)
    monkeypatch.setattr("clinic_outcomes.receive.checking.sha256_file", None)
    assert only(settings) == record


def test_a_corrected_mapping_looks_again_at_what_it_refused(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, system=SYSTEM.replace("doses*", "other*"))
    deliver(settings.landing / CLINIC / "drop", FILES, CLINIC)
    assert [problem.rule for problem in only(settings).problems] == ["file_unknown"]
    assert only(make_settings(tmp_path)).received


# --- the manifest that others write -------------------------------------------------------------------------------


def test_a_manifest_written_is_a_manifest_read(settings: Settings) -> None:
    folder = settings.landing / CLINIC / "drop"
    folder.mkdir(parents=True)
    (folder / "people.csv").write_text(PEOPLE)
    digest = hashlib.sha256(PEOPLE.encode()).hexdigest().upper()
    manifest = Manifest(
        manifest_version=1,
        clinic_id=CLINIC,
        export_sequence=7,
        export_kind="delta",
        reporting_period="2026-08",
        files=(ManifestFile(name="people.csv", rows=3, sha256=digest),),
    )
    write_manifest(folder, manifest)
    assert only(settings).delivery_id.startswith("000007-delta-") and only(settings).received
