"""The contract is complete, and what is generated from it is not stale."""

import pytest
import yaml

from clinic_outcomes.contract import CONTRACT_FOLDER, load_contract
from clinic_outcomes.contract.generate import render_generated
from clinic_outcomes.settings import PROJECT_ROOT

DESIGN_TABLES = {
    "referral", "patient", "condition", "prior_treatment", "medication", "course", "session", "assessment",
    "assessment_item", "adverse_event", "escalation", "disposition", "site", "organisation",
}  # fmt: skip


def test_every_table_of_the_design_is_there_parents_first() -> None:
    tables = load_contract().tables
    assert set(tables) == DESIGN_TABLES
    seen: set[str] = set()
    for table in tables.values():
        parents = {column.references[0] for column in table.columns if column.references}
        assert parents <= seen, table.name
        seen.add(table.name)


def test_the_table_files_are_valid_open_data_contracts() -> None:
    from jsonschema import Draft201909Validator
    from open_data_contract_standard.model import OpenDataContractStandard

    validator = Draft201909Validator(yaml.safe_load(OpenDataContractStandard.json_schema()))
    paths = list((CONTRACT_FOLDER / "tables").glob("*.yaml"))
    assert len(paths) == len(DESIGN_TABLES)
    for path in paths:
        errors = [error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))]
        assert not errors, f"{path.name}: {errors}"


def test_time_dose_and_pressure_columns_carry_their_unit_in_name_and_contract() -> None:
    units = {"_day": "day", "_minutes": "minute", "_mg": "mg", "_mg_per_kg": "mg/kg", "_mmhg": "mmHg", "_years": "year"}
    checked = 0
    for table in load_contract().tables.values():
        for column in table.columns:
            for ending, unit in units.items():
                if column.name.endswith(ending):
                    assert column.unit == unit, f"{table.name}.{column.name}"
                    checked += 1
    assert checked > 20


def test_no_column_can_hold_a_date_a_time_or_free_text() -> None:
    for table in load_contract().tables.values():
        for column in table.columns:
            assert column.element_type.split("(")[0] in {"VARCHAR", "INTEGER", "DECIMAL"}, column.name
            if column.element_type == "VARCHAR":
                assert column.is_key or column.code_list or column.pattern, f"{table.name}.{column.name} is free text"


@pytest.mark.parametrize("name", sorted(render_generated()))
def test_generated_file_is_not_stale(name: str) -> None:
    path = PROJECT_ROOT / name
    assert path.is_file() and path.read_text() == render_generated()[name], "run `clinic-outcomes contract`"
