"""A release that says more than it may is refused: leaks planted one by one into a release that was sound."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from clinic_outcomes.files import canonical_json, sha256_file
from clinic_outcomes.problems import ClinicOutcomesError
from clinic_outcomes.protect import released_folder
from clinic_outcomes.publish import publish, stage
from clinic_outcomes.publish.exact import Exact, read_exact
from clinic_outcomes.publish.outline import load_outline
from clinic_outcomes.publish.read_back import read_back
from clinic_outcomes.publish.released import read_released
from clinic_outcomes.publish.view import Release, View
from clinic_outcomes.register import read_register
from tests.publish.recipients_network import audit, build, release_of

RESPONSE = "pcl_5_last_response_share"
OWN = f"{RESPONSE}/birch/protocol/iv_ketamine"
ROW = 'data-figure="severe_event_share/birch//"><span class="number">8%</span>'


@dataclass(frozen=True)
class Sound:
    """A sound release and what it is compared with."""

    folder: Path
    release: Release
    exact: Exact


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    settings = build(tmp_path_factory.mktemp("home"))
    audit(settings, passed=True)
    folder = release_of(settings)
    released = released_folder(settings)
    entry = read_register(settings)[-1]
    entered_as = (entry.number, entry.hash)
    release = Release(read_released(released, settings), load_outline(), settings.crisis_line, entered_as=entered_as)
    return Sound(folder, release, read_exact(released.parent, settings))


def _refused(folder: Path, sound: Sound) -> list[tuple[str, str | None]]:
    """Rule and file of each problem found; none where the release is sound."""
    try:
        read_back(folder, sound.release, sound.exact, {})
    except ClinicOutcomesError as refused:
        return [(problem.rule, problem.file) for problem in refused.problems]
    return []


def _changed(sound: Sound, home: Path, name: str, change: Callable[[str], str]) -> Path:
    """A copy of the release in which one file is another, and its manifest knows."""
    folder = home / "planted"
    shutil.copytree(sound.folder, folder)
    path = folder / name
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before, "nothing was planted"
    path.write_text(after, encoding="utf-8", newline="")
    recipient = path.parent if path.suffix != ".csv" else path.parent.parent
    manifest = json.loads((recipient / "manifest.json").read_text(encoding="utf-8"))
    if path.name != "manifest.json":
        manifest["files"][path.relative_to(recipient).as_posix()] = sha256_file(path)
        (recipient / "manifest.json").write_text(canonical_json(manifest), encoding="utf-8")
    return folder


def replaced(old: str, new: str) -> Callable[[str], str]:
    """The first ``old`` becomes ``new``."""
    return lambda text: text.replace(old, new, 1)


def matched(pattern: str, new: str) -> Callable[[str], str]:
    """The first match becomes ``new``."""
    return lambda text: re.sub(pattern, new, text, count=1, flags=re.DOTALL)


def beside(before: str, planted: str) -> Callable[[str], str]:
    """``planted`` stands before ``before``."""
    return replaced(before, planted + before)


PAGE, TABLE = "birch/index.html", "birch/tables/safety.csv"
LEAKS: dict[str, tuple[str, Callable[[str], str], str]] = {
    # Numbers of figures on a page.
    "another value": (PAGE, replaced(ROW, ROW.replace("8%", "9%")), "not_the_released_value"),
    "a finer value": (PAGE, replaced(ROW, ROW.replace("8%", "8.75%")), "not_the_released_value"),
    "a value that is no number": (PAGE, replaced(ROW, ROW.replace("8%", "8 %")), "label_does_not_round_trip"),
    "a thousand in another way": (PAGE, replaced("of 375", "of 3,75"), "label_does_not_round_trip"),
    "the exact denominator": (PAGE, replaced("of 375", "of 377"), "not_the_released_denominator"),
    "a second number in a cell": (PAGE, replaced(ROW, f'{ROW}<span class="number">7</span>'), "text_cannot_be_placed"),
    "bare text in a cell": (PAGE, replaced(ROW, f"{ROW} 33"), "text_cannot_be_placed"),
    "a number behind a mark": (
        PAGE,
        replaced(ROW, f'{ROW}<span class="few">†<span class="hidden"> 33</span></span>'),
        "text_cannot_be_placed",
    ),
    "text of a class nobody knows": (PAGE, replaced(ROW, f'{ROW}<i class="exactly">33</i>'), "text_cannot_be_placed"),
    "an interval elsewhere": (
        PAGE,
        matched(
            r'(severe_event_share/birch//"><span class="number">8%</span><span class="range">)[^<]*', r"\g<1>40% to 60%"
        ),
        "interval_without_its_value",
    ),
    "a number for a withheld figure": (
        "cedar/index.html",
        matched(
            r'(data-figure="severe_event_share/cedar//">)<a class="withheld"[^>]*>withheld</a>',
            r'\1<span class="number">2%</span>',
        ),
        "withheld_figure_has_a_number",
    ),
    "a denominator for a withheld figure": (
        "cedar/index.html",
        matched(
            r'(data-figure="severe_event_share/cedar//"><a class="withheld"[^>]*>withheld</a>)',
            r'\1<span class="of">of 345</span>',
        ),
        "not_the_released_value",
    ),
    "a cell without a figure": (
        PAGE,
        replaced("</tr>\n</tbody>", "<td>33</td></tr>\n</tbody>"),
        "cell_cannot_be_placed",
    ),
    "a figure nobody has": (
        PAGE,
        replaced("severe_event_share/birch//", "no_such_share/birch//"),
        "figure_of_another_recipient",
    ),
    "a headline": (
        PAGE,
        matched(r'(<dd class="own" data-figure="patients_treated/birch//"><span class="number">)\d+', r"\g<1>377"),
        "not_the_released_value",
    ),
    "the network's figure beside": (
        PAGE,
        matched(r'(data-figure="patients_treated/network//"><span class="number">)[\d,]+', r"\g<1>1,837"),
        "not_the_released_value",
    ),
    "a count of seven": (
        PAGE,
        matched(r'(data-figure="patients_treated/birch//"><span class="number">)\d+', r"\g<1>7"),
        "count_from_1_to_10",
    ),
    "a share of seven": (PAGE, replaced("of 375", "of 7"), "count_from_1_to_10"),
    # Words about figures.
    "an example": (PAGE, matched(r'(data-said="example"[^>]*>about )\d+', r"\g<1>33"), "not_the_released_value"),
    "a sentence of its own": (PAGE, beside("</main>", "<p>There were 7 patients with it.</p>"), "count_from_1_to_10"),
    "a coverage of a claim": (
        "birch/claims.html",
        matched(r'(data-said="part"[^>]*>about )\d+', r"\g<1>33"),
        "not_what_follows_from_its_figures",
    ),
    # Charts.
    "a label of a point": (
        PAGE,
        replaced("This clinic: 50% of 210", "This clinic: 49% of 210"),
        "not_the_released_value",
    ),
    "a label of a point's people": (
        PAGE,
        replaced("This clinic: 50% of 210", "This clinic: 50% of 211"),
        "not_the_released_denominator",
    ),
    "a point placed exactly": (
        PAGE,
        matched(rf'(data-figure="{OWN}" cx="[\d.]+" cy=")[\d.]+', r"\g<1>133.1"),
        "point_is_not_where_its_label_says",
    ),
    "a description": (
        PAGE,
        replaced("Funnel plot of 1 clinic about", "Funnel plot of 1 clinic with 104 of 211 about"),
        "description_says_more_than_the_chart",
    ),
    "a line at the exact share": (
        PAGE,
        matched(r'(<path class="centre" d="M[\d.]+ )[\d.]+', r"\g<1>120.5"),
        "line_without_a_point",
    ),
    # What nobody sees on a page, and everybody can read.
    "a comment": (PAGE, beside("</main>", "<!-- 33 of 377 -->"), "element_of_an_unknown_kind"),
    "a tooltip": (PAGE, replaced(f"<td {ROW}", f'<td title="33 of 377" {ROW}'), "element_of_an_unknown_kind"),
    "an attribute of its own": (PAGE, replaced(ROW, f'data-exactly="33" {ROW}'), "element_of_an_unknown_kind"),
    "a script": (PAGE, beside("</main>", "<script>x = 33</script>"), "element_of_an_unknown_kind"),
    "a style that writes": (
        PAGE,
        beside("</style>", 'td::after { content: "33"; }'),
        "style_sheet_is_not_the_projects",
    ),
    "a label for those who listen": (
        PAGE,
        replaced('aria-label="Contents"', 'aria-label="1,237 referred"'),
        "number_cannot_be_placed",
    ),
    "a number in a sentence": (PAGE, beside("</main>", "<p>All of 1,237 were asked.</p>"), "number_cannot_be_placed"),
    "a number in a heading": (PAGE, replaced('<th scope="row">', '<th scope="row">1,237: '), "number_cannot_be_placed"),
    # Other clinics.
    "another clinic's figure": (
        PAGE,
        replaced("severe_event_share/birch//", "severe_event_share/elm//"),
        "figure_of_another_recipient",
    ),
    "another clinic's point": (
        PAGE,
        beside(
            "</svg>\n</figure>", '<circle class="dot" cx="9" cy="9" r="5"><title>Point 2: 66% of 225</title></circle>'
        ),
        "clinics_beside_each_other",
    ),
    "another clinic's name in a tooltip": (
        PAGE,
        replaced("<table", '<table title="like Elm Practice"'),
        "names_another_clinic",
    ),
    "another clinic's id in SVG": (
        PAGE,
        replaced("<desc", f'<g id="{RESPONSE}/elm/protocol/x"></g><desc'),
        "figure_of_another_recipient",
    ),
    "another clinic's id in a comment": (
        PAGE,
        beside("</main>", "<!-- severe_event_share/elm// -->"),
        "figure_of_another_recipient",
    ),
    "a clinic's id in the network's page": (
        "network/index.html",
        beside("</main>", "<!-- severe_event_share/elm// -->"),
        "figure_of_another_recipient",
    ),
    "a named point in the network's plot": (
        "network/index.html",
        replaced("Point 2: ", "Elm Practice: "),
        "point_has_a_name",
    ),
    "points in an order of their own": (
        "network/index.html",
        lambda text: re.sub(
            r"Point 1: ([^<]*)(.*?)Point 2: ([^<]*)", r"Point 1: \3\2Point 2: \1", text, count=1, flags=re.DOTALL
        ),
        "point_is_not_where_its_label_says",
    ),
    "clinics in an order of their own": (
        "network/index.html",
        replaced(
            '<span class="number">6%</span>, <span class="number">8%</span>',
            '<span class="number">8%</span>, <span class="number">6%</span>',
        ),
        "order_tells_who_it_is",
    ),
    "a withheld clinic among the unnamed": (
        "network/index.html",
        replaced(
            '<span class="number">6%</span>, ', '<span class="number">2%</span>, <span class="number">6%</span>, '
        ),
        "label_does_not_round_trip",
    ),
    "lines of clinics in another order": (
        "network/tables/clinics_unnamed.csv",
        matched(r"(severe_event_share[^\n]*\n)(severe_event_share[^\n]*\n)", r"\2\1"),
        "order_tells_who_it_is",
    ),
    # Tables.
    "another value in a table": (
        TABLE,
        matched(r"(severe_event_share/birch//[^\n]*,shown,)8,", r"\g<1>8.8,"),
        "not_the_released_value",
    ),
    "the exact denominator in a table": (
        TABLE,
        matched(r"(severe_event_share/birch//[^\n]*,shown,8,,)375", r"\g<1>377"),
        "not_the_released_denominator",
    ),
    "a figure of this release as one of an earlier": (
        PAGE,
        replaced(ROW, f'{ROW}<span class="as-of">as of 2024-01</span>'),
        "not_the_released_value",
    ),
    "a period in other words": (
        PAGE,
        replaced(ROW, f'{ROW}<span class="as-of">of 33</span>'),
        "label_does_not_round_trip",
    ),
    "a line as one of an earlier release": (
        TABLE,
        matched(r"(severe_event_share/birch//[^\n]*,shown,8,,375,),", r"\g<1>2024-01,"),
        "not_the_released_value",
    ),
    "a withheld figure's interval": (
        "cedar/tables/safety.csv",
        matched(r"(severe_event_share/cedar//[^\n]*,withheld,,,,,),", r"\g<1>1,"),
        "withheld_figure_has_a_number",
    ),
    "a line of another clinic": (
        TABLE,
        lambda text: text + text.splitlines()[1].replace("/birch/", "/elm/").replace(",birch,", ",elm,") + "\n",
        "figure_of_another_recipient",
    ),
    "a line under another name": (
        TABLE,
        matched(r"(severe_event_share/birch//,)severe_event_share", r"\1any_event_share"),
        "cell_cannot_be_placed",
    ),
    "a number in a label of a table": (
        TABLE,
        matched(r"(severe_event_share/birch//,severe_event_share,)[^,]*", r"\g<1>33 of 377"),
        "cell_cannot_be_placed",
    ),
    "a number in a definition": (
        "birch/tables/data_dictionary.csv",
        replaced("What Severe event share means.", "33 of 377."),
        "cell_cannot_be_placed",
    ),
    "another period of a clinic": (
        "network/tables/coverage.csv",
        replaced("Cedar Centre,2024-02", "Cedar Centre,2024-01"),
        "cell_cannot_be_placed",
    ),
    "a column of its own": (TABLE, lambda text: re.sub(r"\n", ",33\n", text), "column_of_an_unknown_kind"),
    "a table without its mark": (
        TABLE,
        replaced("which may pass it on", "which may do as it likes"),
        "file_is_not_marked",
    ),
    "another delivery": (
        "network/tables/coverage.csv",
        replaced(",not delivered", ",delivered"),
        "cell_cannot_be_placed",
    ),
    # The public.
    "a breakdown that is not for the public": (
        "public/tables/safety.csv",
        replaced("any_event_share/network/term/sedation", "any_event_share/network/trial_arm/a_ketamine"),
        "figure_of_another_recipient",
    ),
    "a section that is not for the public": (
        "public/tables/safety.csv",
        replaced("severe_event_share/network//", "rows_quarantined_share/network//"),
        "figure_of_another_recipient",
    ),
    # Internal reports.
    "another clinic's exact figure": (
        "internal/birch/index.html",
        matched('data-exact="([a-z_0-9]+)/birch', r'data-exact="\1/elm'),
        "figure_of_another_recipient",
    ),
    "an exact figure in a report that circulates": (
        PAGE,
        replaced(ROW, ROW.replace("data-figure", "data-exact")),
        "figure_of_another_recipient",
    ),
    "an exact figure that is none": (
        "internal/birch/index.html",
        replaced("33 of 377", "32 of 377"),
        "not_the_exact_value",
    ),
    "a released figure beside the own": (
        "internal/birch/index.html",
        matched(r'(data-figure="severe_event_share/network//"><span class="number">)9%', r"\g<1>8.7%"),
        "not_the_released_value",
    ),
    "the network's people of a signal": (
        "internal/birch/index.html",
        replaced("<td>377</td>", "<td>1467</td>"),
        "not_the_exact_value",
    ),
    "an internal page without its mark": (
        "internal/birch/index.html",
        lambda text: text.replace("Confidential", "Interesting"),
        "file_is_not_marked",
    ),
    # Marks and the manifest.
    "a report of an audited release as a draft": (PAGE, beside("</main>", "<p>Draft</p>"), "marked_as_a_draft"),
    "a page left open": (PAGE, beside("</main>", "<div>"), "page_is_not_well_nested"),
    "a figure of another clinic in the manifest": (
        "birch/manifest.json",
        replaced('"severe_event_share/birch//"', '"severe_event_share/elm//"'),
        "figure_of_another_recipient",
    ),
    "a figure too many in the manifest": (
        "birch/manifest.json",
        matched(r'    "severe_event_share/birch//",?\n', ""),
        "figures_are_not_those_of_the_tables",
    ),
    "a manifest of another build": (
        "birch/manifest.json",
        replaced("00000000000000b1", "00000000000000b2"),
        "manifest_is_of_another_release",
    ),
    "a manifest of another entry of the register": (
        "birch/manifest.json",
        replaced('"register_entry": 1', '"register_entry": 2'),
        "manifest_is_of_another_release",
    ),
    "a key nobody knows in the manifest": (
        "birch/manifest.json",
        replaced('"policy_id"', '"exact": 33,\n  "policy_id"'),
        "file_of_an_unknown_kind",
    ),
}


def test_a_sound_release_is_read_back_without_a_word(sound: Sound) -> None:
    assert _refused(sound.folder, sound) == []


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_refuses_the_release(sound: Sound, tmp_path: Path, leak: str) -> None:
    name, change, rule = LEAKS[leak]
    refused = _refused(_changed(sound, tmp_path, name, change), sound)
    assert (rule, name) in refused, refused


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("birch/tables/patients.csv", "file_of_an_unknown_kind"),
        ("birch/report.xlsx", "file_of_an_unknown_kind"),
        ("birch/.hidden", "file_of_an_unknown_kind"),
        ("internal/birch/claims.html", "file_of_an_unknown_kind"),
        ("public/tables/coverage.csv", "file_of_an_unknown_kind"),
        ("willow/index.html", "file_of_an_unknown_kind"),
        ("notes.txt", "file_of_an_unknown_kind"),
    ],
)
def test_a_file_nobody_expects_refuses_the_release(sound: Sound, tmp_path: Path, name: str, rule: str) -> None:
    folder = tmp_path / "planted"
    shutil.copytree(sound.folder, folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("figure_id\n", encoding="utf-8")
    assert (rule, name) in _refused(folder, sound)


def test_a_link_to_a_file_elsewhere_refuses_the_release(sound: Sound, tmp_path: Path) -> None:
    folder = tmp_path / "planted"
    shutil.copytree(sound.folder, folder)
    (folder / "birch" / "claims.html").unlink()
    (folder / "birch" / "claims.html").symlink_to(folder / "elm" / "claims.html")
    assert ("file_of_an_unknown_kind", "birch/claims.html") in _refused(folder, sound)


def test_a_file_changed_after_it_was_listed_refuses_the_release(sound: Sound, tmp_path: Path) -> None:
    folder = tmp_path / "planted"
    shutil.copytree(sound.folder, folder)
    with (folder / "birch" / "methods.html").open("a", encoding="utf-8") as stream:
        stream.write("\n")
    assert _refused(folder, sound) == [("files_are_not_those_of_the_manifest", "birch/manifest.json")]


def test_a_missing_page_refuses_the_release(sound: Sound, tmp_path: Path) -> None:
    folder = tmp_path / "planted"
    shutil.copytree(sound.folder, folder)
    (folder / "public" / "index.html").unlink()
    assert ("file_is_missing", "public/index.html") in _refused(folder, sound)


def test_what_refuses_a_release_is_named_without_any_number(sound: Sound, tmp_path: Path) -> None:
    folder = _changed(sound, tmp_path, PAGE, replaced(ROW, ROW.replace("8%", "77.7%")))
    with pytest.raises(ClinicOutcomesError) as refused:
        read_back(folder, sound.release, sound.exact, {})
    (problem,) = refused.value.problems
    assert (problem.rule, problem.clinic, problem.file) == ("not_the_released_value", "birch", PAGE)
    assert "severe_event_share/birch//" in problem.message and "birch" in problem.message
    assert "77.7" not in str(refused.value)


def test_code_that_tells_clinics_of_each_other_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = build(tmp_path)
    first = release_of(settings)
    # The same figures in another release, by code that has forgotten whose they are.
    monkeypatch.setattr(View, "may_see", lambda self, scope, dimension: True)
    monkeypatch.setattr(stage, "publish_code", lambda: "0" * 16)
    with pytest.raises(ClinicOutcomesError, match="figure_of_another_recipient"):
        publish(settings)
    assert sorted(path.name for path in settings.releases.iterdir()) == [first.name, "latest"]
    assert (settings.releases / "latest").resolve() == first
