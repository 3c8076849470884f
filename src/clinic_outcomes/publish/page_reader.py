"""A page of a release as an outsider reads it: which numbers it shows, and of what it says that they are.

Standard library only, and nothing of the code that wrote the page: the text alone counts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser

TAGS = frozenset(
    {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "nav",
            "main",
            "section",
            "footer",
            "div",
            "figure",
        ),
        *("h1", "h2", "h3", "p", "a", "br", "ul", "li", "dl", "dt", "dd", "span", "strong", "code", "figcaption"),
        *("table", "caption", "thead", "tbody", "tr", "th", "td", "svg", "desc", "path", "text", "circle", "rect"),
    }
)
"""Elements of a page. Any other could hold what nobody looks at."""
ATTRIBUTES = frozenset(
    {
        *(
            "lang",
            "charset",
            "name",
            "content",
            "id",
            "class",
            "href",
            "role",
            "tabindex",
            "scope",
            "colspan",
            "rowspan",
        ),
        *("aria-label", "aria-labelledby", "aria-hidden", "focusable", "viewbox", "preserveaspectratio", "text-anchor"),
        *("x", "y", "cx", "cy", "r", "d", "width", "height"),
        *(
            "data-figure",
            "data-said",
            "data-of",
            "data-unnamed",
            "data-exact",
            "data-bar",
            "data-signal",
            "data-period",
        ),
    }
)
"""Attributes of a page, in lower case as the parser has them."""
SPOKEN = ("aria-label", "content")
"""Attributes that are text to some reader."""
VOID = frozenset({"meta", "br", "hr", "img", "input", "link", "rect", "path"})
"""Elements without an end."""
PLACES = {
    "data-figure": "figure",
    "data-said": "said",
    "data-unnamed": "unnamed",
    "data-exact": "exact",
    "data-bar": "bar",
    "data-signal": "signal",
}
"""Attribute that says what an element shows → the kind of place."""
NUMBER = r"[\N{MINUS SIGN}-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
"""A number as reports write it: thousands separated, a true minus sign."""


@dataclass
class Place:
    """An element that says what it shows, with its own text by the class that the text stands in.

    ``key`` is the attribute's value: a figure's id, a rule, or the name of unnamed figures. ``figures`` are the ids of
    those that it follows from.
    """

    kind: str
    key: str
    tag: str
    line: int
    table: str
    figures: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def text(self, style: str) -> str:
        """All text of one class, in one line."""
        return " ".join(" ".join(self.texts.get(style, ())).split())

    @property
    def words(self) -> str:
        """All text, whatever its class."""
        return " ".join(" ".join(part for parts in self.texts.values() for part in parts).split())


@dataclass
class Drawing:
    """A chart: its points with their labels, the numbers of its axis, its lines, and what it says in words."""

    line: int
    unnamed: str
    about: tuple[str, ...]
    points: list[Place] = field(default_factory=list)
    paths: list[tuple[str, str]] = field(default_factory=list)
    texts: list[Place] = field(default_factory=list)
    description: list[str] = field(default_factory=list)


class PageReader(HTMLParser):
    """Reads a page into places, drawings, cells that say nothing of what they show, and plain text.

    ``unclosed`` tells whether elements were left open or closed out of order: such a page cannot be trusted.
    ``unknown`` are lines with an element, attribute or comment that no page has; ``styles`` is the style sheet.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.places: list[Place] = []
        self.drawings: list[Drawing] = []
        self.cells: list[Place] = []
        self.prose: list[tuple[int, str]] = []
        self.unclosed = False
        self.unknown: list[int] = []
        self.styles: list[str] = []
        self._open: list[tuple[str, Place | None, str]] = []
        self._table = ""
        self._drawing: Drawing | None = None
        self.feed(text)
        self.close()
        self.unclosed |= bool(self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element; one that says what it shows begins a place."""
        values = self._known(tag, attrs)
        if tag == "table":
            self._table = values.get("id", "")
        place = self._place(tag, values) if self._drawing is None else None
        if tag == "svg":
            self._drawing = Drawing(self.getpos()[0], values.get("data-unnamed", ""), _ids(values))
            self.drawings.append(self._drawing)
        elif self._drawing is not None:
            place = self._draw(tag, values)
        if tag not in VOID:
            self._open.append((tag, place, values.get("class", "")))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element that is closed at once, as in SVG."""
        values = self._known(tag, attrs)
        if self._drawing is not None:
            self._draw(tag, values)

    def handle_endtag(self, tag: str) -> None:
        """Close an element."""
        if not self._open or self._open.pop()[0] != tag:
            self.unclosed = True
        if tag == "svg":
            self._drawing = None
        if tag == "table":
            self._table = ""

    def handle_comment(self, data: str) -> None:
        """No page has comments: nobody sees them, and everybody can read them."""
        self.unknown.append(self.getpos()[0])

    def handle_pi(self, data: str) -> None:
        """Nor instructions to a machine."""
        self.unknown.append(self.getpos()[0])

    def unknown_decl(self, data: str) -> None:
        """Nor declarations of other kinds."""
        self.unknown.append(self.getpos()[0])

    def handle_data(self, data: str) -> None:
        """Text belongs to the innermost place around it, under the class it stands in; else it is plain text."""
        text = data.strip()
        if self._open and self._open[-1][0] == "style":
            self.styles.append(text)
            return
        if not text:
            return
        style = ""
        for tag, place, classes in reversed(self._open):
            if place is not None:
                place.texts[style].append(text)
                return
            if tag == "desc" and self._drawing is not None:
                self._drawing.description.append(text)
                return
            style = style or classes.partition(" ")[0]
        self.prose.append((self.getpos()[0], text))

    def _known(self, tag: str, attrs: list[tuple[str, str | None]]) -> dict[str, str]:
        """The attributes of an element, of which nothing is of an unknown kind. What is spoken is plain text."""
        values = {name: value or "" for name, value in attrs}
        if tag not in TAGS or set(values) - ATTRIBUTES or len(values) < len(attrs):
            self.unknown.append(self.getpos()[0])
        self.prose += [(self.getpos()[0], values[name]) for name in SPOKEN if values.get(name)]
        return values

    def _place(self, tag: str, values: dict[str, str]) -> Place | None:
        if tag == "svg":
            return None
        for attribute, kind in PLACES.items():
            if attribute in values:
                place = Place(kind, values[attribute], tag, self.getpos()[0], self._table, _ids(values), values)
                self.places.append(place)
                return place
        if tag == "td" and not any(place for _, place, _ in self._open):
            place = Place("cell", "", tag, self.getpos()[0], self._table)
            self.cells.append(place)
            return place
        return None

    def _draw(self, tag: str, values: dict[str, str]) -> Place | None:
        """A part of a chart: its points and labels have text of their own."""
        drawing = self._drawing
        if drawing is None:
            return None
        part = Place(tag, values.get("data-figure", ""), tag, self.getpos()[0], "", attributes=values)
        if tag in ("circle", "text"):
            (drawing.points if tag == "circle" else drawing.texts).append(part)
            return part
        if tag == "path":
            drawing.paths.append((values.get("class", ""), values.get("d", "")))
        if tag == "rect" and values.get("class") == "fill":
            bar = next((place for _, place, _ in reversed(self._open) if place and place.kind == "bar"), None)
            if bar is not None:
                bar.attributes["width"] = values.get("width", "")
        return None


def _ids(values: dict[str, str]) -> tuple[str, ...]:
    return tuple(values.get("data-of", "").split())


def parse_number(text: str) -> Decimal | None:
    """The number that a text is, with nothing beside it; None where it is none, or not written as reports do."""
    if not re.fullmatch(NUMBER, text):
        return None
    return Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


def numbers_in(text: str) -> list[str]:
    """Every number within a text, as it is written."""
    return re.findall(r"\d+(?:[.,]\d+)*", text)
