"""Small releases with figures of questionnaires, and their pages read back."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

from clinic_outcomes.protect import protect, released_folder
from clinic_outcomes.publish import publish
from clinic_outcomes.publish.outline import load_outline
from clinic_outcomes.publish.released import Released, read_released
from clinic_outcomes.publish.view import Release
from clinic_outcomes.settings import Settings
from tests.support.release_marts import build_marts

HEADER = (
    *("measure", "section", "sort_order", "label", "figure_type", "unit", "contributors"),
    *("instrument", "time_point", "time_point_label", "interval_number", "quantity", "completeness_measure"),
    *("time_window", "threshold_set", "source", "count_measure"),
)
TYPES = {
    "paired": ("count", "patients"),
    "not_assessable": ("count", "patients"),
    "baseline": ("mean", "points"),
    "score": ("mean", "points"),
    "change": ("mean", "points"),
    "change_sd": ("model_value", "points"),
    "sustained_response": ("life_table_row", "percent"),
}
"""Figure type and unit by quantity; every other one is a share."""
THRESHOLDS = """
instrument | quantity         | threshold_set | value | unit    | citation        | verification | is_used
pcl_5      | response_percent | thirty        | 30    | percent | Somebody 2020   | read         | true
pcl_5      | response_percent | fifty         | 50    | percent | Another 2021    | unverified   | false
phq_9      | response_percent | half          | 50    | percent | Third 1999      | secondary    | true
phq_9      | reliable_change  | sample        | -     | point   | Fourth 1991     | read         | false
"""
DIMENSIONS = """
dimension      | sort_order | label           | scope
protocol       | 10         | Protocol        | clinic
trial_arm      | 20         | Trial arm       | clinic
baseline_third | 30         | Baseline third  | network
"""
Row = tuple[object, ...]


def questionnaire(
    instrument: str, label: str, point: str, point_label: str, quantities: Iterable[str], order: int, window: str = ""
) -> list[Row]:
    """Rows of ``dim_measures`` for an instrument at a time point."""
    rows: list[Row] = []
    for number, quantity in enumerate(quantities):
        figure_type, unit = TYPES.get(quantity, ("rate", "percent"))
        known = "" if quantity in ("paired", "paired_share") else f"{instrument}_{point}_paired_share"
        judged = "thirty" if quantity.startswith("response") else ""
        name = f"{instrument}_{point}_{quantity}"
        text = f"{label} {point_label}: {quantity.replace('_', ' ')}"
        about = (
            instrument,
            point,
            point_label,
            None,
            quantity,
            known,
            window,
            judged,
            "Somebody 2020" if judged else "",
        )
        rows.append((name, "outcomes", order + number, text, figure_type, unit, "patient", *about, ""))
    return rows


def plain_measure(
    name: str,
    section: str,
    figure_type: str,
    unit: str,
    contributors: str = "patient",
    *,
    completeness: str = "",
    count_measure: str = "",
) -> Row:
    """A row of ``dim_measures`` for a measure of no questionnaire."""
    label = name.replace("_", " ").capitalize()
    about = ("", "", "", None, name, completeness, "Always", "", "", count_measure)
    return (name, section, 1, label, figure_type, unit, contributors, *about)


def table(header: Iterable[str], rows: Iterable[Row]) -> str:
    """The text of a table as ``build_marts`` reads it."""
    lines = [" | ".join(header)]
    lines += [" | ".join("''" if cell == "" else "-" if cell is None else str(cell) for cell in row) for row in rows]
    return "\n".join(lines)


def make_release(home: Path, measures: Iterable[Row], figures: str, **marts: str) -> Path:
    """Protect and publish marts of these measures and figures; the folder of the release."""
    made = {"thresholds": THRESHOLDS, "dimensions": DIMENSIONS} | marts
    build_marts(home, measures=table(HEADER, measures), figures=figures, **made)
    settings = Settings(home=home)
    protect(settings)
    return home / "releases" / publish(settings).release_id


def read_back(home: Path) -> Released:
    """What was released of the latest build below ``home``."""
    settings = Settings(home=home)
    return read_released(released_folder(settings), settings)


def release_of(home: Path) -> Release:
    """The same, as reports are composed from."""
    return Release(read_back(home), load_outline(), Settings(home=home).crisis_line)


class Grid(HTMLParser):
    """The tables of a page: identifier → rows → texts of cells, the caption under the name ``caption``."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: dict[str, str] = {}
        self.text: list[str] = []
        self._current = ""
        self._cell: list[str] | None = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._current = str(dict(attrs)["id"])
            self.tables[self._current] = []
        elif tag == "tr":
            self.tables[self._current].append([])
        elif tag in ("th", "td", "caption"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td") and self._cell is not None:
            self.tables[self._current][-1].append(" ".join(self._cell))
            self._cell = None
        elif tag == "caption" and self._cell is not None:
            self.captions[self._current] = " ".join(self._cell)
            self._cell = None

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(" ".join(data.split()))
            if self._cell is not None:
                self._cell.append(" ".join(data.split()))

    @property
    def words(self) -> str:
        """All text of the page."""
        return " ".join(self.text)

    def row(self, identifier: str, heading: str) -> list[str]:
        """The cells of the row that begins with ``heading``."""
        return next(row for row in self.tables[identifier] if row and row[0] == heading)
