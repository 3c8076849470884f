"""Who is given what of a release, and how each file says so."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect
from clinic_outcomes.publish import publish
from tests.publish.recipients_network import CLINICS, PEOPLE, audit, build, contents, release_of
from tests.publish.reports import Grid

TITLES = {
    "alder": "Alder House",
    "birch": "Birch Clinic",
    "cedar": "Cedar Centre",
    "dogwood": "Dogwood House",
    "elm": "Elm Practice",
}
CONFIDENTIAL = "Confidential: for the clinic's own clinicians"


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = build(tmp_path_factory.mktemp("home"))
    audit(settings, passed=True)
    return release_of(settings)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _figures(folder: Path) -> set[str]:
    return {row["figure_id"] for path in (folder / "tables").glob("*.csv") for row in _rows(path) if "figure_id" in row}


def test_there_is_a_folder_for_each_recipient(release: Path) -> None:
    assert {path.name for path in release.iterdir()} == {"public", "network", "internal", *TITLES, "release.json"}
    assert {path.name for path in (release / "internal").iterdir()} == set(TITLES)


@pytest.mark.parametrize("folder", ["public", "network"])
def test_reports_of_the_whole_hold_no_figure_of_a_single_clinic(release: Path, folder: str) -> None:
    for name, text in contents(release / folder).items():
        for clinic in TITLES:
            assert f"/{clinic}/" not in text, f"{clinic} in {folder}/{name}"
    assert {figure.split("/")[1] for figure in _figures(release / folder)} == {"network"}
    assert json.loads((release / folder / "manifest.json").read_text())["figures"] == sorted(_figures(release / folder))


def test_the_public_is_told_of_the_whole_by_main_groups_alone(release: Path) -> None:
    figures = _figures(release / "public")
    assert "patients_treated/network//" in figures and "any_event_share/network/term/sedation" in figures
    told = {figure.split("/")[2] for figure in figures}
    assert told <= {"", "protocol", "referral_source", "system_class", "term", "severity", "worst_grade", "risk_level"}
    # Arms of a trial, the quality of deliveries, and what web pages claim are for the network.
    assert "any_event_share/network/trial_arm/a_ketamine" in _figures(release / "network") - figures
    assert not any(figure.startswith("rows_") for figure in figures)
    names = set(contents(release / "public"))
    assert "claims.html" not in names and not {"tables/coverage.csv", "tables/clinics_unnamed.csv"} & names
    page = Grid(release / "public" / "index.html")
    text = (release / "public" / "index.html").read_text(encoding="utf-8")
    assert 'id="comparison"' not in text and "<circle" not in text
    # Who takes part and until when is nobody's figure.
    assert page.row("coverage-table", "Cedar Centre")[1].startswith("2024-02")


def test_which_clinic_referred_whom_is_told_nobody(release: Path) -> None:
    for name, text in contents(release).items():
        assert "referring_clinic/" not in text and "network,referring_clinic" not in text, name


def test_the_network_sees_clinics_without_names(release: Path) -> None:
    text = (release / "network" / "index.html").read_text(encoding="utf-8")
    page = Grid(release / "network" / "index.html")
    comparison = text.partition('id="comparison"')[2].partition('id="coverage"')[0]
    for clinic, title in TITLES.items():
        assert clinic not in comparison.lower() and title not in comparison
    # 97 of 203, 104 of 211, 61 of 187, 127 of 223, 151 of 227: to the nearest 2 of 205, 210, 185, 225, 225.
    funnel = page.tables["funnel-pcl-5-last-response-share-table"][1:]
    assert [row[0] for row in funnel] == ["Point 1", "Point 2", "Point 3", "Point 4", "Point 5"]
    shares = [tuple(re.findall(r"^(\d+)%.* of (\d+)$", row[1])[0]) for row in funnel]
    assert shares == [("32", "185"), ("48", "205"), ("50", "210"), ("56", "225"), ("66", "225")]
    plot = comparison.partition('id="funnel-pcl-5-last-response-share-chart"')[2].partition("</figure>")[0]
    labels = re.findall(r"<circle[^>]*><title>([^<]*)", plot)
    assert labels == [f"Point {n}: {share}% of {of}" for n, (share, of) in enumerate(shares, 1)]
    # Severe events: 7 of 343 is withheld; 21 of 391, 33 of 377, 47 of 369, 52 of 357 in an order of their own.
    assert page.row("comparison-safety", "People with a severe event")[2] == "6% , 8% , 12% , 14% 4 of 5 clinics"
    unnamed = _rows(release / "network" / "tables" / "clinics_unnamed.csv")
    assert [row["shown_value"] for row in unnamed if row["measure"] == "severe_event_share"] == ["6", "8", "12", "14"]
    assert "clinic_id" not in unnamed[0]


def test_a_clinics_figure_of_rows_kept_out_is_for_the_clinic(release: Path) -> None:
    assert len(Grid(release / "network" / "index.html").tables["coverage-table"][0]) == 4
    assert Grid(release / "birch" / "index.html").row("coverage-table", "Birch Clinic")[4].startswith("2% to under 5%")


@pytest.mark.parametrize("clinic", sorted(TITLES))
@pytest.mark.parametrize("kind", ["", "internal/"])
def test_a_clinics_folders_hold_nothing_of_the_others(release: Path, clinic: str, kind: str) -> None:
    for name, text in contents(release / kind / clinic).items():
        for other in set(TITLES) - {clinic}:
            assert other not in text and TITLES[other] not in text, f"{other} in {kind}{clinic}/{name}"
    assert {figure.split("/")[1] for figure in _figures(release / kind / clinic)} <= {"network", clinic}


def test_a_clinics_plot_has_its_own_point_alone(release: Path) -> None:
    text = (release / "birch" / "index.html").read_text(encoding="utf-8")
    labels = re.findall(r"<circle[^>]*data-figure=\"([^\"]*)\"[^>]*><title>([^<]*)", text)
    assert labels == [("pcl_5_last_response_share/birch/protocol/iv_ketamine", "This clinic: 50% of 210"),
                      ("pcl_5_last_paired_share/birch/protocol/iv_ketamine", "This clinic: 56% of 375"),
                      ("severe_event_share/birch//", "This clinic: 8% of 375")]  # fmt: skip
    assert text.count("<circle") == 3


def test_an_internal_report_is_exact_and_of_its_own_clinic(release: Path) -> None:
    page = Grid(release / "internal" / "cedar" / "index.html")
    # Seven people: nobody else is told.
    assert page.row("safety-overall", "Severe event share")[1] == "2.0% 7 of 343"
    assert Grid(release / "cedar" / "index.html").row("safety-overall", "People with a severe event")[1] == "withheld"
    assert page.row("safety-overall", "Severe event share")[2].startswith("9% ")
    rows = {row["figure_id"]: row for row in _rows(release / "internal" / "cedar" / "tables" / "figures.csv")}
    exact = rows["pcl_5_last_response_share/cedar/protocol/iv_ketamine"]
    assert (exact["numerator"], exact["denominator"], exact["patients"]) == ("61", "187", "187")
    assert all(row["figure_id"].split("/")[1] == "cedar" for row in rows.values())
    released = _rows(release / "internal" / "cedar" / "tables" / "released.csv")
    assert {row["clinic_id"] for row in released} == {"network", "cedar"}


def test_what_is_made_with_other_clinics_people_is_not_exact(release: Path) -> None:
    # 0.987654 is worked out from what all clinics' people did: shown to the nearest 0.1.
    for text in contents(release / "internal" / "birch").values():
        assert "0.98" not in text and "0.99" not in text
    page = Grid(release / "internal" / "birch" / "index.html")
    assert page.row("outcomes-protocol", "Intravenous ketamine")
    released = _rows(release / "internal" / "birch" / "tables" / "released.csv")
    own = [row for row in released if row["clinic_id"] == "birch"]
    assert [(row["measure"], row["shown_value"]) for row in own] == [("response_observed_expected", "1")]


def test_signals_tell_of_the_clinics_own_people_alone(release: Path) -> None:
    page = Grid(release / "internal" / "birch" / "index.html")
    assert page.tables["signals-table"][1:] == [["Sedation (project term)", "57", "377", "signal"]]
    rows = _rows(release / "internal" / "birch" / "tables" / "signals.csv")
    columns = {"term", "term_label", "people_with_event", "people_treated", "judgement", "circulation"}
    assert len(rows) == 1 and set(rows[0]) == columns
    # Neither numbers of elsewhere nor what follows from them, nor a term that is no signal.
    for text in contents(release / "internal" / "birch").values():
        for told in ("131", "1467", "1,467", "0.00031415", "2.718281", "elsewhere_", "ebgm", "nausea"):
            assert told not in re.sub(r"[0-9a-f]{16,}", "", text)
    assert Grid(release / "internal" / "elm" / "index.html").tables["signals-table"][1][3] == "cannot be judged"
    assert "signals-table" not in Grid(release / "internal" / "alder" / "index.html").tables


def test_reports_do_not_change_with_exact_numbers_that_protect_did_not_release(tmp_path: Path) -> None:
    settings = build(tmp_path / "one")
    first = contents(release_of(settings))
    other = build(tmp_path / "other")
    marts = other.marts / "latest" / "release" / "agg_figures.parquet"
    # Were a report to read the exact marts, it would tell of them.
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE changed AS SELECT * REPLACE (numerator + 1 AS numerator) FROM '{marts}'")
        connection.execute(f"COPY changed TO '{marts}' (FORMAT parquet)")
    second = contents(release_of(other))
    # An entry of the register is of the exact figures, too.
    entry = re.compile(r'"register_hash": "[0-9a-f]{64}"')
    changed = {name for name in first if entry.sub("", first[name]) != entry.sub("", second[name])}
    assert changed and all(name.startswith("internal/") for name in changed)


@pytest.mark.parametrize("passed", [True, False])
def test_the_word_draft_stands_in_every_file_or_in_none(tmp_path: Path, passed: bool) -> None:
    settings = build(tmp_path)
    audit(settings, passed=passed)
    made = contents(release_of(settings))
    for name, text in made.items():
        if name == "release.json":
            continue
        if name.startswith("internal/"):
            assert CONFIDENTIAL in text.replace("&#39;", "'"), name
            assert "draft" not in text.lower(), name
        elif passed:
            assert "draft" not in text.lower(), name
        else:
            assert "Draft, not for circulation" in text, name
            if name.endswith(".csv"):
                rows = list(csv.DictReader(text.splitlines()))
                assert rows and all(row["circulation"] == "Draft, not for circulation" for row in rows), name


@pytest.mark.parametrize("page", ["index.html", "internal/birch/index.html"])
def test_each_printed_page_says_who_may_read_it(release: Path, page: str) -> None:
    text = (release / ("network/index.html" if page == "index.html" else page)).read_text(encoding="utf-8")
    mark = (
        "For the network and its clinics" if page == "index.html" else "Confidential: for the clinic's own clinicians"
    )
    assert f'@bottom-left {{ content: "{mark}"' in text
    plain = text.replace("&#39;", "'")
    assert f"<title>{mark} \N{EN DASH} " in plain and f"<strong>{mark}.</strong>" in plain.partition("<footer>")[2]


def test_an_audit_makes_another_release_of_the_same_figures(tmp_path: Path) -> None:
    settings = build(tmp_path)
    audit(settings, passed=False)
    draft = release_of(settings)
    assert release_of(settings) == draft
    audit(settings, passed=True)
    audited = release_of(settings)
    assert (draft.name, audited.name) == ("2024-03.1", "2024-03.2")
    rows = [[row["shown_value"] for row in _rows(one / "birch/tables/safety.csv")] for one in (draft, audited)]
    assert rows[0] == rows[1]


def test_of_too_few_clinics_there_are_no_network_figures_and_the_report_says_why(tmp_path: Path) -> None:
    three = {name: PEOPLE[name] for name in ("alder", "birch", "dogwood")}
    kept = [line for line in CLINICS.strip().splitlines() if not line.startswith(("cedar", "elm"))]
    coverage = "clinic_id | table_name | delivered\nalder | patient | true"
    settings = build(tmp_path, three, "\n".join(kept), coverage=coverage)
    release = release_of(settings)
    said = "There are no figures of the network: 3 take part, and a figure of all clinics together is given only from 4"
    for folder in ("public", "network", "birch", "internal/birch"):
        assert said in Grid(release / folder / "index.html").words
    network = Grid(release / "network" / "index.html")
    assert set(network.tables) == {"coverage-table"}
    assert {row["status"] for row in _rows(release / "network/tables/safety.csv")} == {"withheld"}
    assert Grid(release / "birch" / "index.html").row("safety-overall", "People with a severe event")[2] == "withheld"


def test_clinics_without_names_are_not_shown_where_each_is_told_from_the_others(tmp_path: Path) -> None:
    # Too few people responded at two clinics, or failed to: three are left.
    few = PEOPLE | {"elm": (7, 227, 357, 52, 44), "cedar": (5, 187, 343, 7, 3)}
    network = release_of(build(tmp_path, few)) / "network"
    assert "funnel-pcl-5-last-response-share" not in (network / "index.html").read_text(encoding="utf-8")
    assert not any(
        row["measure"] == "pcl_5_last_response_share" for row in _rows(network / "tables" / "clinics_unnamed.csv")
    )


@pytest.mark.parametrize("name", ["public", "internal"])
def test_no_clinic_has_the_name_of_another_recipient(tmp_path: Path, name: str) -> None:
    people = {name if clinic == "elm" else clinic: numbers for clinic, numbers in PEOPLE.items()}
    settings = build(tmp_path, people, CLINICS.replace("elm  ", name))
    with pytest.raises(ClinicOutcomesError, match="name of another recipient"):
        publish(settings)
    assert not settings.releases.exists()


def test_internal_reports_need_the_exact_marts(tmp_path: Path) -> None:
    settings = build(tmp_path)
    protect(settings)
    (settings.marts / "latest" / "release" / "agg_figures.parquet").unlink()
    with pytest.raises(ClinicOutcomesError, match="exact marts"):
        publish(settings)
    assert not settings.releases.exists()
