"""Workbooks: what cells mean as text, what is refused, and each place in which a workbook can hide something."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb
import pytest
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.packaging.custom import StringProperty
from openpyxl.styles import Font
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from clinic_outcomes.admit.detectors import RULES
from clinic_outcomes.formats import check_file, leftovers, read_header, source_rows, write_file
from clinic_outcomes.mapping import CsvDialect, Source, System
from clinic_outcomes.problems import ClinicOutcomesError, Problem
from clinic_outcomes.settings import Settings
from tests.support.workbooks import Sheets, book, edited, packed, part, saved

CANARY = "Ottilie Quack"
SETTINGS = Settings(home=Path())
SYSTEM = System(
    name="made_up",
    folder=Path(),
    title="Made up",
    description="",
    format="excel",
    other_formats=(),
    csv=CsvDialect(decimal_separator=","),
    missing=("", "-"),
    list_separator=";",
    sources={
        "people": Source(file="book*.xlsx", sheet="People"),
        "visits": Source(file="book*.xlsx", sheet="Visits made"),
    },
    key_patterns={},
    columns=(),
    codes={},
    fingerprint="",
)
PLAIN: Sheets = {"People": [["person", "age"], ["p1", 34], ["p2", 51]], "Visits made": [["visit", "mg"], ["v1", 32.5]]}
FIRST, BOOK, STYLES = "xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "book_1.xlsx"


def rows(path: Path, source: str = "people") -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        found = source_rows(connection, {path.name: path}, SYSTEM, source)
        return connection.execute(f"SELECT * EXCLUDE (source_file, source_item) FROM {found.sql}").fetchall()


def checked(path: Path, settings: Settings = SETTINGS) -> int:
    with duckdb.connect() as connection:
        return check_file(connection, path, SYSTEM, settings)


def left_over(path: Path) -> list[tuple[str, str]]:
    with duckdb.connect() as connection:
        found = leftovers(connection, path, SYSTEM)
    assert not any(CANARY in leftover.place or "Ottilie" in leftover.place for leftover in found)
    assert {leftover.rule for leftover in found} <= set(RULES)
    return [(leftover.rule, leftover.place) for leftover in found]


def problem(path: Path, settings: Settings = SETTINGS) -> Problem:
    with pytest.raises(ClinicOutcomesError) as caught:
        checked(path, settings)
    (found,) = caught.value.problems
    assert found.file == path.name and found.advice and "Ottilie" not in found.model_dump_json()
    return found


def test_cells_read_as_the_system_s_csv_would_have_them(path: Path) -> None:
    sheets = {
        "People": [["text", "number", "other"]],
        "Visits made": [["visit"], ["v1"]],
    }
    cells: list[tuple[object, str]] = [
        (7, "7"),
        (-3.0, "-3"),
        (32.5, "32,5"),
        (0.1 + 0.2, "0,3"),
        (1e-7, "0,0000001"),
        (123456789012, "123456789012"),
        (True, "1"),
        (False, "0"),
        (" a ", " a "),
        ("007", "007"),
        ("1.50", "1.50"),
        ("R&D <x>", "R&D <x>"),
        ("zwei\nZeilen", "zwei\nZeilen"),
        (date(2024, 1, 31), "2024-01-31"),
        (datetime(2024, 1, 31, 10, 5, 3), "2024-01-31T10:05:03"),
        (time(10, 30), "10:30:00"),
        (timedelta(hours=30, minutes=1), "30:01:00"),
        (None, ""),
    ]
    sheets["People"] += [["x", value, "y"] for value, _ in cells]  # type: ignore[list-item]
    path.write_bytes(saved(book(sheets)))
    assert checked(path) == len(cells) + 1
    assert rows(path) == [("x", text, "y", line) for line, (_, text) in enumerate(cells, start=2)]
    assert left_over(path) == []


def test_rows_without_a_value_are_no_records_and_lines_are_the_sheet_s(path: Path) -> None:
    sheets = {"People": [["person", "age"], [None], ["p1", 34], [None], [None, 5], [None]], "Visits made": [["visit"]]}
    path.write_bytes(saved(book(sheets)))
    assert checked(path) == 2
    assert rows(path) == [("p1", "34", 3), ("", "5", 5)]
    assert rows(path, "visits") == []


@pytest.mark.parametrize(
    ("sheets", "rule"),
    [
        ({"People": [["person"]]}, "sheet_missing"),
        ({"people": [["person"]], "Visits made": [["visit"]]}, "sheet_missing"),
        ({"People": [], "Visits made": [["visit"]]}, "workbook_structure"),
        ({"People": [[None], ["person"], ["p1"]], "Visits made": [["visit"]]}, "workbook_structure"),
        ({"People": [[None, "person"], [1, "p1"]], "Visits made": [["visit"]]}, "workbook_structure"),
        ({"People": [["person"], ["p1", CANARY]], "Visits made": [["visit"]]}, "workbook_structure"),
        ({"People": [["person", 5]], "Visits made": [["visit"]]}, "workbook_structure"),
        ({"People": [["person", "Person"]], "Visits made": [["visit"]]}, "column_duplicate"),
        ({"People": [["person", "source_line"]], "Visits made": [["visit"]]}, "column_duplicate"),
        ({"People": [["person"], ["#N/A"]], "Visits made": [["visit"]]}, "cell_error"),
        ({"People": [["person"], [f'="{CANARY}"']], "Visits made": [["visit"]]}, "formula_present"),
    ],
)
def test_a_sheet_without_its_shape_is_refused(path: Path, sheets: Sheets, rule: str) -> None:
    path.write_bytes(saved(book(sheets)))
    assert problem(path).rule == rule


def test_a_refusal_of_a_cell_names_its_row(path: Path) -> None:
    path.write_bytes(saved(book({"People": [["person"], ["p1"], ["=1+1"]], "Visits made": [["visit"]]})))
    assert "row 3" in problem(path).message


def test_what_is_written_is_read_again_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "book_1.xlsx", tmp_path / "book_2.xlsx"
    given = {
        "people": "(FROM (VALUES ('p1', '34', '0,125', '1,50'), ('p2', NULL, '-7', '2'), ('p<3>', '0', NULL, 'é')) "
        "AS t(person, age, share, text))",
        "visits": "(SELECT 'v' || i AS visit, (i % 7)::VARCHAR AS number FROM range(25000) AS t(i) ORDER BY i)",
    }
    with duckdb.connect() as connection:
        for path in (first, second):
            assert write_file(connection, path, SYSTEM, given) == 25_003
    assert first.read_bytes() == second.read_bytes()
    assert checked(first) == 25_003
    assert rows(first) == [("p1", "34", "0,125", "1,50", 2), ("p2", "", "-7", "2", 3), ("p<3>", "0", "", "é", 4)]
    visits = rows(first, "visits")
    assert visits[:1] == [("v0", "0", 2)] and visits[-1:] == [("v24999", str(24_999 % 7), 25_001)]
    assert left_over(first) == []
    sheet = part(first.read_bytes(), FIRST)
    # Numbers are cells of numbers, keys are texts; a column with one text among numbers is text.
    assert '<c r="B2"><v>34</v></c>' in sheet and '<c r="C2"><v>0.125</v></c>' in sheet
    assert '<c r="D3" t="inlineStr">' in sheet and "<f>" not in sheet


def hide_properties(made: Workbook) -> None:
    made.properties.creator = CANARY


def hide_title(made: Workbook) -> None:
    made.properties.title = CANARY


def hide_own_properties(made: Workbook) -> None:
    made.custom_doc_props.append(StringProperty(name="clinic", value=CANARY))


def hide_comment(made: Workbook) -> None:
    made["People"]["A2"].comment = Comment(CANARY, CANARY)


def hide_link(made: Workbook) -> None:
    made["People"]["A2"].hyperlink = f"https://example.org/{CANARY}"


def hide_name(made: Workbook) -> None:
    made.defined_names["who"] = DefinedName("who", attr_text=f'"{CANARY}"')


def hide_rule_of_cells(made: Workbook) -> None:
    rule = DataValidation(type="list", formula1=f'"{CANARY},other"')
    made["People"].add_data_validation(rule)
    rule.add("B2")


def hide_header(made: Workbook) -> None:
    made["People"].oddHeader.center.text = CANARY


def hide_footer(made: Workbook) -> None:
    made["People"].oddFooter.left.text = CANARY


def hide_sheet(made: Workbook) -> None:
    made.create_sheet("Ottilie").append(["name", CANARY])


def hide_hidden_sheet(made: Workbook) -> None:
    sheet = made.create_sheet("Ottilie")
    sheet.append([CANARY])
    sheet.sheet_state = "veryHidden"


def hide_runs(made: Workbook) -> None:
    made["People"]["A2"] = CellRichText("p", TextBlock(InlineFont(b=True), CANARY))


def hide_chart(made: Workbook) -> None:
    chart = BarChart()
    chart.title = CANARY
    chart.add_data(Reference(made["People"], min_col=2, min_row=1, max_row=3))
    made["People"].add_chart(chart, "D1")


def hide_table(made: Workbook) -> None:
    made["People"].add_table(Table(displayName="Ottilie", ref="A1:B3"))


def hide_number_format(made: Workbook) -> None:
    made["People"]["B2"].number_format = f'0 "{CANARY}"'


def hide_font(made: Workbook) -> None:
    made["People"]["B2"].font = Font(name=CANARY)


def hide_protection(made: Workbook) -> None:
    made["People"].protection.password = CANARY


def hide_filter(made: Workbook) -> None:
    made["People"].auto_filter.ref = "A1:B3"
    made["People"].auto_filter.add_filter_column(0, [CANARY])


def hide_code_name(made: Workbook) -> None:
    made["People"].sheet_properties.codeName = "Ottilie"


def hide_print_title(made: Workbook) -> None:
    made["People"].print_title_rows = "1:1"


PLACES: dict[str, tuple[Callable[[Workbook], None], str]] = {
    "properties": (hide_properties, "metadata_present"),
    "title": (hide_title, "metadata_present"),
    "own_properties": (hide_own_properties, "metadata_present"),
    "comment": (hide_comment, "comment_present"),
    "link": (hide_link, "metadata_present"),
    "name": (hide_name, "metadata_present"),
    "rule_of_cells": (hide_rule_of_cells, "metadata_present"),
    "header": (hide_header, "metadata_present"),
    "footer": (hide_footer, "metadata_present"),
    "sheet": (hide_sheet, "sheet_unknown"),
    "hidden_sheet": (hide_hidden_sheet, "sheet_unknown"),
    "runs": (hide_runs, "metadata_present"),
    "chart": (hide_chart, "metadata_present"),
    "table": (hide_table, "metadata_present"),
    "number_format": (hide_number_format, "metadata_present"),
    "font": (hide_font, "metadata_present"),
    "protection": (hide_protection, "metadata_present"),
    "filter": (hide_filter, "metadata_present"),
    "code_name": (hide_code_name, "metadata_present"),
    "print_title": (hide_print_title, "metadata_present"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_cell_of_a_mapped_sheet_is_left_over(path: Path, place: str) -> None:
    hide, rule = PLACES[place]
    made = book(PLAIN)
    path.write_bytes(saved(made))
    assert left_over(path) == []
    hide(made)
    path.write_bytes(saved(made, keep_properties=place in ("properties", "title")))
    assert rule in {found for found, _ in left_over(path)}


SHEET_END = "</sheetData>"
HIDDEN: dict[str, tuple[str, str, str]] = {
    "comment_in_xml": (FIRST, SHEET_END, f"<!-- {CANARY} -->{SHEET_END}"),
    "comment_in_xml_with_rows": (FIRST, SHEET_END, f'<!-- {CANARY} <row r="9"></row>-->{SHEET_END}'),
    "instruction": (FIRST, SHEET_END, f"<?note {CANARY}?>{SHEET_END}"),
    "text_between_elements": (FIRST, SHEET_END, f"{CANARY}{SHEET_END}"),
    "phonetic_text": (
        FIRST, "<is><t>p1</t></is>", f'<is><t>p1</t><rPh sb="0" eb="1"><t>{CANARY}</t></rPh></is>'
    ),
    "prefix": (FIRST, "<worksheet ", '<worksheet xmlns:Ottilie="http://purl.org/dc/terms/" '),
    "namespace": (FIRST, "<worksheet ", '<worksheet xmlns:r="Ottilie-Quack" '),
    "attribute": (FIRST, '<row r="2"', f'<row r="2" spans="{CANARY}"'),
    "attribute_of_no_list": (FIRST, '<row r="2"', f'<row r="2" note="{CANARY}"'),
    "extension": (FIRST, SHEET_END, f'{SHEET_END}<extLst><ext uri="{CANARY}"/></extLst>'),
    "folder_of_saving": (BOOK, "<sheets>", f'<fileSharing userName="{CANARY}"/><sheets>'),
    "style_name": (STYLES, 'name="Normal"', f'name="{CANARY}"'),
    "alternative_text_in_cdata": (FIRST, SHEET_END, f"<![CDATA[{CANARY}]]>{SHEET_END}"),
}  # fmt: skip


@pytest.mark.parametrize("place", HIDDEN)
def test_what_a_program_would_not_write_is_left_over_too(path: Path, place: str) -> None:
    name, before, after = HIDDEN[place]
    content = saved(book(PLAIN))
    text = part(content, name)
    assert before in text
    path.write_bytes(edited(content, {name: text.replace(before, after, 1)}))
    assert {rule for rule, _ in left_over(path)} == {"metadata_present"}
    assert checked(path) == 3


PARTS = {
    "custom_xml": ("customXml/item1.xml", "metadata_present"),
    "picture": ("xl/media/image1.png", "metadata_present"),
    "printer": ("xl/printerSettings/printerSettings1.bin", "metadata_present"),
    "pivot_cache": ("xl/pivotCache/pivotCacheRecords1.xml", "metadata_present"),
    "threaded_comment": ("xl/threadedComments/threadedComment1.xml", "comment_present"),
    "person": ("xl/persons/person.xml", "comment_present"),
    "thumbnail": ("docProps/thumbnail.jpeg", "metadata_present"),
    "unlisted_sheet": ("xl/worksheets/sheet9.xml", "metadata_present"),
    "theme": ("xl/theme/theme1.xml", "metadata_present"),
    "any": ("Ottilie.txt", "metadata_present"),
}


@pytest.mark.parametrize("name", PARTS)
def test_a_part_of_no_list_is_left_over(path: Path, name: str) -> None:
    part_name, rule = PARTS[name]
    path.write_bytes(edited(saved(book(PLAIN)), {part_name: f"<x>{CANARY}</x>"}))
    assert rule in {found for found, _ in left_over(path)}


def test_a_shared_text_that_no_cell_shows_is_left_over(path: Path) -> None:
    sheet = '<row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="2"><c r="A2" t="s"><v>1</v></c></row>'
    content = saved(book({"People": [["x"]], "Visits made": [["visit"]]}))
    rows_before = part(content, FIRST).partition("<sheetData>")[2].partition(SHEET_END)[0]
    relation = (
        '<Relationship Id="rId99" Target="sharedStrings.xml" '
        'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/></Relationships>'
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    parts = {
        FIRST: part(content, FIRST).replace(rows_before, sheet),
        "xl/_rels/workbook.xml.rels": part(content, "xl/_rels/workbook.xml.rels").replace("</Relationships>", relation),
    }
    for texts, expected in ((["person", "p1"], []), (["person", "p1", CANARY], ["texts that no cell shows"])):
        strings = "".join(f"<si><t>{text}</t></si>" for text in texts)
        path.write_bytes(edited(content, {**parts, "xl/sharedStrings.xml": f'<sst xmlns="{main}">{strings}</sst>'}))
        assert checked(path) == 1 and rows(path) == [("p1", 2)]
        assert [place for _, place in left_over(path)] == expected


def test_a_time_in_the_archive_is_left_over(path: Path) -> None:
    made = book(PLAIN)
    made.save(path)
    assert ("metadata_present", "a time, a comment or a field in the archive's directory") in left_over(path)


def test_a_sheet_of_no_list_is_told_by_its_place(path: Path) -> None:
    made = book(PLAIN)
    made.create_sheet("Ottilie", 1).sheet_state = "hidden"
    path.write_bytes(saved(made))
    assert ("sheet_unknown", "sheet 2 of the workbook, hidden") in left_over(path)


def test_rows_that_a_program_would_not_write_are_read_alike(path: Path) -> None:
    content = saved(book(PLAIN))
    text = part(content, FIRST)
    plain = '<row r="2"><c r="A2" t="inlineStr"><is><t>p1</t></is></c><c r="B2" t="n"><v>34</v></c></row>'
    assert plain in text
    other = "<row r='2' ><c t='inlineStr' r='A2' ><is ><t>p1</t></is></c>\n<c r='B2'><v >34</v></c></row >"
    path.write_bytes(edited(content, {FIRST: text.replace(plain, other)}))
    assert checked(path) == 3 and rows(path) == [("p1", "34", 2), ("p2", "51", 3)]
    assert left_over(path) == []


@pytest.mark.parametrize(
    "row",
    [
        '<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>',
        '<row r="2"><c r="B2"><v>1</v></c><c r="A2"><v>2</v></c></row>',
        '<row r="2"><c r="A7"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c></row>',
        '<row r="2" ht="15"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>',
        '<row r="2" ht="15"><c r="A2"><v>1</v><v>2</v></c></row>',
        '<row r="2" ht="15"><c r="A7"><v>1</v></c></row>',
    ],
)
def test_a_cell_has_one_place_and_one_value(path: Path, row: str) -> None:
    content = saved(book({"People": [["person"]], "Visits made": [["visit"]]}))
    path.write_bytes(edited(content, {FIRST: part(content, FIRST).replace(SHEET_END, row + SHEET_END)}))
    assert problem(path).rule == "workbook_structure"


def test_what_is_no_workbook_is_refused(path: Path) -> None:
    for content, rule in (
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + CANARY.encode(), "encrypted"),
        (CANARY.encode(), "archive_structure"),
        (packed({"a.xml": CANARY}), "workbook_structure"),
        (saved(book(PLAIN))[:-30], "archive_structure"),
        (edited(saved(book(PLAIN)), {FIRST: f"<worksheet>{CANARY}"}), "workbook_structure"),
        (edited(saved(book(PLAIN)), {FIRST: None}), "workbook_structure"),
    ):
        path.write_bytes(content)
        assert problem(path).rule == rule


def test_a_header_is_read_once_and_a_changed_file_again(path: Path) -> None:
    with duckdb.connect() as connection:
        for name in ("first", "second"):
            path.write_bytes(saved(book({"People": [[name], [name]], "Visits made": [["visit"]]})))
            assert read_header(connection, path, SYSTEM, "people") == (name,)
