"""``repeat``: the elements that paths lead to, and again from each of those, however deep; parents before children."""

from __future__ import annotations

from collections.abc import Callable

from clinic_outcomes.sql_on_fhir.sql import Names, error

# Levels that are followed. A resource that is nested deeper is refused, never cut short.
DEEPEST = 32
_USUAL = 4


def descendants(start: str, children: Callable[[str], str], place: str, names: Names) -> str:
    """All descendants, in the order of the document, as a list of JSON.

    ``start`` is the list of the first level, ``children`` gives the list of an element's children. The list is grown
    level by level: a step puts the children of each element that is still open right behind it. DuckDB's lambdas
    cannot call themselves, so ``list_reduce`` repeats the step, over a list that holds the start and then only NULLs.
    """

    def opened(elements: str) -> str:
        return names.each(elements, lambda x: f"{{'element': {x}, 'open': true}}")

    def any_open(walked: str) -> str:
        return f"len({names.keep(walked, lambda w: f'{w}.open')}) > 0"

    def step(walked: str) -> str:
        grown = names.each(
            walked,
            lambda w: (
                f"CASE WHEN {w}.open THEN list_concat([{{'element': {w}.element, 'open': false}}],"
                f" {opened(children(f'{w}.element'))}) ELSE [{w}] END"
            ),
        )
        return f"CASE WHEN {any_open(walked)} THEN flatten({grown}) ELSE {walked} END"

    def grown_by(levels: int, walked: str) -> str:
        before = names.fresh()
        return f"list_reduce(list_resize([{walked}], {levels + 1}), lambda {before}, {names.fresh()}: {step(before)})"

    # In two goes: each step costs something even when nothing is left to open, and few resources are so deep.
    shallow = grown_by(_USUAL, opened(start))
    repeated = names.given(
        shallow, lambda w: f"CASE WHEN {any_open(w)} THEN {grown_by(DEEPEST - _USUAL, w)} ELSE {w} END"
    )
    too_deep = error(place, f"elements are nested more than {DEEPEST} deep")
    return names.each(repeated, lambda w: f"CASE WHEN {w}.open THEN {too_deep} ELSE {w}.element END")
