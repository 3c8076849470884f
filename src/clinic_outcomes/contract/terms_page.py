"""``docs/adverse-event-terms.md``: the words for adverse events as the seeds have them, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from clinic_outcomes.contract.loader import CONTRACT_FOLDER
from clinic_outcomes.contract.terms import ExpectedEvent, Term, Vocabularies, read_vocabularies
from clinic_outcomes.files import parse_yaml

MARKS: Mapping[str, str] = {
    "read": "read",
    "secondary": "read in a copy or a summary only",
    "recalled": "not verified",
}
INTRODUCTION = """\
# Adverse-event terms

<!-- Generated from `dbt_project/seeds/` by `clinic-outcomes contract`; a test fails when it is stale. -->

A row of `dbt_project/seeds/adverse_event_terms.csv` is a term. The contract's code list `adverse_event_term`, the
highest grades that rules allow, the system classes of the marts and the names in reports all come from it: nothing else
lists terms.

- **CTCAE v5** (Common Terminology Criteria for Adverse Events of the US National Cancer Institute, a work of the US
  Government) gives names, system classes and grades. What clinics of ketamine, of the stellate ganglion block and of
  NAD+ meet is here, and for each of the 26 system classes its "Other, specify", so no event is left without a term.
- **Terms of this project** are few, for what CTCAE has no word for. Each says how it differs from the nearest of CTCAE.
  None has a highest grade: they are graded as CTCAE grades "Other, specify" (1 mild, 2 moderate, 3 severe,
  4 life-threatening, 5 death).
- **MedDRA is not shipped**, neither its codes nor its hierarchy: it needs a subscription. A clinic with one maps its
  codes to these terms in its system's `codes.csv`, and may deliver them in `reported_term` too: that column carries the
  codes of the system's own closed list as they are. They are opaque: nothing counts by them or publishes them.
- **A term that no mapping knows** becomes `unmapped`: the event is kept, judged and counted with all others. Its
  receipt names the file and the first line, and `status` counts them. To map it, add a line to `codes.csv` of its
  system; for a new term, add a row to the seed and run `clinic-outcomes contract`.

## Grades

- A grade above the highest that CTCAE has for a term is quarantined (`grade_within_term`): there is no nausea of
  grade 4. Either the grade or the term is wrong, and only the clinic knows which.
- Hypertension of adults is graded by the pressure measured: 1 from 120 mmHg systolic or 80 diastolic, 2 from 140 or 90,
  3 from 160 or 100. Most ketamine sessions reach grade 1 so: the report has the rise, and 165/100 mmHg, beside it.
  CTCAE also has grades 2 and 3 for the treatment that was needed, and 4 for what came of it. A grade other than that of
  the session's highest pressure is therefore a notice (`hypertension_grade_of_peak`), and the event counts.
- Grade and severity say how bad an event was. **Serious** is another thing, the regulatory word for one that meets a
  criterion: death, danger to life, a stay in hospital, lasting disability, a birth defect, another important medical
  event. A headache of grade 3 need not be serious; dizziness of grade 2 is, where it led to a night in hospital. Both
  are delivered, and neither is made from the other.

## Marks

Each row of the seeds says where it is from, with a mark: `read` (the source was), `secondary` (a copy or a summary of
it was) or `recalled` (neither was).
"""
EXPECTED = """\
## Expected events

`dbt_project/seeds/expected_events.csv` says which terms are expected of a drug: its label or a review of its use names
them. Left out on purpose is what a person should look at each time although labels name it, such as cardiac arrest,
seizure, anaphylaxis, apnea, pneumothorax, or the bladder of somebody who has had ketamine for long. What is not listed
is unexpected; of a drug without a list, every event is.
"""


def render_terms_page(seeds: Path) -> str:
    """Markdown text of the page, from the seeds of a folder."""
    vocabularies = read_vocabularies(seeds)
    classes = parse_yaml((CONTRACT_FOLDER / "code_lists.yml").read_text(encoding="utf-8"))["system_class"]
    parts = [INTRODUCTION, _project_terms(vocabularies, classes), _ctcae_terms(vocabularies, classes)]
    return "\n".join([*parts, EXPECTED, _expected(vocabularies)])


def _table(headings: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (headings, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(headings), *lines[1:]]) + "\n"


def _project_terms(vocabularies: Vocabularies, classes: Mapping[str, str]) -> str:
    rows = [
        (f"`{term.term}`", classes[term.system_class], term.definition)
        for term in vocabularies.terms.values()
        if term.vocabulary == "project"
    ]
    return "## Terms of this project\n\n" + _table(("term", "system class", "meaning"), rows)


def _ctcae_terms(vocabularies: Vocabularies, classes: Mapping[str, str]) -> str:
    terms = [term for term in vocabularies.terms.values() if term.vocabulary == "ctcae_v5"]
    parts = ["## Terms of CTCAE v5\n", f"{len(terms)} terms, {_sources(terms)}.\n"]
    for system_class, label in classes.items():
        rows = [
            (f"`{term.term}`", term.label, term.highest_grade) for term in terms if term.system_class == system_class
        ]
        if rows:
            parts += [f"### {label}\n", _table(("term", "name", "highest grade"), rows)]
    return "\n".join(parts)


def _sources(rows: Iterable[Term | ExpectedEvent]) -> str:
    found = dict.fromkeys((row.source, MARKS[row.verification]) for row in rows)
    return "; ".join(f"{source} ({mark})" for source, mark in found)


def _expected(vocabularies: Vocabularies) -> str:
    drugs: dict[str, dict[tuple[str, str], list[str]]] = {}
    for event in vocabularies.expected:
        sources = drugs.setdefault(event.drug, {})
        sources.setdefault((event.source, MARKS[event.verification]), []).append(f"`{event.term}`")
    rows = [
        (f"`{drug}`", ", ".join(terms), source, mark)
        for drug, sources in drugs.items()
        for (source, mark), terms in sources.items()
    ]
    return _table(("drug", "terms", "source", "mark"), rows)
