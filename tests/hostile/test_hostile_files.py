"""Hostile files of every format: each refused by a named rule, in little memory, nothing of it unpacked to disk."""

import gzip
import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.formats import check_file, limits, source_rows, write_file
from clinic_outcomes.mapping import load_system
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.receive.telling import told_folder
from clinic_outcomes.settings import Settings
from tests.support.external import external
from tests.support.workbooks import book, edited, packed, part, saved

CLINIC = "made_up"
CANARY = "Ottilie Quack"
SYSTEM = """\
title: Made up
format: csv
other_formats: [parquet, excel]
sources:
  people: {file: 'people*', sheet: People}
key_patterns:
  patient_id: 'P[0-9a-f]{16}'
"""
COLUMNS = """\
source,source_column,table,column,unit,codes,constant
people,person,patient,patient_id,,,
people,intake,patient,intake_day,day,,
"""
KEY = "P0123456789abcdef"
GOOD = f"person,intake\n{KEY},3\n"
MOST_MEMORY_MB = 512
SHEET, END = "xl/worksheets/sheet1.xml", "</sheetData>"

CHILD = """
import json, sys
from pathlib import Path
from clinic_outcomes.receive import receive
from clinic_outcomes.settings import Settings
root = Path(sys.argv[1])
settings = Settings(home=root / "home", systems=root / "systems", clinics=root / "clinics")
records = receive(sys.argv[2], settings)
found = {r.folder: [p.rule for p in r.problems] for r in records}
# Not getrusage: its peak is also that of the process this one was begun from.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(json.dumps([found, int(peak.split()[1]) // 1024]))
"""


@cache
def plain_workbook() -> bytes:
    return saved(book({"People": [["person", "intake"], [KEY, 3]]}))


def with_sheet(rows: str) -> bytes:
    return edited(plain_workbook(), {SHEET: part(plain_workbook(), SHEET).replace(END, rows + END)})


def with_start(start: str) -> bytes:
    return edited(plain_workbook(), {SHEET: start + part(plain_workbook(), SHEET)})


def with_relation(relation: str) -> bytes:
    name = "xl/_rels/workbook.xml.rels"
    text = part(plain_workbook(), name).replace("</Relationships>", f"{relation}</Relationships>")
    return edited(plain_workbook(), {name: text})


def with_strings(texts: list[str], cells: str) -> bytes:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    strings = f'<sst xmlns="{main}">{"".join(f"<si><t>{text}</t></si>" for text in texts)}</sst>'
    relation = (
        '<Relationship Id="rId99" Target="sharedStrings.xml" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/>'
    )
    content = edited(with_relation(relation), {"xl/sharedStrings.xml": strings})
    return edited(content, {SHEET: part(content, SHEET).replace(END, cells + END)})


def with_names(*names: str, mode: int = 0) -> bytes:
    """The plain workbook with further parts of some names, which a program would not write."""
    stream = io.BytesIO(plain_workbook())
    with zipfile.ZipFile(stream, "a") as archive:
        for name in names:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, "<x/>")
    return stream.getvalue()


def lying_about_size() -> bytes:
    """A part of 50 MB that both heads call 1,000 bytes."""
    content = bytearray(edited(plain_workbook(), {"xl/styles.xml": b" " * 50_000_000}))
    size = struct.pack("<L", 50_000_000)
    assert content.count(size) == 2
    return bytes(content.replace(size, struct.pack("<L", 1000)))


def encrypted() -> bytes:
    content = bytearray(plain_workbook())
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
FORMULA = f'<row r="9"><c r="A9"><f>HYPERLINK("http://x/{CANARY}")</f><v>0</v></c></row>'
EXTERNAL = '<Relationship Id="rId9" Type="x" Target="http://example.org/x" TargetMode="External"/>'
LONG_TEXT = "<is><t>" + "".join(map(str, range(1_500_000))) + "</t></is>"
REPEATED = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>0</v></c></row>' for n in range(3, 1003))
ENDLESS_ATTRIBUTE = '<row r="3" ht="' + "1" * 30_000_000 + '"/>'

WORKBOOKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "bomb": (lambda: edited(plain_workbook(), {"xl/styles.xml": b" " * 250_000_000}), "unpacked_too_large"),
    "bomb_by_ratio": (lambda: edited(plain_workbook(), {"xl/styles.xml": b" " * 20_000_000}), "unpacked_too_large"),
    "lying_about_size": (lying_about_size, "archive_structure"),
    "too_many_parts": (lambda: with_names(*(f"xl/{n}.xml" for n in range(600))), "too_many_parts"),
    "nested": (lambda: with_names("xl/more.zip"), "nested_archive"),
    "nested_workbook": (lambda: with_names("xl/more.xlsx"), "nested_archive"),
    "encrypted": (encrypted, "encrypted"),
    "older_format": (lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512, "encrypted"),
    "name_upwards": (lambda: with_names("xl/../../etc/x.xml"), "archive_structure"),
    "name_absolute": (lambda: with_names("/etc/x.xml"), "archive_structure"),
    "name_of_windows": (lambda: with_names("C:\\x.xml"), "archive_structure"),
    "link": (lambda: with_names("xl/x.xml", mode=0o120777), "archive_structure"),
    "name_twice": (lambda: with_names("XL/Workbook.xml"), "archive_structure"),
    "something_before": (lambda: CANARY.encode() + plain_workbook(), "archive_structure"),
    "something_after": (lambda: plain_workbook() + CANARY.encode(), "archive_structure"),
    "cut_off": (lambda: plain_workbook()[:-40], "archive_structure"),
    "macros": (lambda: with_names("xl/vbaProject.bin"), "active_content"),
    "external_link": (lambda: with_names("xl/externalLinks/externalLink1.xml"), "active_content"),
    "embedded": (lambda: with_names("xl/embeddings/oleObject1.bin"), "active_content"),
    "connection": (lambda: with_names("xl/connections.xml"), "active_content"),
    "link_to_elsewhere": (lambda: with_relation(EXTERNAL), "active_content"),
    "entities": (lambda: with_start(f"{ENTITIES}]>"), "xml_entity"),
    "file_as_entity": (lambda: with_start('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'), "xml_entity"),
    "utf_16": (lambda: edited(plain_workbook(), {SHEET: "<worksheet/>".encode("utf-16")}), "workbook_structure"),
    "other_encoding": (lambda: with_start('<?xml version="1.0" encoding="latin-1"?>'), "encoding"),
    "deep": (lambda: with_sheet("<x>" * 100_000), "workbook_structure"),
    "not_closed": (lambda: with_sheet("<row>"), "workbook_structure"),
    "nul": (lambda: with_sheet('<row r="9"><c r="A9" t="str"><v>a\0b</v></c></row>'), "workbook_structure"),
    "no_utf_8": (
        lambda: edited(plain_workbook(), {SHEET: part(plain_workbook(), SHEET).encode().replace(b"person", b"\xe9")}),
        "encoding",
    ),
    "far_cell": (lambda: with_sheet('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), "workbook_too_large"),
    "far_row": (lambda: with_sheet('<row r="1048576"><c r="C1048576"><v>1</v></c></row>'), "workbook_too_large"),
    "text_repeated": (lambda: with_strings(["x" * 900_000], REPEATED), "workbook_too_large"),
    "long_cell": (lambda: with_sheet(f'<row r="9"><c r="A9" t="inlineStr">{LONG_TEXT}</c></row>'), "cell_too_large"),
    "long_attribute": (lambda: with_sheet(ENDLESS_ATTRIBUTE), "unpacked_too_large"),
    "formula": (lambda: with_sheet(FORMULA), "formula_present"),
    "error": (lambda: with_sheet('<row r="9"><c r="A9" t="e"><v>#REF!</v></c></row>'), "cell_error"),
    "other_document": (lambda: packed({"word/document.xml": "<x/>"}), "workbook_structure"),
}  # fmt: skip


def parquet(query: str, options: str = "") -> bytes:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "made.parquet"
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{options})")
        return path.read_bytes()


def good_parquet() -> bytes:
    return parquet(f"SELECT '{KEY}' AS person, 3 AS intake")


def long_footer() -> bytes:
    return b"PAR1" + b"\0" * 20_000_000 + struct.pack("<I4s", 20_000_000, b"PAR1")


FLAT = "SELECT i || repeat(' ', 100000) AS person, 3 AS intake FROM range(1000) AS t(i)"
PARQUETS: dict[str, tuple[Callable[[], bytes], str]] = {
    "cut_off": (lambda: good_parquet()[:-20], "parquet_structure"),
    "no_start": (lambda: b"XXXX" + good_parquet()[4:], "parquet_structure"),
    "footer_past_the_start": (
        lambda: good_parquet()[:-8] + struct.pack("<I4s", 1 << 31, b"PAR1"), "parquet_structure"
    ),
    "footer_of_noughts": (lambda: b"PAR1" + b"\0" * 50 + struct.pack("<I4s", 50, b"PAR1"), "parquet_structure"),
    "long_footer": (long_footer, "metadata_too_large"),
    "only_magic": (lambda: b"PAR1", "parquet_structure"),
    "bomb": (lambda: parquet(FLAT, ", COMPRESSION zstd"), "unpacked_too_large"),
    "too_many_columns": (
        lambda: parquet("SELECT " + ", ".join(f"1 AS c{n}" for n in range(5001))), "too_many_columns"
    ),
    "values_broken": (lambda: good_parquet()[:4] + b"\xff" * 40 + good_parquet()[44:], "parquet_structure"),
}  # fmt: skip

LINES = "x\n" * 5_000_000
CSVS: dict[str, tuple[Callable[[], bytes], str]] = {
    "long_field": (lambda: f"person,intake\n{KEY},{'x' * 10_000_000}\n".encode(), "cell_too_large"),
    "long_field_of_lines": (lambda: f'person,intake\n{KEY},"{LINES}"\n'.encode(), "cell_too_large"),
    "nul": (lambda: GOOD.encode() + b"\0\n", "encoding"),
    "utf_16": (lambda: GOOD.encode("utf-16"), "encoding"),
    "quote_never_closed": (lambda: GOOD.encode() + b'"x,3\n', "csv_structure"),
    "gzip": (lambda: gzip.compress(b"x" * 10_000_000), "encoding"),
    "workbook": (lambda: plain_workbook(), "encoding"),
    "too_many_columns": (lambda: ",".join(f"c{n}" for n in range(5001)).encode() + b"\n", "too_many_columns"),
    "long_header": (lambda: b"x" * 10_000_000, "csv_structure"),
}


def manifest(files: dict[str, bytes], sequence: int = 1) -> dict[str, object]:
    entries = [
        {"name": name, "rows": 1, "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    ]
    return {
        "manifest_version": 1,
        "clinic_id": CLINIC,
        "export_sequence": sequence,
        "export_kind": "full",
        "reporting_period": "2026-08",
        "files": entries,
    }


def put(landing: Path, name: str, files: dict[str, bytes], sequence: int = 1) -> Path:
    folder = landing / name
    folder.mkdir(parents=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)
    (folder / "manifest.json").write_text(json.dumps(manifest(files, sequence)))
    return folder


def make_clinic(root: Path) -> Path:
    folder = root / "systems" / "small"
    folder.mkdir(parents=True)
    (folder / "system.yml").write_text(SYSTEM)
    (folder / "columns.csv").write_text(COLUMNS)
    (folder / "codes.csv").write_text("codes,source_code,code\n")
    (root / "clinics").mkdir()
    (root / "clinics" / f"{CLINIC}.yml").write_text("title: Made up\nsystem: small\n")
    return root / "home" / "landing" / CLINIC


def received(root: Path) -> tuple[dict[str, list[str]], int]:
    """Rules by folder, and the peak of memory in megabytes, of a process that receives everything in landing."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(root), CLINIC], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found, memory = json.loads(done.stdout.splitlines()[-1])
    names = {told_folder(path.name): path.name for path in (root / "home" / "landing" / CLINIC).iterdir()}
    return {names[folder]: rules for folder, rules in found.items()}, memory


def check_all(root: Path, ending: str, cases: dict[str, tuple[Callable[[], bytes], str]]) -> None:
    """All cases in one landing folder beside a good delivery: each ends with its rule and no other."""
    landing = make_clinic(root)
    expected = {name: [rule] for name, (_, rule) in cases.items()}
    for name, (make, _) in cases.items():
        put(landing, name, {f"people.{ending}": make()})
    put(landing, "good", {"people.csv": GOOD.encode()})
    expected["good"] = []
    found, memory = received(root)
    assert {name: [rule for rule in rules if rule != "row_count_mismatch"] for name, rules in found.items()} == expected
    assert memory < MOST_MEMORY_MB
    beside = [path for path in (root / "home").rglob("*") if path.is_file() and landing not in path.parents]
    assert beside and all(path.suffix == ".json" for path in beside)
    assert not any(CANARY in path.read_text() for path in beside)


def test_workbooks(tmp_path: Path) -> None:
    check_all(tmp_path, "xlsx", WORKBOOKS)


def test_parquet(tmp_path: Path) -> None:
    check_all(tmp_path, "parquet", PARQUETS)


def test_csv(tmp_path: Path) -> None:
    check_all(tmp_path, "csv", CSVS)


def zipped() -> bytes:
    return packed({"people.csv": GOOD, "manifest.json": json.dumps(manifest({"people.csv": GOOD.encode()}))})


def test_what_lies_in_landing_beside_folders(tmp_path: Path) -> None:
    landing = make_clinic(tmp_path)
    landing.mkdir(parents=True)
    good = put(landing, "good", {"people.csv": GOOD.encode()})
    for name, content in (("zip", zipped()), ("gzip", gzip.compress(b"x")), ("text", b"x")):
        (landing / name).write_bytes(content)
    (landing / "link").symlink_to(good)
    outside = tmp_path / "outside.csv"
    outside.write_text(GOOD)
    (put(landing, "link_in_folder", {"people.csv": GOOD.encode()}) / "people.csv").unlink()
    (landing / "link_in_folder" / "people.csv").symlink_to(outside)
    (put(landing, "folder_in_folder", {"people.csv": GOOD.encode()}) / "more").mkdir()
    os.mkfifo(put(landing, "pipe", {"people.csv": GOOD.encode()}) / "pipe")
    many = put(landing, "many", {"people.csv": GOOD.encode()})
    for number in range(600):
        (many / f"people_{number}.csv").write_text(GOOD)
    large = put(landing, "large", {"people.csv": GOOD.encode()})
    os.truncate(large / "people.csv", 3_000_000_000)
    found, memory = received(tmp_path)
    assert memory < MOST_MEMORY_MB
    assert {name: set(rules) for name, rules in found.items()} == {
        "good": set(),
        "zip": {"manifest_missing", "archive_not_read"},
        "gzip": {"manifest_missing", "archive_not_read"},
        "text": {"manifest_missing", "folder_expected"},
        "link": {"manifest_missing", "folder_expected"},
        "link_in_folder": {"file_not_regular"},
        "folder_in_folder": {"file_not_regular"},
        "pipe": {"file_not_regular"},
        "many": {"too_many_files"},
        "large": {"file_too_large"},
    }


@pytest.mark.parametrize(
    "name", ["../people.csv", "/etc/passwd", "people.csv\0", "a/people.csv", "..", "C:\\people.csv", "people\u202e.csv"]
)
def test_a_manifest_names_files_of_its_folder_alone(tmp_path: Path, name: str) -> None:
    folder = put(make_clinic(tmp_path), "drop", {"people.csv": GOOD.encode()})
    content = manifest({name: GOOD.encode()})
    (folder / "manifest.json").write_text(json.dumps(content))
    found, _ = received(tmp_path)
    assert "manifest_invalid" in found["drop"]


def test_a_manifest_is_neither_deep_nor_long(tmp_path: Path) -> None:
    landing = make_clinic(tmp_path)
    for name, text in (("deep", "[" * 900_000), ("long", " " * 2_000_000), ("noughts", "\0" * 100)):
        (put(landing, name, {"people.csv": GOOD.encode()}) / "manifest.json").write_text(text)
    found, memory = received(tmp_path)
    assert {name: rules[:1] for name, rules in found.items()} == {
        name: ["manifest_invalid"] for name in ("deep", "long", "noughts")
    }
    assert memory < MOST_MEMORY_MB


def limited(check: Callable[[Path, Settings], int], path: Path, **changed: int) -> str:
    with pytest.raises(ClinicOutcomesError) as caught:
        check(path, Settings(home=Path(), **changed))
    (problem,) = caught.value.problems
    return problem.rule


def test_gzip_is_unpacked_no_further_than_the_limits(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson.gz"
    for content, rule, limit in (
        (gzip.compress(b"x" * 20_000_000), "unpacked_too_large", {}),
        (gzip.compress(os.urandom(3_000_000)), "unpacked_too_large", {"largest_unpacked_mb": 2}),
        (gzip.compress(gzip.compress(b"x")), "nested_archive", {}),
        (gzip.compress(zipped()), "nested_archive", {}),
        (gzip.compress(b"x" * 1000)[:-9], "gzip_structure", {}),
        (b"x" * 1000, "gzip_structure", {}),
    ):
        path.write_bytes(content)
        assert limited(limits.check_gzip, path, **limit) == rule
    path.write_bytes(gzip.compress(b"x" * 5_000_000))
    assert limits.check_gzip(path, Settings(home=Path())) == 5_000_000


def test_lines_of_json_are_neither_long_nor_deep(tmp_path: Path) -> None:
    path, deepest = tmp_path / "x.ndjson", 40
    for text, rule in (
        (b"[" * 41 + b"]" * 41, "json_too_deep"),
        (b'{"a":' * 1_000_000, "json_too_deep"),
        (b'{"a":"\\""' + b',"b":[' * 45, "json_too_deep"),
        (b'{"a":"' + b"x" * 10_000_001 + b'"}', "line_too_long"),
        (b'{"a":"\xff"}', "encoding"),
        ('{"a":"b"}'.encode("utf-16"), "encoding"),
    ):
        path.write_bytes(b'{"a":1}\n' + text)
        assert limited(limits.check_json_lines, path) == rule
    path.write_bytes(b"[" * deepest + b"]" * deepest + b'\n\n{"a":"' + b"[" * 100 + b'"}\n' + b"[]," * 100)
    assert limits.check_json_lines(path, Settings(home=Path())) == 3


def naughty() -> list[str]:
    """The list's strings that have a value, and that XML can say."""
    texts = json.loads((external("naughty-strings") / "blns.json").read_text(encoding="utf-8"))
    unsaid = {chr(n) for n in range(32)} - {"\t", "\n"} | {"\ufffe", "\uffff"}
    return [text for text in texts if text.strip(" ") and not set(text) & unsaid]


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_naughty_strings_are_read_as_delivered_in_every_format(tmp_path: Path, ending: str) -> None:
    make_clinic(tmp_path)
    settings = Settings(home=tmp_path, systems=tmp_path / "systems")
    system, texts, path = load_system("small", settings), naughty(), tmp_path / f"people.{ending}"
    assert len(texts) > 450
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE given (person VARCHAR, intake VARCHAR)")
        connection.executemany("INSERT INTO given VALUES (?, ?)", [(text, "1") for text in texts])
        write_file(connection, path, system, {"people": "given"})
        assert check_file(connection, path, system, settings) == len(texts)
        rows = source_rows(connection, {path.name: path}, system, "people")
        found = connection.execute(f"SELECT person, source_line FROM {rows.sql} ORDER BY source_line").fetchall()
    assert [(text, line) for text, line in found] == [(text, line) for line, text in enumerate(texts, start=2)]


def test_every_file_of_the_csv_spectrum_is_received_or_refused_by_name(tmp_path: Path) -> None:
    landing = make_clinic(tmp_path)
    files = sorted((external("csv-spectrum") / "csvs").glob("*.csv"))
    assert len(files) > 10
    for number, file in enumerate(files):
        put(landing, f"drop_{number}", {"people.csv": file.read_bytes()}, number + 1)
    found, _ = received(tmp_path)
    assert set(found) == {f"drop_{number}" for number in range(len(files))}
    assert {rule for rules in found.values() for rule in rules} <= {"row_count_mismatch", "csv_structure"}
