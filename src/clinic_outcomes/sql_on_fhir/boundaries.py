"""lowBoundary() and highBoundary(): the least and the greatest value that a value of its precision may stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clinic_outcomes.sql_on_fhir.sql import DECIMAL, quote_text, raw, without_nulls
from clinic_outcomes.sql_on_fhir.values import Value

if TYPE_CHECKING:
    from clinic_outcomes.sql_on_fhir.expressions import Scope

_TIME_FORM = r"^\d\d(:|$)"
_ZONE = r"(Z|[+-]\d\d:\d\d)$"
# What completes a partial value. The zones are the earliest and the latest that exist.
_LOW = ("0001-01-01", "00:00:00.000", "+14:00")
_HIGH = ("9999-12-31", "23:59:59.999", "-12:00")


def boundary(value: Value, *, high: bool, scope: Scope) -> Value:
    """The boundary of a decimal, date, dateTime or time; the data says which, and ``ofType`` that it is a dateTime."""
    date_time = value.fhir_type in ("dateTime", "instant")

    def of_element(x: str) -> str:
        text = scope.names.given(
            scope.convert.converted(x, value.type, "text"), lambda t: _of_text(t, date_time=date_time, high=high)
        )
        if value.type == "text":
            return f"to_json({text})"
        return f"CASE WHEN starts_with({raw(x)}, '\"') THEN to_json({text}) ELSE {_of_number(raw(x), high=high)} END"

    boundaries = scope.names.each(scope.convert.as_list(value), of_element)
    return Value(without_nulls(boundaries), "list", "json")


def _of_number(text: str, *, high: bool) -> str:
    """Half a unit of the last digit away; as JSON of the exact decimal."""
    decimals = f"length(regexp_extract({text}, '\\.([0-9]+)', 1))"
    half = f"CAST('0.' || repeat('0', {decimals}) || '5' AS {DECIMAL})"
    moved = f"TRY(CAST(CAST({text} AS {DECIMAL}) {'+' if high else '-'} {half} AS {DECIMAL}))"
    return f"CAST(CAST({moved} AS VARCHAR) AS JSON)"


def _of_text(t: str, *, date_time: bool, high: bool) -> str:
    day, time, zone = _HIGH if high else _LOW
    has_time = "true" if date_time else f"contains({t}, 'T')"
    local = f"regexp_replace({t}, {quote_text(_ZONE)}, '')"
    own_zone = f"coalesce(nullif(regexp_extract({t}, {quote_text(_ZONE)}, 1), ''), {quote_text(zone)})"
    whole_time = _completed(local, f"{_whole_date(f'substr({local}, 1, 10)', day, high)} || 'T{time}'")
    return (
        f"CASE WHEN regexp_matches({t}, {quote_text(_TIME_FORM)}) THEN {_completed(t, quote_text(time))}"
        f" WHEN {has_time} THEN CASE WHEN contains({t}, 'T') THEN {whole_time} || {own_zone}"
        f" ELSE {_whole_date(t, day, high)} || {quote_text(f'T{time}{zone}')} END"
        f" ELSE {_whole_date(t, day, high)} END"
    )


def _whole_date(t: str, day: str, high: bool) -> str:
    completed = _completed(t, quote_text(day))
    if not high:
        return completed
    # The last day depends on the month.
    last = f"CAST(last_day(TRY_CAST({t} || '-01' AS DATE)) AS VARCHAR)"
    return f"CASE WHEN length({t}) = 7 THEN {last} ELSE {completed} END"


def _completed(t: str, template: str) -> str:
    return f"({t} || substr({template}, length({t}) + 1))"
