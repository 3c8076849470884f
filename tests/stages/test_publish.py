"""What publish writes: the released figures and nothing else, the same bytes each time, each recipient its own."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.publish import publish
from clinic_outcomes.register import read_register
from clinic_outcomes.settings import Settings
from tests.support.release_marts import CLINICS, build_marts

MARKS = {"network": "For the network and its clinics", "alder": "For the clinic, which may pass it on"}
MEASURES = """
measure                  | section      | sort_order | label           | figure_type | unit               | contributors
patients_referred        | referral     | 101        | People referred | count       | patients           | patient
patients_contacted       | referral     | 102        | Those contacted | count       | patients           | patient
contacted_share          | referral     | 103        | Contacted       | rate        | percent            | patient
patients_treated         | treatment    | 201        | People treated  | count       | patients           | patient
patients_with_pcl_5_pair | outcomes     | 300        | Both scores     | count       | patients           | patient
paired_share             | outcomes     | 301        | Completeness    | rate        | percent            | patient
pcl_5_change             | outcomes     | 302        | PCL-5 change    | mean        | points             | patient
adverse_events           | safety       | 401        | Adverse events  | count       | events             | event
any_event_share          | safety       | 402        | With an event   | rate        | percent            | patient
events_per_patient       | safety       | 403        | Events a person | mean        | events per patient | patient
rows_quarantined_share   | data_quality | 501        | Rows kept out   | rate        | percent            | row
mystery                  | extra_room   | 601        | Unknown measure | count       | patients           | patient
"""
FIGURES = """
measure                  | clinic_id | dimension    | category           | numerator | denominator | patients | clinics
patients_referred        | alder     | ''           | ''                 | 1237      | -           | 1237     | 1
patients_referred        | birch     | ''           | ''                 | 401       | -           | 401      | 1
patients_referred        | network   | ''           | ''                 | 1638      | -           | 1638     | 4
patients_contacted       | alder     | ''           | ''                 | 618       | -           | 618      | 1
patients_contacted       | network   | ''           | ''                 | 922       | -           | 922      | 4
contacted_share          | alder     | ''           | ''                 | 618       | 1237        | 1237     | 1
patients_treated         | alder     | ''           | ''                 | 503       | -           | 503      | 1
patients_treated         | birch     | ''           | ''                 | 9         | -           | 9        | 1
patients_treated         | network   | ''           | ''                 | 733       | -           | 733      | 4
patients_with_pcl_5_pair | alder     | ''           | ''                 | 203       | -           | 203      | 1
patients_with_pcl_5_pair | network   | ''           | ''                 | 402       | -           | 402      | 4
paired_share             | alder     | ''           | ''                 | 203       | 503         | 503      | 1
paired_share             | network   | ''           | ''                 | 402       | 733         | 733      | 4
pcl_5_change             | alder     | ''           | ''                 | -3797     | 203         | 203      | 1
pcl_5_change             | network   | ''           | ''                 | -7711     | 402         | 402      | 4
adverse_events           | alder     | ''           | ''                 | 1304      | -           | 288      | 1
adverse_events           | alder     | system_class | vascular_disorders | 707       | -           | 188      | 1
adverse_events           | alder     | system_class | eye_disorders      | 14        | -           | 1        | 1
adverse_events           | network   | system_class | vascular_disorders | 911       | -           | 333      | 4
adverse_events           | network   | system_class | eye_disorders      | 61        | -           | 33       | 4
any_event_share          | alder     | system_class | vascular_disorders | 188       | 503         | 503      | 1
any_event_share          | alder     | system_class | eye_disorders      | 1         | 503         | 503      | 1
any_event_share          | network   | system_class | vascular_disorders | 333       | 733         | 733      | 4
any_event_share          | network   | system_class | eye_disorders      | 33        | 733         | 733      | 4
events_per_patient       | alder     | ''           | ''                 | 1304      | 503         | 503      | 1
rows_quarantined_share   | alder     | ''           | ''                 | 31        | 1003        | 0        | 1
mystery                  | cedar     | ''           | ''                 | 717       | -           | 717      | 1
"""
# Worked out by hand from the policy in words: value as a reader sees it, and what it is taken from.
ALDER_ON_THE_PAGE = {
    "patients_referred/alder//": ("1,235", None),
    "patients_contacted/alder//": ("620", None),
    "contacted_share/alder//": ("50%", "of 1,235"),
    "patients_treated/alder//": ("505", None),
    "patients_with_pcl_5_pair/alder//": ("205", None),
    "paired_share/alder//": ("40%", "of 505"),
    "pcl_5_change/alder//": ("\N{MINUS SIGN}19", "of 205"),
    "adverse_events/alder//": ("1,305", None),
    # The number that both shares are taken from is said once, below their table; events by class are in its CSV alone.
    "any_event_share/alder/system_class/vascular_disorders": ("37%", None),
    "any_event_share/alder/system_class/eye_disorders": ("withheld", None),
    "events_per_patient/alder//": ("2.6", "of 505"),
    "rows_quarantined_share/alder//": ("2% to under 5%", "of 1,005"),
}
EXACT = ("1237", "1638", "922", "503", "733", "3797", "7711", "1304", "707", "911", "1003", "-18.7", "2.59", "717")
VOID = {"meta", "br", "hr", "img", "input", "link", "rect"}


class Page(HTMLParser):
    """Reads a page back: is it well nested, which text belongs to which figure, what does it load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, list[str] | None]] = []
        self.drawn: list[tuple[str, list[str]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        figure = values.get("data-figure")
        if figure:
            self.drawn.append((figure, []))
        if tag not in VOID:
            self.open.append((tag, self.drawn[-1][1] if figure else None))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not data.strip() or any(tag == "style" for tag, _ in self.open):
            return
        self.words.append(data.strip())
        within = next((words for _, words in reversed(self.open) if words is not None), None)
        if within is not None:
            within.append(data.strip())

    @property
    def figures(self) -> dict[str, list[str]]:
        return dict(self.drawn)


def _release(home: Path, **marts: str) -> Path:
    build_marts(home, **{"measures": MEASURES, "figures": FIGURES, **marts})
    settings = Settings(home=home)
    protect(settings)
    publish(settings)
    return (home / "releases" / "latest").resolve()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _release(tmp_path_factory.mktemp("home"))


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _csv_rows(recipient: Path) -> Iterator[dict[str, str]]:
    for path in sorted((recipient / "tables").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                if "figure_id" in row:
                    yield row


def test_every_recipient_has_page_tables_and_manifest(release: Path) -> None:
    assert release.name == "2024-03.1"
    folders = {"public", "network", "alder", "birch", "cedar", "internal"}
    assert {path.name for path in release.iterdir()} == {*folders, "release.json"}
    for recipient in ("network", "alder", "birch", "cedar"):
        names = set(_contents(release / recipient))
        assert {
            "index.html",
            "claims.html",
            "methods.html",
            "manifest.json",
            "tables/coverage.csv",
            "tables/data_dictionary.csv",
        } <= names
    assert (release / "network" / "tables" / "safety.csv").is_file()


def test_numbers_on_the_page_are_those_worked_out_by_hand(release: Path) -> None:
    page = Page((release / "alder" / "index.html").read_text(encoding="utf-8"))
    for figure_id, words in page.drawn:
        if "/alder/" in figure_id:
            text, of = ALDER_ON_THE_PAGE[figure_id]
            assert words[0] == text, figure_id
            assert of is None or of in words, figure_id
    assert {figure for figure in page.figures if "/alder/" in figure} == set(ALDER_ON_THE_PAGE)


@pytest.mark.parametrize("recipient", ["network", "alder", "birch", "cedar"])
def test_page_and_csv_say_what_was_released(release: Path, recipient: str) -> None:
    home = release.parents[1]
    released = {
        row[0]: row[1:]
        for row in duckdb.sql(
            f"SELECT figure_id, status, shown_value, shown_denominator, figure_type, shown_upper, unit "
            f"FROM '{released_folder(Settings(home=home))}/figures.parquet'"
            f" JOIN '{released_folder(Settings(home=home))}/measures.parquet' USING (measure, figure_type)"
        ).fetchall()
    }
    lines = list(_csv_rows(release / recipient))
    expected = {figure_id for figure_id in released if figure_id.split("/")[1] in (recipient, "network")}
    assert {line["figure_id"] for line in lines} == expected
    for line in lines:
        status, value, denominator, *_ = released[line["figure_id"]]
        assert line["status"] == status
        assert (Decimal(line["shown_value"]) if line["shown_value"] else None) == value
        assert (int(line["shown_denominator"]) if line["shown_denominator"] else None) == denominator
    page = Page((release / recipient / "index.html").read_text(encoding="utf-8"))
    assert set(page.figures) <= expected
    for figure_id, words in page.drawn:
        status, value, denominator, _, upper, _ = released[figure_id]
        if status == "withheld":
            assert words == ["withheld"]
        elif upper is None:
            number = re.match(r"[\N{MINUS SIGN}\d.,]+", words[0])
            assert number is not None
            assert Decimal(number.group().replace(",", "").replace("\N{MINUS SIGN}", "-")) == value
        taken_from = [word for word in words if word.startswith("of ")]
        assert taken_from in ([], [f"of {denominator:,}" if denominator else ""])


def test_nothing_exact_is_anywhere_in_a_release(release: Path) -> None:
    for name, content in _contents(release).items():
        if name.startswith("internal/"):  # exact by intent, each of its own clinic
            continue
        text = content.decode().replace(",", "").replace("\N{MINUS SIGN}", "-")
        text = re.sub(r"[0-9a-f]{16,}", "", text)
        for exact in EXACT:
            assert not re.search(rf"(?<![\d.]){re.escape(exact)}", text), f"{exact} in {name}"


@pytest.mark.parametrize("clinic", ["alder", "birch", "cedar"])
def test_a_clinics_folder_holds_nothing_of_the_others(release: Path, clinic: str) -> None:
    titles = {"alder": "Alder House", "birch": "Birch Clinic", "cedar": "Cedar Centre"}
    for name, content in _contents(release / clinic).items():
        text = content.decode()
        for other in set(titles) - {clinic}:
            assert other not in text and titles[other] not in text, f"{other} in {clinic}/{name}"


def test_network_page_says_who_takes_part_and_what_is_not_delivered(release: Path) -> None:
    page = Page((release / "network" / "index.html").read_text(encoding="utf-8"))
    words = " ".join(page.words)
    assert all(title in words for title in ("Alder House", "Birch Clinic", "Cedar Centre"))
    assert "older than 2024-03" in words
    lines = (release / "network" / "tables" / "coverage.csv").read_text(encoding="utf-8").splitlines()
    assert "cedar,Cedar Centre,2024-02,stale,adverse_event,not delivered,For the network and its clinics" in lines
    assert "alder,Alder House,2024-03,up to date,adverse_event,delivered,For the network and its clinics" in lines
    assert "not delivered" in Page((release / "cedar" / "index.html").read_text(encoding="utf-8")).words


@pytest.mark.parametrize("name", ["index.html", "claims.html", "methods.html"])
@pytest.mark.parametrize("recipient", ["network", "alder"])
def test_pages_are_self_contained_and_accessible(release: Path, recipient: str, name: str) -> None:
    text = (release / recipient / name).read_text(encoding="utf-8")
    page = Page(text)
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    assert not re.search(r"https?://|@import|url\(", text)
    identifiers = [values["id"] for _, values in page.tags if values.get("id")]
    assert len(identifiers) == len(set(identifiers))
    for tag, values in page.tags:
        if tag == "a":
            target, _, anchor = str(values["href"]).partition("#")
            beside = (release / recipient / (target or name)).read_text(encoding="utf-8")
            assert not anchor or f'id="{anchor}"' in beside, values["href"]
    assert ("html", {"lang": "en"}) in page.tags
    assert any(tag == "meta" and values.get("name") == "viewport" for tag, values in page.tags)
    assert tags.count("h1") == 1 and tags.count("title") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in itertools.pairwise(levels))
    assert tags.count("caption") == tags.count("table") >= (4 if name == "index.html" else 1)
    assert all(values.get("scope") for tag, values in page.tags if tag == "th")
    assert MARKS[recipient] in " ".join(page.words) and "draft" not in text.lower()
    assert "988" in " ".join(page.words)


def test_every_measure_is_defined_on_the_page_of_methods(release: Path) -> None:
    page = Page((release / "network" / "methods.html").read_text(encoding="utf-8"))
    # Of the figures of a report: some are of single clinics alone.
    pages = [
        page,
        *(Page((release / name / "methods.html").read_text(encoding="utf-8")) for name in ("alder", "cedar")),
    ]
    identifiers = {values.get("id") for one in pages for _, values in one.tags}
    for line in MEASURES.strip().splitlines()[1:]:
        assert f"measure-{line.split('|')[0].strip()}" in identifiers
    assert (
        "What PCL-5 change means. An average (points), to the nearest 2, of 100 or more to the nearest 1." in page.words
    )


def test_a_section_the_outline_does_not_name_still_appears(release: Path) -> None:
    page = Page((release / "cedar" / "index.html").read_text(encoding="utf-8"))
    assert page.figures["mystery/cedar//"][0] == "715"
    assert "Extra room" in page.words


def test_manifest_names_files_and_figures_and_their_policy(release: Path) -> None:
    manifest = json.loads((release / "alder" / "manifest.json").read_text(encoding="utf-8"))
    contents = _contents(release / "alder")
    assert set(manifest["files"]) == set(contents) - {"manifest.json"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256(contents[name]).hexdigest() == digest
    assert manifest["figures"] == sorted({row["figure_id"] for row in _csv_rows(release / "alder")})
    assert manifest["reporting_period"] == "2024-03"
    assert manifest["build_id"] == "00000000000000b1"
    assert manifest["policy"]["counts"]["smallest_shown"] == 13
    assert manifest["status"] == MARKS["alder"]
    assert manifest["register_entry"] == 1
    assert manifest["register_hash"] == read_register(Settings(home=release.parents[1]))[0].hash


def test_same_marts_give_the_same_bytes(release: Path, tmp_path: Path) -> None:
    assert _contents(_release(tmp_path / "elsewhere")) == _contents(release)


def test_an_unchanged_build_makes_no_new_release_and_a_changed_one_does(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = _release(tmp_path)
    assert publish(settings).release_id == "2024-03.1"
    build_marts(tmp_path, measures=MEASURES, figures=FIGURES.replace("1237", "1337"), build_id="00000000000000b2")
    protect(settings)
    assert publish(settings).release_id == "2024-03.2"
    assert (tmp_path / "releases" / "latest").readlink() == Path("2024-03.2")
    (tmp_path / "marts" / "latest").unlink()
    (tmp_path / "marts" / "latest").symlink_to("00000000000000b1")
    # Another release came between: the first build is judged again, and its release is another one.
    with pytest.raises(ClinicOutcomesError, match="since the last release; run the stage protect first"):
        publish(settings)
    protect(settings)
    assert publish(settings).release_id == publish(settings).release_id == "2024-03.3"
    folders = [tmp_path / "releases" / f"2024-03.{number}" for number in (1, 2, 3)]
    assert folders[0] == first
    entries = [json.loads((folder / "release.json").read_text())["register_entry"] for folder in folders]
    assert entries == [1, 2, 3]
    assert [entry.number for entry in read_register(settings)] == [1, 2, 3]


def test_the_build_that_was_approved_is_published_whatever_was_built_since(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first = _release(tmp_path)
    build_marts(tmp_path, measures=MEASURES, figures=FIGURES.replace("1237", "1337"), build_id="00000000000000b2")
    # The newer build was never protected, and nobody approved it.
    assert publish(settings, "00000000000000b1").release_id == first.name
    with pytest.raises(ClinicOutcomesError):
        publish(settings, "00000000000000b2")


def test_delivered_text_is_neither_markup_nor_formula(tmp_path: Path) -> None:
    release = _release(
        tmp_path,
        clinics=CLINICS.replace("Alder House", "=HYPERLINK(1)<script>x</script>"),
        measures=MEASURES.replace("People treated ", "+People treated"),
    )
    page = (release / "network" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page and "&lt;script&gt;" in page
    cells = [
        cell
        for path in (release / "network" / "tables").glob("*.csv")
        for row in csv.reader(path.open(encoding="utf-8", newline=""))
        for cell in row
    ]
    assert "'+People treated" in cells
    for cell in cells:
        assert not cell.startswith(("=", "+", "@", "\t", "\r"))
        assert not cell.startswith("-") or re.fullmatch(r"-\d+(\.\d+)?", cell)


def test_publish_needs_what_protect_released(tmp_path: Path) -> None:
    build_marts(tmp_path, measures=MEASURES, figures=FIGURES)
    with pytest.raises(ClinicOutcomesError, match="run the stage protect first"):
        publish(Settings(home=tmp_path))
    assert not (tmp_path / "releases").exists()


def test_publish_reads_nothing_but_what_is_released_internal_or_entered_in_the_register(
    release: Path, tmp_path: Path
) -> None:
    build_marts(tmp_path, measures=MEASURES, figures=FIGURES)
    settings = Settings(home=tmp_path)
    protect(settings)
    build = released_folder(settings).parent
    entered = {f"{mart}.parquet" for mart in ("agg_figures", "agg_cells", "agg_figure_cells", "dim_counts")}
    for path in (build / "release").iterdir():
        if path.name not in entered:
            path.unlink()
    publish(settings)
    assert _contents(tmp_path / "releases" / "2024-03.1") == _contents(release)


def test_colours_have_enough_contrast() -> None:
    css = (Path(__file__).parents[2] / "src/clinic_outcomes/publish/templates/style.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", css))

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    pairs = [(text, ground) for text in ("ink", "quiet", "accent") for ground in ("paper", "wash")]
    for text, ground in [*pairs, ("alert", "alert-wash"), ("alert", "paper")]:
        lighter, darker = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (text, ground)


def test_two_workers_at_once_make_one_release(tmp_path: Path) -> None:
    build_marts(tmp_path, measures=MEASURES, figures=FIGURES)
    settings = Settings(home=tmp_path)

    def both_stages(_: int) -> str:
        protect(settings)
        return publish(settings).release_id

    with ThreadPoolExecutor(4) as workers:
        assert set(workers.map(both_stages, range(4))) == {"2024-03.1"}
    assert sorted(path.name for path in (tmp_path / "releases").iterdir()) == ["2024-03.1", "latest"]


def test_a_wide_breakdown_is_continued_in_another_table(tmp_path: Path) -> None:
    names = [f"measure_{number}" for number in range(5)]
    measures = "measure | section | sort_order | label | figure_type | unit | contributors\n" + "\n".join(
        f"{name} | treatment | {number} | {name} | count | events | event" for number, name in enumerate(names)
    )
    figures = "measure | clinic_id | dimension | category | numerator | denominator | patients | clinics\n" + "\n".join(
        f"{name} | {clinic} | severity | mild | 500 | - | 500 | {clinics}"
        for name in names
        for clinic, clinics in (("alder", 1), ("network", 4))
    )
    release = _release(tmp_path, measures=measures, figures=figures)
    page = Page((release / "alder" / "index.html").read_text(encoding="utf-8"))
    tables = [values["id"] for tag, values in page.tags if tag == "table"]
    assert tables == ["treatment-severity", "treatment-severity-2", "coverage-table"]
    assert sorted(figure for figure, _ in page.drawn) == sorted(
        f"{name}/{clinic}/severity/mild" for name in names for clinic in ("alder", "network")
    )
