"""What exports look like in practice: other formats, typed dates, slips, and whole columns that cannot be read."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from clinic_outcomes.prepare import Order, prepare
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from tests.prepare.clinic import PEOPLE, SYSTEM, VISITS, by_person, clinic_key, delivered

MILLER, DOE = (clinic_key("p", "patient_id", mrn) for mrn in ("1001", "1002"))


def rewrite(settings: Settings, name: str, before: str, after: str) -> None:
    """Change a file of the made-up system."""
    path = settings.systems / "made_up" / name
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_column_of_unreadable_dates_stops_it(settings: Settings, order: Order) -> None:
    visits = VISITS.replace("01/20/2025", "20.01.2025")
    (order.export / "visits_now.csv").write_text(visits)
    with pytest.raises(
        ClinicOutcomesError, match=r"dates_unreadable: source visits: 2 of 2 values .* %m/%d/%Y"
    ) as told:
        prepare(order, settings)
    assert told.value.problems[0].column == "day"
    assert "20.01" not in str(told.value) and not order.out.exists()


def test_over_half_is_too_much_and_less_is_counted(settings: Settings, order: Order) -> None:
    (order.export / "visits_now.csv").write_text(VISITS + "11;1002;6;3 Feb;2;ket;35,5;SITE-1;\n")
    with pytest.raises(ClinicOutcomesError, match="2 of 3 values"):
        prepare(order, settings)


def test_dates_out_of_all_reach_are_left_out(settings: Settings, order: Order) -> None:
    (order.export / "visits_now.csv").write_text(VISITS.replace("31.01.2025", "01/31/2099"))
    (change,) = [c for c in prepare(order, settings).changes if (c.source, c.column) == ("visits", "day")]
    assert (change.values, change.delivered) == (2, 1)


def test_placeholders_are_neither_ages_nor_years(settings: Settings, order: Order) -> None:
    (order.export / "people_now.csv").write_text(PEOPLE.replace("01/01/1930", "01/01/1900"))
    (order.export / "visits_now.csv").write_text(VISITS.replace("31.01.2025", "01/31/1999"))
    prepare(order, settings)
    assert by_person(order, "people")[DOE]["age"] == ""
    assert by_person(order, "visits")[DOE]["year"] == ""


def test_numbers_that_spreadsheets_make_of_dates_stop_it(settings: Settings, order: Order) -> None:
    visits = VISITS.replace("01/20/2025", "45677").replace("31.01.2025", "45688")
    (order.export / "visits_now.csv").write_text(visits)
    with pytest.raises(ClinicOutcomesError, match="dates_unreadable"):
        prepare(order, settings)


def test_a_column_of_days_stays_and_a_year_among_dates_does_not(settings: Settings, order: Order) -> None:
    visits = VISITS.replace("01/20/2025", "11").replace("31.01.2025", "-3")
    (order.export / "visits_now.csv").write_text(visits)
    # Years cannot be told from such days.
    rewrite(settings, "prepare.yml", "  visits.year: {period_of: day}\n", "")
    prepare(order, settings)
    assert {person: row["day"] for person, row in by_person(order, "visits").items()} == {MILLER: "11", DOE: "-3"}
    (order.export / "visits_now.csv").write_text(VISITS.replace("31.01.2025", "2025"))
    again = replace(order, out=order.out.with_name("again"))
    prepare(again, settings)
    assert {person: row["day"] for person, row in by_person(again, "visits").items()} == {MILLER: "11", DOE: ""}


def test_times_of_the_day_are_cut_off(settings: Settings, order: Order) -> None:
    visits = VISITS.replace("01/20/2025", "01/20/2025 11:59:59 PM").replace("31.01.2025", "02/11/2025T23:59:00-06:00")
    (order.export / "visits_now.csv").write_text(visits)
    prepare(order, settings)
    assert {person: row["day"] for person, row in by_person(order, "visits").items()} == {MILLER: "11", DOE: "11"}


def test_dates_with_names_of_months(settings: Settings, order: Order) -> None:
    (order.export / "visits_now.csv").write_text(VISITS.replace("31.01.2025", "11 Feb 2025"))
    rewrite(settings, "prepare.yml", "'%m/%d/%Y'", "'%m/%d/%Y', '%d %b %Y'")
    prepare(order, settings)
    assert {person: row["day"] for person, row in by_person(order, "visits").items()} == {MILLER: "11", DOE: "11"}


def test_new_codes_of_the_agreed_form_are_delivered(settings: Settings, order: Order) -> None:
    # The network counts them as unmapped; a word could be a name.
    (order.export / "people_now.csv").write_text(PEOPLE.replace(";X;", ";87;"))
    prepare(order, settings)
    assert by_person(order, "people")[DOE]["sex"] == "87"


def test_three_digits_of_a_zip_code(settings: Settings, order: Order) -> None:
    rewrite(settings, "columns.csv", "people,sex,", "people,zip3,,,,,\npeople,sex,")
    rewrite(settings, "prepare.yml", "columns:\n", "columns:\n  people.zip3: {from: zip}\n")
    lines = zip(PEOPLE.splitlines(), ("zip", "78296", "03601-1234", "nowhere"), strict=True)
    (order.export / "people_now.csv").write_text("".join(f"{line};{area}\n" for line, area in lines))
    prepare(order, settings)
    # 036 has fewer than 20,000 people.
    assert sorted(row["zip3"] for row in delivered(order, "people")) == ["", "", "782"]


def test_the_export_must_have_what_the_instructions_read(settings: Settings, order: Order) -> None:
    (order.export / "people_now.csv").write_text(PEOPLE.replace("birth_date", "born"))
    with pytest.raises(ClinicOutcomesError, match="column_missing: source people: the export has no column birth_date"):
        prepare(order, settings)


def test_tokens_are_the_same_however_a_clinic_writes(settings: Settings, order: Order) -> None:
    prepare(order, settings)
    token = by_person(order, "people")[MILLER]["token"]
    people = PEOPLE.replace("Ann Miller;03/31/1980", "ANN  MÍLLER;1980-03-31")
    (order.export / "people_now.csv").write_text(people)
    rewrite(settings, "prepare.yml", "dates: ['%m/%d/%Y']", "dates: ['%m/%d/%Y', '%Y-%m-%d']")
    again = replace(order, out=order.out.with_name("again"))
    prepare(again, settings)
    assert by_person(again, "people")[MILLER]["token"] == token != ""


SECRETS = {
    "network_key_missing": None,
    "keys_equal": "a" * 64,
    "key_unreadable": "b" * 63,
}


@pytest.mark.parametrize("rule", SECRETS)
def test_secrets_that_do_not_do(settings: Settings, order: Order, tmp_path: Path, rule: str) -> None:
    text = SECRETS[rule]
    if text:
        (tmp_path / "network.key").write_text(text)
    order = order if text else replace(order, network_key=None)
    with pytest.raises(ClinicOutcomesError, match=rule):
        prepare(order, settings)


UNCLEAR = {"'%d/%m/%Y', '%m/%d/%Y'": "cannot be told apart", "'%m/%d/%y'": "which century", "": "has %Y, %m"}


@pytest.mark.parametrize("dates", UNCLEAR)
def test_forms_of_dates_that_could_mislead(settings: Settings, order: Order, dates: str) -> None:
    rewrite(settings, "prepare.yml", "'%m/%d/%Y'", dates)
    with pytest.raises(ClinicOutcomesError, match=UNCLEAR[dates]):
        prepare(order, settings)


def test_every_file_that_the_system_needs_must_be_there(settings: Settings, order: Order) -> None:
    path = order.export / "visits_now.csv"
    path.rename(path.with_suffix(".csv.gz"))
    with pytest.raises(ClinicOutcomesError, match=r"file_missing: .* visits, named visits\*.csv"):
        prepare(order, settings)
    path.with_suffix(".csv.gz").rename(path)
    (order.export / "calls_now.csv").unlink()
    prepared = prepare(order, settings)
    assert prepared.files_not_read == 1  # readme.txt
    assert not list(order.out.glob("calls*"))


def test_typed_dates_of_parquet(settings: Settings, order: Order) -> None:
    prepare(order, settings)
    rewrite(settings, "system.yml", "format: csv\n", "format: csv\nother_formats: [parquet]\n")
    rewrite(settings, "prepare.yml", "dates: ['%m/%d/%Y']", "dates: ['%m/%d/%Y', '%Y-%m-%d']")
    # One column of dates, one of times.
    for name, column, sql_type in (("people", "birth_date", "DATE"), ("visits", "day", "TIMESTAMP")):
        path = order.export / f"{name}_now.csv"
        duckdb.sql(
            f"COPY (SELECT * REPLACE (try_strptime({column}, '%m/%d/%Y')::{sql_type} AS {column}) "
            f"FROM read_csv('{path}', delim = ';', all_varchar = true)) TO '{path.with_suffix('.parquet')}'"
        )
        path.unlink()
    again = replace(order, out=order.out.with_name("again"))
    prepare(again, settings)
    for name in ("people", "visits"):
        assert delivered(again, name) == delivered(order, name)


def test_typed_cells_of_a_workbook(settings: Settings, order: Order) -> None:
    prepare(order, settings)
    expected = {name: delivered(order, name) for name in ("people", "visits")}
    system = SYSTEM.replace("format: csv\ncsv: {delimiter: ';', decimal_separator: ','}\n", "format: excel\n")
    for name in ("people", "calls", "visits", "forms"):
        system = system.replace(f"file: {name}*.csv", f"file: book*.xlsx, sheet: {name}")
    (settings.systems / "made_up" / "system.yml").write_text(system.replace(", required: false", ""))
    rewrite(settings, "prepare.yml", "dates: ['%m/%d/%Y']", "dates: ['%Y-%m-%d']")
    write_workbook(order.export)
    again = replace(order, out=order.out.with_name("again"))
    prepare(again, settings)
    book = CalamineWorkbook.from_path(str(again.out / "book_3.xlsx"))
    for name, rows in expected.items():
        header, *cells = book.get_sheet_by_name(name).to_python()
        found = [dict(zip(header, map(as_text, row), strict=True)) for row in cells]
        # Decimals of a cell have a point, whatever the country.
        wanted = [{key: value.replace(",", ".") for key, value in row.items()} for row in rows]
        assert sorted(found, key=lambda row: sorted(row.items())) == sorted(wanted, key=lambda row: sorted(row.items()))


def as_text(cell: object) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def write_workbook(export: Path) -> None:
    """The CSV files of an export as sheets of one workbook, dates as cells of dates, numbers as numbers."""
    workbook = xlsxwriter.Workbook(str(export / "book.xlsx"))
    dated = workbook.add_format({"num_format": "yyyy-mm-dd"})
    for name in ("people", "calls", "visits", "forms"):
        path = export / f"{name}_now.csv"
        sheet = workbook.add_worksheet(name)
        for line, text in enumerate(path.read_text().splitlines()):
            for column, cell in enumerate(text.split(";")):
                write_cell(sheet, (line, column), cell, dated)
        path.unlink()
    workbook.close()


def write_cell(sheet: Worksheet, place: tuple[int, int], text: str, dated: Format) -> None:
    if re.fullmatch(r"\d\d/\d\d/\d{4}", text):
        sheet.write_datetime(*place, datetime.strptime(text, "%m/%d/%Y"), dated)
    elif re.fullmatch(r"\d+(,\d+)?", text):
        sheet.write_number(*place, float(text.replace(",", ".")))
    else:
        sheet.write_string(*place, text)


ALONE = """
import socket, sys
from clinic_outcomes.cli import app

def refuse(*_, **__):
    raise AssertionError("the network was called")

for module in ("airflow", "dbt", "great_expectations"):
    assert module not in sys.modules
    sys.modules[module] = None
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
app()
"""


def test_the_command_stands_alone_and_keeps_nothing(settings: Settings, order: Order, tmp_path: Path) -> None:
    """On the clinic's machine, without Airflow, dbt, Great Expectations and network, from an empty folder."""
    here = tmp_path / "here"
    here.mkdir()
    out, register = tmp_path / "out", tmp_path / "days.register"
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    options = {
        "--clinic": order.clinic_id, "--out": out, "--clinic-key": order.clinic_key, "--network-key": order.network_key,
        "--exported-on": order.exported_on, "--sequence": 1, "--period": "2025-02", "--register": register,
    }  # fmt: skip
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            ALONE,
            "prepare",
            order.export,
            *(str(text) for pair in options.items() for text in pair),
        ],
        cwd=here,
        env={
            "CLINIC_OUTCOMES_CLINICS": str(settings.clinics),
            "CLINIC_OUTCOMES_SYSTEMS": str(settings.systems),
            "COLUMNS": "140",
            "CLINIC_OUTCOMES_HOME": str(here / "home"),
            "TMPDIR": str(here),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "people without a date to count from: 1; their days are empty" in done.stdout
    assert "files of the export's folder that are of no source, and were not read: 1" in done.stdout
    assert not re.search("Miller|1001|555|tea|1980|quarrel", done.stdout)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert written == {register, *out.iterdir()}
    assert not list(here.iterdir())
