"""Systems made from REDCap projects: each form a source, each of its columns allowed and carried nowhere."""

import csv
from pathlib import Path

from clinic_outcomes.settings import Settings

CLINIC = "made_up"
KEYS = ("redcap_event_name", "redcap_repeat_instance", "redcap_data_access_group", "redcap_survey_identifier")


def make_system(root: Path, dictionary: Path | str, header: list[str], *, dialect: str = "{}") -> Settings:
    """A system and its clinic below ``root`` for exports with this header; the dictionary is a file or its text."""
    folder = root / "systems" / "project"
    folder.mkdir(parents=True)
    (root / "clinics").mkdir()
    text = dictionary if isinstance(dictionary, str) else dictionary.read_text(encoding="utf-8-sig")
    (folder / "data_dictionary.csv").write_text(text)
    fields = [cells for cells in list(csv.reader(text.splitlines(keepends=True)))[1:] if cells]
    form_of = {cells[0]: cells[1] for cells in fields}
    forms = list(dict.fromkeys(form_of.values()))
    keys = [fields[0][0], *(name for name in KEYS if name in header)]
    lines = []
    for form in forms:
        own = [c for c in header if c not in keys and _form(c, form_of, forms) == form]
        lines += [f"{form},{column},,,,,\n" for column in (*keys, *own)]
    (folder / "columns.csv").write_text("source,source_column,table,column,unit,codes,constant\n" + "".join(lines))
    (folder / "codes.csv").write_text("codes,source_code,code\n")
    sources = "".join(f"  {form}: {{file: data*.csv, form: {form}}}\n" for form in forms)
    (folder / "system.yml").write_text(
        f"title: Made up\nformat: redcap\ncsv: {dialect}\nmissing: ['', '-99', NASK]\n"
        f"sources:\n{sources}key_patterns: {{}}\n"
    )
    (root / "clinics" / f"{CLINIC}.yml").write_text("title: Made up\nsystem: project\n")
    return Settings(home=root / "home", systems=root / "systems", clinics=root / "clinics", threads=1)


def _form(column: str, form_of: dict[str, str], forms: list[str]) -> str | None:
    field = column.split("___")[0]
    ends = {f"{form}{end}": form for form in forms for end in ("_complete", "_timestamp")}
    return form_of.get(field) or ends.get(column)
