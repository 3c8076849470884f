"""Everything that is generated from the contract and committed."""

from __future__ import annotations

from pathlib import Path

from clinic_outcomes.contract.base_expectations import render_base_expectations
from clinic_outcomes.contract.dbt_sources import render_dbt_sources
from clinic_outcomes.contract.dictionary import render_data_dictionary
from clinic_outcomes.contract.loader import INSTRUMENTS_FOLDER, SEEDS_FOLDER, load_contract
from clinic_outcomes.contract.terms_page import render_terms_page
from clinic_outcomes.files import write_text
from clinic_outcomes.instruments.page import render_page
from clinic_outcomes.settings import PROJECT_ROOT


def render_generated() -> dict[str, str]:
    """Path below the project → text, of every file that follows from the contract."""
    contract = load_contract()
    return {
        "docs/data-dictionary.md": render_data_dictionary(contract),
        "docs/instruments.md": render_page(INSTRUMENTS_FOLDER),
        "docs/adverse-event-terms.md": render_terms_page(SEEDS_FOLDER),
        "dbt_project/models/staging/_sources.yml": render_dbt_sources(contract),
        **{f"expectations/base/{name}": text for name, text in render_base_expectations(contract).items()},
    }


def write_generated(root: Path = PROJECT_ROOT) -> tuple[Path, ...]:
    """Write the generated files below ``root``; return those that changed."""
    changed = []
    for name, text in render_generated().items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
            changed.append(path)
    return tuple(changed)
