"""Profiles of exports: what is told of a column, what never is, and what is proposed for it."""

from pathlib import Path

import pytest

from clinic_outcomes.mapping import load_system
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings
from clinic_outcomes.trying import try_files, try_system
from clinic_outcomes.trying.profiling import ColumnProfile
from clinic_outcomes.trying.proposing import Proposal
from clinic_outcomes.trying.report import export_data, export_lines
from tests.support.two_clinics import PEOPLE, make_settings
from tests.support.workbooks import book, saved


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", threads=1)


def rows(*columns: list[str], delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(cells) for cells in zip(*columns, strict=True)) + "\n"


def profile(
    tmp_path: Path, settings: Settings, text: str, name: str = "patients.csv", **shown: bool
) -> tuple[dict[str, ColumnProfile], Proposal, str]:
    """Columns by name, the proposal, and all that would be printed."""
    path = tmp_path / name
    path.write_text(text)
    (trial,) = try_files([path], settings, **shown)
    printed = "\n".join(export_lines(trial.export, trial.parts)) + str(export_data(trial.export, trial.parts))
    ((found, proposal),) = trial.parts
    return {column.name: column for column in found.columns}, proposal, printed


N = 40
KINDS = {
    "empty": [""] * N,
    "key": [f"P{n * 0x123456789ABCDEF % 16**16:016x}" for n in range(1, N + 1)],
    "number": [str(20 + n) for n in range(N)],
    "dose": [f"{n}.5" for n in range(N)],
    "start": [f"2025-01-{n % 28 + 1:02d}" for n in range(N)],
    "sex": ["F", "M"] * (N // 2),
    "trauma": ["combat;accident", "accident", "other", "combat"] * (N // 4),
    "comment": [f"Came with mother number {n} and said that all is well again today" for n in range(N)],
    "contact": [f"someone{n}@mail.example" for n in range(N)],
}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("empty", "empty"),
        ("key", "keys"),
        ("number", "whole numbers"),
        ("dose", "decimal numbers"),
        ("start", "calendar dates"),
        ("sex", "codes"),
        ("trauma", "lists of codes"),
        ("comment", "free text"),
        ("contact", "identifiers"),
    ],
)
def test_each_kind_of_values_is_told(tmp_path: Path, settings: Settings, name: str, kind: str) -> None:
    columns, _, _ = profile(tmp_path, settings, rows(*([key, *values] for key, values in KINDS.items())))
    assert columns[name].kind == kind


def test_no_value_is_printed_and_nothing_is_stored(tmp_path: Path, settings: Settings) -> None:
    _, _, printed = profile(tmp_path, settings, rows(*([key, *values] for key, values in KINDS.items())))
    values = {value for name, column in KINDS.items() if name not in ("empty", "number", "sex") for value in column}
    assert not [value for value in values if value in printed]
    assert not settings.home.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["patients.csv"]


def test_the_form_of_keys_is_told_and_enough_bits_are_asked_for(tmp_path: Path, settings: Settings) -> None:
    strong = [f"P{n * 0x123456789ABCDEF % 16**16:016x}" for n in range(1, N + 1)]
    columns, proposal, _ = profile(tmp_path, settings, rows(["patient_id", *strong]))
    assert columns["patient_id"].key_pattern == "P[0-9a-f]{16}"
    assert proposal.key_patterns == {"patient_id": "P[0-9a-f]{16}"}
    weak = [f"KL{n:04d}" for n in range(N)]
    columns, proposal, _ = profile(tmp_path, settings, rows(["patient_id", *weak]))
    assert columns["patient_id"].key_pattern == "KL[0-9]{4}"
    assert proposal.key_patterns == {"patient_id": "KL[0-9a-f]{16}"}


def codes_shown(tmp_path: Path, settings: Settings, name: str, values: list[str]) -> tuple[str, ...]:
    text = rows([name, *values], ["patient_id", *(str(n) for n in range(len(values)))], delimiter=";")
    columns, _, printed = profile(tmp_path, settings, text, show_codes=True)
    assert all((value in printed) == (value in columns[name].codes) for value in values if len(value) > 3)
    return columns[name].codes


def test_codes_are_shown_only_where_asked_for_and_where_they_recur(tmp_path: Path, settings: Settings) -> None:
    assert codes_shown(tmp_path, settings, "sex", ["female", "male"] * 5) == ("female", "male")
    columns, _, printed = profile(tmp_path, settings, rows(["sex", *["female_x", "male_x"] * 5]))
    assert columns["sex"].codes == () and "male_x" not in printed


@pytest.mark.parametrize(
    ("name", "values"),
    [
        # A value that four rows have; one too long; a long number; one that a detector knows; too many.
        ("sex", ["female"] * 9 + ["Ottilie"] * 4),
        ("sex", ["female"] * 9 + ["Ottilie Quackenbusch-Mo"] * 9),
        ("sex", ["female"] * 9 + ["case 12345"] * 9),
        ("sex", ["female"] * 9 + ["Quack, Ottilie"] * 9),
        ("sex", [f"kind{n}a" for n in range(31)] * 5),
        # Columns that are not proposed to be coded, or that identify a person by their names.
        ("therapist", ["Ottilie", "Marigold"] * 9),
        ("patient_name", ["Ottilie", "Marigold"] * 9),
        ("site_id", ["NORTH-1", "SOUTH-1"] * 9),
    ],
)
def test_what_could_be_a_name_or_a_key_is_never_shown_as_a_code(
    tmp_path: Path, settings: Settings, name: str, values: list[str]
) -> None:
    assert codes_shown(tmp_path, settings, name, values) == ()


def test_a_file_without_a_header_shows_no_name(tmp_path: Path, settings: Settings) -> None:
    values = [[f"Ottilie{n}" for n in range(9)], ["31"] * 9, ["F"] * 9]
    columns, _, printed = profile(tmp_path, settings, rows(*values), show_names=True)
    assert "Ottilie" not in printed and "column 1" in printed
    assert "the first line looks like values" in printed
    assert not any(column.tellable for column in columns.values())


def test_names_in_unknown_words_are_told_only_where_asked_for(tmp_path: Path, settings: Settings) -> None:
    text = rows(["Quackenbusch", "a", "b"], ["patient_id", "P1", "P2"], ["j@x.example", "1", "2"])
    assert "Quackenbusch" not in profile(tmp_path, settings, text)[2]
    printed = profile(tmp_path, settings, text, show_names=True)[2]
    assert "Quackenbusch" in printed and "j@x.example" not in printed


def test_a_name_of_a_file_is_told_only_in_known_words(tmp_path: Path, settings: Settings) -> None:
    text = rows(["patient_id", "P1"])
    assert "patients*.csv" in profile(tmp_path, settings, text, "patients_19500701.csv")[2]
    printed = profile(tmp_path, settings, text, "quack_ottilie.csv")[2]
    assert "quack" not in printed and "file 1.csv" in printed


def test_lines_are_proposed_by_name_and_kind(tmp_path: Path, settings: Settings) -> None:
    text = rows(
        ["visit_key", *(f"V{n:016x}" for n in range(N))],
        ["visit_date", *(f"{n % 28 + 1:02d}.01.2025" for n in range(N))],
        ["infusion_hours", *(["0,75", "1,5"] * (N // 2))],
        ["drug", *(["K", "M"] * (N // 2))],
        ["route", *(f"free text number {n} of the doctor who was here" for n in range(N))],
        ["xyz", *(["1"] * N)],
        delimiter=";",
    )
    columns, proposal, _ = profile(tmp_path, settings, text, "visits.csv")
    assert proposal.table == "session"
    assert [line.cells() for line in proposal.lines] == [
        ("visits", "visit_key", "session", "session_id", "", "", ""),
        ("visits", "visit_date", "session", "session_day", "day", "", ""),
        ("visits", "infusion_hours", "session", "infusion_minutes", "hour", "", ""),
        ("visits", "drug", "session", "drug", "", "drug", ""),
        ("visits", "route", "", "", "", "", ""),
        ("visits", "xyz", "", "", "", "", ""),
    ]
    assert [line.column for line in proposal.lacking] == ["patient_id", "course_id"]
    assert columns["visit_date"].date_form == "%d.%m.%Y"


def test_sheets_and_hidden_ones_are_parts_of_a_workbook(tmp_path: Path, settings: Settings) -> None:
    made = book({"Patients": [["patient_id", "sex"], ["P1", "F"]], "Quackenbusch": [["patient_id"], ["P1"]]})
    made["Quackenbusch"].sheet_state = "hidden"
    (tmp_path / "export.xlsx").write_bytes(saved(made))
    (trial,) = try_files([tmp_path / "export.xlsx"], settings)
    assert [found.part.place_told for found, _ in trial.parts] == ["Patients", "sheet 2"]
    assert "sheet 2 is hidden" in trial.export.remarks


def test_forms_of_a_redcap_export_are_told_apart_by_their_status(tmp_path: Path, settings: Settings) -> None:
    header = "record_id,redcap_event_name,sex,intake_complete,drug,infusion_complete"
    (tmp_path / "export.csv").write_text(f"{header}\n1,base_arm_1,2,2,,\n1,visit_arm_1,,,K,2\n2,visit_arm_1,,,M,2\n")
    (trial,) = try_files([tmp_path / "export.csv"], settings)
    assert trial.export.format == "redcap"
    assert [(found.part.place_told, found.part.rows) for found, _ in trial.parts] == [("intake", 1), ("infusion", 2)]
    assert trial.parts[1][0].part.columns == ("record_id", "redcap_event_name", "drug", "infusion_complete")


def test_elements_of_fhir_are_told_and_strange_names_are_not(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "Procedure.ndjson").write_text(
        '{"resourceType":"Procedure","id":"a1","subject":{"reference":"Patient/p1"},"Quackenbusch":1}\n'
        '{"resourceType":"Procedure","id":"a2","subject":{"reference":"Patient/p2"},"note":[{"text":"Ottilie"}]}\n'
    )
    (trial,) = try_files([tmp_path / "Procedure.ndjson"], settings)
    printed = "\n".join(export_lines(trial.export, trial.parts))
    assert "Quackenbusch" not in printed and "Ottilie" not in printed
    assert "1 elements have names that FHIR does not know" in printed
    assert [line.cells()[1:4] for line in trial.parts[0][1].lines] == [
        ("session_id", "session", "session_id"),
        ("patient_id", "session", "patient_id"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.csv", "sex\nm\xfcde\n".encode("latin-1"), "encoding"),
        ("a.csv", "sex\nF\n".encode("utf-16"), "encoding"),
        ("a.csv", b"PK\x03\x04abc", "file_unknown"),
        ("a.txt", b"sex\n", "file_unknown"),
        ("a.parquet", b"no parquet", "parquet_structure"),
        ("a.ndjson", b'{"resourceType": "Ottilie 1"}\n', "json_structure"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_without_its_content(
    tmp_path: Path, settings: Settings, name: str, content: bytes, rule: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ClinicOutcomesError) as caught:
        try_files([tmp_path / name], settings)
    assert [problem.rule for problem in caught.value.problems] == [rule]
    assert "Ottilie" not in str(caught.value)


def test_a_known_system_says_what_it_takes_lacks_and_refuses(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    system = load_system("people_only", settings)
    path = tmp_path / "people_1.csv"
    path.write_text(PEOPLE)
    # The keys are too short for the system alone: only a clinic may say that they tell of nobody.
    found = try_system([path], system, None, settings)
    assert (found.takes_all, found.problems, found.lacking) == (True, (), ())
    assert [(t.source, t.tables, t.rows, t.columns_taken, t.columns_delivered) for t in found.taken] == [
        ("people", ("patient",), 2, 4, 4)
    ]
    path.write_text("person,sex,age,surname\nP1,F,34,Quackenbusch\n")
    found = try_system([path], system, None, settings)
    assert not found.takes_all
    assert {(problem.rule, problem.column) for problem in found.problems} == {
        ("column_missing", "intake"),
        ("column_name_like", "surname"),
        ("column_unknown", "surname"),
    }
    assert "Quackenbusch" not in str(found)
    other = tmp_path / "quackenbusch.csv"
    other.write_text(PEOPLE)
    found = try_system([other], system, None, settings)
    assert found.lacking == ("people",) and len(found.unknown_files) == 1
    assert "quackenbusch" not in str(found.unknown_files)
    assert not settings.home.joinpath("scratch").exists() and not settings.ledger.exists()
