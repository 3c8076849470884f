"""The data dictionary in ``docs/``, rendered from the contract."""

from __future__ import annotations

from collections.abc import Mapping

from clinic_outcomes.contract.loader import LOCAL_CODES, UNMAPPED, Column, Contract, Table

NOTICE = "Generated from the contract by `clinic-outcomes contract`; change `src/clinic_outcomes/contract/` instead."


def render_data_dictionary(contract: Contract) -> str:
    """Markdown text of ``docs/data-dictionary.md``: every table, column and code list."""
    parts = [
        "# Data dictionary",
        f"<!-- {NOTICE} -->",
        "Time is relative: `*_day` counts whole days since the patient's day 0, `*_minutes` minutes since the start of "
        "the session. Keys are unique within a clinic. A required column must hold a value in every row.",
        *(_render_table(table) for table in contract.tables.values()),
        "## Code lists",
        f"Every list also has `{UNMAPPED}`: the delivered code was not in the system's mapping.",
        *(_render_code_list(name, codes) for name, codes in contract.code_lists.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _render_table(table: Table) -> str:
    lines = [
        f"## {table.name}",
        "",
        f"{table.description} {table.grain.capitalize()}; key: {', '.join(f'`{name}`' for name in table.primary_key)}.",
        "",
        "| column | type | unit | required | values | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for column in table.columns:
        cells = (
            f"`{column.name}`",
            column.sql_type,
            column.unit or "",
            "yes" if column.required else "",
            _values(column),
            column.description,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _values(column: Column) -> str:
    parts = []
    if column.references:
        parts.append(f"a key of [{column.references[0]}](#{column.references[0]})")
    if column.code_list == LOCAL_CODES:
        parts.append("the system's own closed list")
    elif column.code_list:
        parts.append(f"{'several of ' if column.multiple else ''}[{column.code_list}](#{column.code_list})")
    if column.minimum is not None or column.maximum is not None:
        parts.append(f"{column.minimum} to {column.maximum}")
    if column.pattern:
        parts.append(f"`{column.pattern}`")
    return "; ".join(parts)


def _render_code_list(name: str, codes: Mapping[str, str]) -> str:
    lines = [f"### {name}", "", "| code | label |", "|---|---|"]
    lines += [f"| `{code}` | {label} |" for code, label in codes.items()]
    return "\n".join(lines)
