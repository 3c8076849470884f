"""Adverse-event terms as data: what the seeds say, against the literature; and that nothing else lists terms."""

import csv
import re
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from clinic_outcomes.contract import CONTRACT_FOLDER, load_contract
from clinic_outcomes.contract.terms import (
    expected_terms,
    grade_limits,
    grade_limits_fingerprint,
    load_terms,
    read_vocabularies,
)
from clinic_outcomes.contract.terms_page import render_terms_page
from clinic_outcomes.harmonise import harmonise
from clinic_outcomes.mapping.thresholds import network_thresholds
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.resolve import resolve
from clinic_outcomes.settings import PROJECT_ROOT, Settings
from clinic_outcomes.validate import load_rules
from clinic_outcomes.validate.quarantine import open_state
from tests.support.harmonised_clinic import CLINIC, admitted, small_clinic

SEEDS = PROJECT_ROOT / "dbt_project" / "seeds"
OWN = Settings(home=Path("unused"))

# Read in the CTCAE v5 table by hand: term, system class, whether there is each of the grades 1 to 5.
CTCAE = """
nausea                     gastrointestinal_disorders                      123--
vomiting                   gastrointestinal_disorders                      12345
dry_mouth                  gastrointestinal_disorders                      123--
dizziness                  nervous_system_disorders                        123--
headache                   nervous_system_disorders                        123--
somnolence                 nervous_system_disorders                        12345
presyncope                 nervous_system_disorders                        -2---
syncope                    nervous_system_disorders                        --3--
dysgeusia                  nervous_system_disorders                        12---
nystagmus                  nervous_system_disorders                        -23--
palpitations               cardiac_disorders                               12---
sinus_tachycardia          cardiac_disorders                               123--
sinus_bradycardia          cardiac_disorders                               12345
blurred_vision             eye_disorders                                   1234-
vertigo                    ear_and_labyrinth_disorders                     123--
anxiety                    psychiatric_disorders                           1234-
euphoria                   psychiatric_disorders                           123--
hallucinations             psychiatric_disorders                           12345
suicidal_ideation          psychiatric_disorders                           1234-
suicide_attempt            psychiatric_disorders                           --345
dysuria                    renal_and_urinary_disorders                     1----
urinary_frequency          renal_and_urinary_disorders                     12---
cystitis_noninfective      renal_and_urinary_disorders                     12345
hypoxia                    respiratory_thoracic_and_mediastinal_disorders  -2345
hoarseness                 respiratory_thoracic_and_mediastinal_disorders  123--
hyperhidrosis              skin_and_subcutaneous_tissue_disorders          123--
hypertension               vascular_disorders                              12345
flushing                   vascular_disorders                              123--
"""
# Names that mappings used before the seed listed more: none may change.
LONG_USED = {
    "nausea", "vomiting", "dry_mouth", "dizziness", "headache", "somnolence", "paresthesia", "tremor", "hypertension",
    "hypotension", "sinus_tachycardia", "blurred_vision", "anxiety", "agitation", "confusion", "delirium", "euphoria",
    "hallucinations", "restlessness", "insomnia", "suicidal_ideation", "suicide_attempt", "cystitis_noninfective",
    "urinary_frequency", "hypoxia", "dyspnea", "fatigue", "injection_site_reaction", "hoarseness", "muscle_cramp",
    "flushing", "syncope", "dissociation", "depersonalisation", "derealisation", "sedation", "perceptual_disturbance",
    "emergence_reaction", "horner_syndrome",
}  # fmt: skip
PROJECT_TERMS = {
    "dissociation", "depersonalisation", "derealisation", "perceptual_disturbance", "emergence_reaction", "flashback",
    "drug_misuse", "sedation", "feeling_drunk", "horner_syndrome", "phrenic_nerve_palsy", "diplopia",
    "respiratory_depression", "local_anesthetic_systemic_toxicity",
}  # fmt: skip
LOOKED_AT_EACH_TIME = {
    "cardiac_arrest", "seizure", "anaphylaxis", "apnea", "respiratory_depression", "laryngospasm", "pneumothorax",
    "hematoma", "local_anesthetic_systemic_toxicity", "suicidal_ideation", "suicide_attempt", "psychosis", "mania",
    "stroke", "myocardial_infarction", "death_nos", "cystitis_noninfective",
}  # fmt: skip


def seeds_with(tmp_path: Path, name: str, old: str, new: str) -> Settings:
    """The project with one seed changed: ``old`` must be there."""
    seeds = tmp_path / "dbt_project" / "seeds"
    seeds.mkdir(parents=True, exist_ok=True)
    for file in ("adverse_event_terms.csv", "expected_events.csv"):
        shutil.copy(SEEDS / file, seeds / file)
    text = (SEEDS / name).read_text(encoding="utf-8")
    assert text.count(old) == 1
    (seeds / name).write_text(text.replace(old, new), encoding="utf-8")
    return Settings(home=tmp_path / "home", dbt_project=tmp_path / "dbt_project")


def test_terms_have_the_system_class_and_the_grades_of_ctcae() -> None:
    terms = load_terms(OWN)
    rows = [line.split() for line in CTCAE.strip().splitlines()]
    assert len(rows) > 25
    for term, system_class, grades in rows:
        highest = max(int(grade) for grade in grades.replace("-", ""))
        found = terms[term]
        assert (found.vocabulary, found.system_class, found.highest_grade) == ("ctcae_v5", system_class, highest), term


def test_every_system_class_has_its_other() -> None:
    classes = yaml.safe_load((CONTRACT_FOLDER / "code_lists.yml").read_text(encoding="utf-8"))["system_class"]
    others = {term.system_class: term for name, term in load_terms(OWN).items() if name.endswith("_other")}
    assert set(others) == set(classes) and len(classes) == 26
    for system_class, term in others.items():
        assert term.term == f"{system_class}_other"
        assert term.highest_grade == (4 if system_class == "eye_disorders" else 5)


def test_terms_of_the_project_are_few_and_say_how_they_differ_from_ctcae() -> None:
    own = {name: term for name, term in load_terms(OWN).items() if term.vocabulary == "project"}
    assert set(own) == PROJECT_TERMS
    assert [name for name, term in own.items() if "CTCAE" not in term.definition and name != "flashback"] == []
    assert {term.highest_grade for term in own.values()} == {None}
    assert all(term.label.endswith("(project term)") for term in own.values())


def test_codes_in_use_keep_their_names() -> None:
    assert set(load_contract().code_lists["adverse_event_term"]) >= LONG_USED


def test_no_code_of_meddra_is_there() -> None:
    for path in (*SEEDS.glob("*.csv"), PROJECT_ROOT / "docs" / "adverse-event-terms.md"):
        assert not re.search(r"(?<!\d)10\d{6}(?!\d)", path.read_text(encoding="utf-8")), path.name


def test_the_contract_takes_its_terms_from_the_seed_alone() -> None:
    written = yaml.safe_load((CONTRACT_FOLDER / "code_lists.yml").read_text(encoding="utf-8"))
    assert "adverse_event_term" not in written
    with (SEEDS / "adverse_event_terms.csv").open(encoding="utf-8", newline="") as stream:
        labels = {row["term"]: row["label"] for row in csv.DictReader(stream)}
    assert load_contract().code_lists["adverse_event_term"] == labels


def test_rules_compare_grades_with_those_of_the_seed(tmp_path: Path) -> None:
    settings = seeds_with(tmp_path, "adverse_event_terms.csv", "\nnausea,Nausea,ctcae_v5,gastrointestinal_disorders,3,",
                          "\nnausea,Nausea,ctcae_v5,gastrointestinal_disorders,2,")  # fmt: skip
    (rule,) = [rule for rule in load_rules(settings) if rule.rule == "grade_within_term"]
    made = "(VALUES ('nausea', 2), ('nausea', 3), ('headache', 3), ('headache', 4), ('dissociation', 5))"
    with duckdb.connect() as connection:
        open_state(connection, tmp_path, settings, network_thresholds(settings))
        query = f"SELECT term, grade FROM {made} AS t(term, grade) WHERE {rule.broken_by} ORDER BY ALL"
        assert connection.execute(query).fetchall() == [("headache", 4), ("nausea", 3)]


def test_events_are_expected_of_every_drug_of_the_contract_but_nothing_alarming_is() -> None:
    expected = expected_terms(OWN)
    assert set(expected) == set(load_contract().code_lists["drug"]) - {"other"}
    assert {"dissociation", "hypertension", "nausea", "dizziness"} <= expected["ketamine"] & expected["esketamine"]
    assert "horner_syndrome" in expected["ropivacaine"] & expected["bupivacaine"]
    assert "horner_syndrome" not in expected["ketamine"]
    assert "flushing" in expected["nad_plus"]
    for drug, terms in expected.items():
        assert terms <= set(load_terms(OWN)), drug
        assert not terms & LOOKED_AT_EACH_TIME, drug


# ---- what depends on the seeds


def test_what_a_recipe_and_a_state_depend_on(tmp_path: Path) -> None:
    line = '\nnausea,Nausea,ctcae_v5,gastrointestinal_disorders,3,,"CTCAE'
    named, graded, cited = (
        seeds_with(tmp_path / str(number), "adverse_event_terms.csv", line, changed)
        for number, changed in enumerate(
            (line.replace("Nausea", "Queasy"), line.replace(",3,", ",4,"), line.replace("CTCAE", "The CTCAE"))
        )
    )
    contract = {load_contract(seeds=settings.dbt_project / "seeds").fingerprint for settings in (OWN, graded, cited)}
    assert contract == {load_contract().fingerprint}
    assert load_contract(seeds=named.dbt_project / "seeds").fingerprint not in contract
    assert grade_limits_fingerprint(named) == grade_limits_fingerprint(cited) == grade_limits_fingerprint(OWN)
    assert grade_limits_fingerprint(graded) != grade_limits_fingerprint(OWN)


def test_another_grade_makes_another_state(tmp_path: Path) -> None:
    head = (
        "title: Small\nformat: csv\nsources:\n  people: {file: 'people*.csv'}\nkey_patterns: {patient_id: 'P[0-9]'}\n"
    )
    own = small_clinic(tmp_path / "own", head, "people,Id,patient,patient_id,,,\n", "")
    admitted(own, {"people.csv": "Id\nP1\n"})
    line = "\nnausea,Nausea,ctcae_v5,gastrointestinal_disorders,3,"
    changed = seeds_with(tmp_path / "changed", "adverse_event_terms.csv", line, line.replace(",3,", ",4,"))
    regraded = own.model_copy(update={"dbt_project": changed.dbt_project})
    harmonise(CLINIC, own)
    before = resolve(CLINIC, own)
    assert before.state_id is not None
    assert resolve(CLINIC, own) == before
    assert resolve(CLINIC, regraded).state_id not in (None, before.state_id)


def test_a_new_term_is_a_code_of_the_contract_and_a_row_of_the_page(tmp_path: Path) -> None:
    line = "\nnausea,Nausea,ctcae_v5,gastrointestinal_disorders,3,"
    added = "\nqualm,Qualm (project term),project,psychiatric_disorders,,Made up. Not in CTCAE.,Nobody,recalled"
    seeds = seeds_with(tmp_path, "adverse_event_terms.csv", line, added + line).dbt_project / "seeds"
    column = load_contract().tables["adverse_event"].column("term")
    assert "qualm" in load_contract(seeds=seeds).codes(column)
    assert "qualm" not in load_contract().codes(column)
    assert "| `qualm` | Psychiatric disorders | Made up. Not in CTCAE. |" in render_terms_page(seeds)
    assert "qualm" not in dict(grade_limits(Settings(home=tmp_path, dbt_project=seeds.parent)))


# ---- mistakes


def test_every_mistake_in_the_seeds_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "adverse_event_terms.csv").write_text(
        "term,label,vocabulary,system_class,highest_grade,definition,source,verification\n"
        "nausea,Nausea,ctcae_v5,gastrointestinal_disorders,3,,Book,read\n"
        "nausea,Nausea,ctcae_v5,gastrointestinal_disorders,3,,Book,read\n"
        "Bad Name,Bad,ctcae_v5,gastrointestinal_disorders,3,,Book,read\n"
        "grade_six,Six,ctcae_v5,gastrointestinal_disorders,6,,Book,read\n"
        "no_class,None,ctcae_v5,stomach,3,,Book,read\n"
        "no_grade,None,ctcae_v5,gastrointestinal_disorders,,,Book,read\n"
        "no_meaning,None,project,gastrointestinal_disorders,,,Book,read\n"
        "a_meaning,One,ctcae_v5,gastrointestinal_disorders,3,Ours,Book,read\n"
        "elsewhere,One,meddra,gastrointestinal_disorders,3,,Book,read\n"
        "no_source,One,ctcae_v5,gastrointestinal_disorders,3,,,heard\n"
        "unmapped,One,ctcae_v5,gastrointestinal_disorders,3,,Book,read\n"
        "short,One\n"
    )
    (tmp_path / "expected_events.csv").write_text(
        "drug,term,source,verification\n"
        "ketamine,nausea,Book,read\n"
        "ketamine,nausea,Book,read\n"
        "aspirin,nausea,Book,read\n"
        "ketamine,qualm,Book,read\n"
    )
    with pytest.raises(ClinicOutcomesError) as caught:
        read_vocabularies(tmp_path)
    found = [((problem.file or "").split("/")[-1], problem.line, problem.column) for problem in caught.value.problems]
    assert found == [
        ("adverse_event_terms.csv", 3, None),
        ("adverse_event_terms.csv", 4, "term"),
        ("adverse_event_terms.csv", 5, "highest_grade"),
        ("adverse_event_terms.csv", 6, None),
        ("adverse_event_terms.csv", 7, None),
        ("adverse_event_terms.csv", 8, None),
        ("adverse_event_terms.csv", 9, None),
        ("adverse_event_terms.csv", 10, "vocabulary"),
        ("adverse_event_terms.csv", 11, "source"),
        ("adverse_event_terms.csv", 11, "verification"),
        ("adverse_event_terms.csv", 12, None),
        ("adverse_event_terms.csv", 13, None),
        ("expected_events.csv", 3, "term"),
        ("expected_events.csv", 4, "drug"),
        ("expected_events.csv", 5, "term"),
    ]


def test_a_seed_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClinicOutcomesError) as caught:
        read_vocabularies(tmp_path)
    files = [(problem.file or "").split("/")[-1] for problem in caught.value.problems]
    assert files == ["adverse_event_terms.csv", "expected_events.csv"]
