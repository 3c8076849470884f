"""The words for adverse events: seeds ``adverse_event_terms`` and ``expected_events`` of dbt, read for everything else.

The code list ``adverse_event_term``, the grades that rules allow and the events expected of a drug all come from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from clinic_outcomes.contract.loader import CONTRACT_FOLDER, UNMAPPED
from clinic_outcomes.files import canonical_json, fingerprint, parse_yaml
from clinic_outcomes.mapping.reading import IDENTIFIER, Mistakes, read_csv
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.settings import Settings

TERMS, EXPECTED = "adverse_event_terms.csv", "expected_events.csv"
TERM_COLUMNS = (
    "term",
    "label",
    "vocabulary",
    "system_class",
    "highest_grade",
    "definition",
    "source",
    "verification",
)
EXPECTED_COLUMNS = ("drug", "term", "source", "verification")
GRADE_LIMIT = {"term": "VARCHAR", "highest_grade": "INTEGER"}
"""Columns of the reference table ``grade_limit``: each term whose highest grade is known."""

Vocabulary = Literal["ctcae_v5", "project"]
Verification = Literal["read", "secondary", "recalled"]
Row = TypeVar("Row", bound=BaseModel)


class Term(BaseModel):
    """One adverse event as the project names it.

    ``highest_grade`` is the highest that CTCAE has for it, None where none is known; ``definition`` says of a term of
    the project how it differs from the nearest of CTCAE; ``verification`` is ``read`` where the source was,
    ``secondary`` where a copy or a summary of it was, ``recalled`` where neither was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    term: str = Field(pattern=f"^{IDENTIFIER.pattern}$")
    label: str = Field(min_length=1)
    vocabulary: Vocabulary
    system_class: str
    highest_grade: int | None = Field(ge=1, le=5)
    definition: str
    source: str = Field(min_length=1)
    verification: Verification

    @field_validator("highest_grade", mode="before")
    @classmethod
    def _not_known(cls, value: object) -> object:
        return None if value == "" else value


class ExpectedEvent(BaseModel):
    """A term that is expected of a drug, and where that is from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    drug: str
    term: str
    source: str = Field(min_length=1)
    verification: Verification


@dataclass(frozen=True)
class Vocabularies:
    """Both seeds: terms by code, and what is expected, in the order of the files."""

    terms: Mapping[str, Term]
    expected: tuple[ExpectedEvent, ...]


def load_terms(settings: Settings) -> Mapping[str, Term]:
    """Every term by its code, in the order of the seed. ``ClinicOutcomesError`` lists all mistakes of both seeds."""
    return read_vocabularies(settings.dbt_project / "seeds").terms


def expected_terms(settings: Settings) -> Mapping[str, frozenset[str]]:
    """Terms expected of each drug that the seed speaks of. Nothing is known of a drug that is no key."""
    drugs: dict[str, set[str]] = {}
    for event in read_vocabularies(settings.dbt_project / "seeds").expected:
        drugs.setdefault(event.drug, set()).add(event.term)
    return MappingProxyType({drug: frozenset(terms) for drug, terms in drugs.items()})


def grade_limits(settings: Settings) -> list[tuple[str, int]]:
    """Rows of the reference table ``grade_limit``."""
    terms = load_terms(settings).values()
    return [(term.term, term.highest_grade) for term in terms if term.highest_grade is not None]


def grade_limits_fingerprint(settings: Settings) -> str:
    """Fingerprint of what rules take from the terms: a source that is told better changes no state."""
    return fingerprint([canonical_json(sorted(map(list, grade_limits(settings))))])


def read_vocabularies(seeds: Path) -> Vocabularies:
    """Both seeds of a folder, checked against the contract's code lists. ``ClinicOutcomesError`` lists all mistakes."""
    mistakes = Mistakes()
    code_lists = parse_yaml((CONTRACT_FOLDER / "code_lists.yml").read_text(encoding="utf-8"))
    terms: dict[str, Term] = {}
    for line, term in _rows(seeds / TERMS, TERM_COLUMNS, Term, mistakes):
        for message in _mistakes_in(term, terms, code_lists["system_class"]):
            mistakes.add(seeds / TERMS, message, line=line)
        terms[term.term] = term
    expected: dict[tuple[str, str], ExpectedEvent] = {}
    for line, event in _rows(seeds / EXPECTED, EXPECTED_COLUMNS, ExpectedEvent, mistakes):
        if event.drug not in code_lists["drug"]:
            mistakes.add(seeds / EXPECTED, "the contract has no such drug", line=line, column="drug")
        if event.term not in terms:
            mistakes.add(seeds / EXPECTED, "there is no such term", line=line, column="term")
        if (event.drug, event.term) in expected:
            mistakes.add(seeds / EXPECTED, "the term is there twice for the drug", line=line, column="term")
        expected[event.drug, event.term] = event
    if mistakes.problems:
        raise ClinicOutcomesError(mistakes.problems)
    return Vocabularies(MappingProxyType(terms), tuple(expected.values()))


def _mistakes_in(term: Term, known: Mapping[str, Term], system_classes: Mapping[str, str]) -> Iterator[str]:
    if term.term in known or term.term == UNMAPPED:
        yield "the term is there already"
    if term.system_class not in system_classes:
        yield "the contract has no such system class"
    if (term.vocabulary == "project") != bool(term.definition):
        yield "a term of the project has a definition, one of CTCAE has its own"
    if term.vocabulary == "ctcae_v5" and term.highest_grade is None:
        yield "a term of CTCAE has a highest grade"


def _rows(path: Path, columns: tuple[str, ...], model: type[Row], mistakes: Mistakes) -> Iterator[tuple[int, Row]]:
    for line, cells in read_csv(path, columns, mistakes):
        try:
            yield line, model.model_validate(cells)
        except ValidationError as error:
            for item in error.errors():
                mistakes.add(path, item["msg"], line=line, column=str(item["loc"][0]))
