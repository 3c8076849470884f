"""``docs/instruments.md``: every instrument as its file says, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from clinic_outcomes.instruments.entries import InstrumentFile, Quantity, Threshold
from clinic_outcomes.instruments.loading import Instrument, read_instruments

MARKS: Mapping[str, str] = {
    "read": "read",
    "secondary": "read in a secondary source only",
    "unverified": "not verified",
}
SCORING: Mapping[str, str] = {
    "sum": "the sum of the items",
    "domain_maximum": "the sum, over domains, of the highest item of each",
    "none": "none is made of items",
}
INTRODUCTION = """\
# Instruments

<!-- Generated from `instruments/` by `clinic-outcomes contract`; a test fails when it is stale. -->

A file `instruments/<instrument>.yml` is an instrument. Its name is the code that mappings use; items, scoring, versions
with their recall window, LOINC codes, licence and threshold sets stand in it, each figure with its source and whether
that was read. No file holds the wording of an item.

## Adding one

1. Copy the file that is most like it to `instruments/<code>.yml` and change it. Every mistake is named with its field.
2. Run `clinic-outcomes contract`: it writes this page and the data dictionary anew.
3. Name the code in the mapping of a system that delivers it (`codes.csv`, or a constant in `columns.csv`).

Nothing else lists instruments: the contract's code lists `instrument` and `instrument_version`, the rules on ranges and
totals, and the tables that marts score by all come from the files. What a file leaves out does not exist: without a
threshold set for a quantity there is no measure of it.

- `scoring.method` is `sum`, `domain_maximum` (items that share a `domain` count once, by the highest) or `none`.
- An item with `asked_if` is blank by design unless another was answered so; of items that share an `alternative` people
  answer one. Neither is missing when it is blank. `scored: false` is a question beside the total.
- `scoring.most_missing_items` is 0: a total with a missing item is refused. A larger number prorates it, and says so.
- `refused` is for a questionnaire that is known only so that it is not taken for another one.

## Threshold sets

`use` names the set in use for each quantity; `CLINIC_OUTCOMES_THRESHOLD_SETS` chooses others, such as
`pcl_5.reliable_change_points=marx2022_sample_2,madrs.remission_maximum=usual_10`. Every report prints those it used.
The thresholds of NHS Talking Therapies are quantities of their own, whichever sets are in use for the others.
"""


def render_page(folder: Path) -> str:
    """Markdown text of the page, from the files of ``folder``."""
    return "\n".join([INTRODUCTION, *(_section(each) for each in read_instruments(folder).values())])


def _section(instrument: Instrument) -> str:
    file = instrument.file
    total = file.scoring.total
    size = f"{len(file.item_numbers)} items" if file.items else "totals only"
    scored = sum(len(part.numbers) for part in file.scored_items)
    if 0 < scored < len(file.item_numbers):
        size = f"{size}, {scored} of them scored"
    spread = f"total {total.minimum} to {total.maximum}, {SCORING[file.scoring.method]}" if total else "no total"
    lines = [f"## {file.label}", "", f"`{instrument.name}`: {file.title}. {size.capitalize()}; {spread}."]
    lines += [f"**Refused.** {file.refused.reason}."] if file.refused else []
    lines += [file.note] if file.note else []
    lines += ["", f"Licence: {file.licence.text} ({file.licence.citation}; {MARKS[file.licence.verification]})"]
    lines += ["", "Versions: " + "; ".join(f"`{n}` ({v.recall_window})" for n, v in file.versions.items()) + "."]
    return "\n".join([*lines, *_clusters(file), *_bands(file), *_risks(file), *_loinc(file), *_thresholds(file), ""])


def _clusters(file: InstrumentFile) -> list[str]:
    if not file.diagnosis:
        return []
    needed = ", ".join(f"{c.symptoms_needed} of {c.label.lower()}" for c in file.clusters.values() if c.symptoms_needed)
    rule = f"Provisional diagnosis: items of {file.diagnosis.symptom_from} or more, at least {needed}"
    return ["", " ".join(part for part in (f"{rule} ({file.diagnosis.citation}).", file.diagnosis.note) if part)]


def _bands(file: InstrumentFile) -> list[str]:
    if not file.bands:
        return []
    named = ", ".join(f"{band.label.lower()} {band.minimum} to {band.maximum}" for band in file.bands)
    return ["", f"Bands: {named} ({file.bands[0].citation}; {MARKS[file.bands[0].verification]})."]


def _risks(file: InstrumentFile) -> list[str]:
    if not file.risk_levels:
        return []
    rows = [
        f"| {risk.level} | {' or '.join(map(str, risk.items))} | {risk.when.replace('_', ' ')} |"
        for risk in file.risk_levels
    ]
    return ["", "| risk, the highest that applies | item answered with yes | when |", "|---|---|---|", *rows]


def _loinc(file: InstrumentFile) -> list[str]:
    if not file.loinc:
        return []
    codes = ", ".join(f"{c.code} ({f'item {c.item}' if c.item else c.part}; {c.verification})" for c in file.loinc)
    return ["", f"LOINC: {codes}."]


def _thresholds(file: InstrumentFile) -> list[str]:
    if not file.threshold_sets:
        return []
    rows = [_row(threshold, file.use) for threshold in file.thresholds]
    return ["", "| quantity | set | value | in use | source | mark |", "|---|---|---|---|---|---|", *rows]


def _row(threshold: Threshold, use: Mapping[Quantity, str]) -> str:
    unit = {"point": "points", "percent": "%", "correlation": ""}[threshold.unit]
    cells: Sequence[str] = (
        f"`{threshold.quantity}`",
        f"`{threshold.set}`",
        "computed" if threshold.value is None else f"{threshold.value} {unit}".strip(),
        "yes" if use.get(threshold.quantity) == threshold.set else "",
        threshold.citation,
        MARKS[threshold.verification],
    )
    return "| " + " | ".join(cells) + " |"
