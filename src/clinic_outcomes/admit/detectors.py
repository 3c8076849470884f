"""What identifiers look like (45 CFR 164.514(b)(2)), as regular expressions that DuckDB runs (RE2).

They are applied to a value in lower case with typographic dashes, digits and blanks made plain, so that a date
does not pass because a word processor has prettified it. ``RULES`` is the order in which problems are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from clinic_outcomes.database import quote_text

LONGEST_TEXT = 60
MOST_WORDS = 8

_YEAR = r"(?:19|20)\d{2}"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH_2 = r"(?:0[1-9]|1[0-2])"
_DAY_2 = r"(?:0[1-9]|[12]\d|3[01])"
_TIME = r"(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?"
_MONTH_NAME = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)


def _alone(pattern: str) -> str:
    """The pattern where no digit stands right before or after it."""
    return rf"(?:^|\D)(?:{pattern})(?:\D|$)"


CALENDAR_DATE = "|".join(
    [
        # 2024-01-31, 2024/1/31, 2024.01.31, with or without a time after it
        _alone(rf"{_YEAR}[-/. ]{_MONTH}[-/. ]{_DAY}"),
        # 1/31/2024, 31.01.2024, 31-1-24
        _alone(rf"(?:{_MONTH}[-/. ]{_DAY}|{_DAY}[-/. ]{_MONTH})[-/. ]{_YEAR}"),
        _alone(rf"(?:{_MONTH}[-/]{_DAY}|{_DAY}[-/]{_MONTH})[-/]\d{{2}}"),
        _alone(rf"(?:{_MONTH_2}\.{_DAY_2}|{_DAY_2}\.{_MONTH_2})\.\d{{2}}"),
        # 20240131, 20240131T1530, 31012024, 01312024
        _alone(rf"{_YEAR}{_MONTH_2}{_DAY_2}(?:t?{_TIME})?"),
        _alone(rf"(?:{_MONTH_2}{_DAY_2}|{_DAY_2}{_MONTH_2}){_YEAR}"),
        # 2024-01, 01/2024
        _alone(rf"{_YEAR}[-/]{_MONTH_2}"),
        _alone(rf"{_MONTH}[-/]{_YEAR}"),
        # 31 January, 31JAN2024, 1st of May; January 31, Jan-2024
        rf"(?:^|\D)\d{{1,2}}(?:st|nd|rd|th)?[-/., ]*(?:of )?{_MONTH_NAME}(?:[^a-z]|$)",
        rf"(?:^|[^a-z]){_MONTH_NAME}[-/., ']*\d",
    ]
)


@dataclass(frozen=True)
class Detector:
    """A rule of the gate: what it found, what to do, and for a rule over all values its pattern."""

    rule: str
    message: str
    advice: str
    pattern: str | None = None

    @property
    def predicate(self) -> str:
        """SQL over ``text``, the plain lower-case text of a value."""
        return f"regexp_matches(text, {quote_text(self.pattern or '')})"


_WITHHOLD = "Leave it out of the export, or deliver a code for it."
_DAYS = "Deliver whole days since the person's day 0, never a date."

_DETECTORS = (
    Detector("calendar_date", "values look like calendar dates", _DAYS, CALENDAR_DATE),
    Detector("ssn", "values look like social security numbers", _WITHHOLD, _alone(r"\d{3}[- ]\d{2}[- ]\d{4}")),
    Detector("email", "values look like e-mail addresses", _WITHHOLD, r"[^\s@]+@[^\s@]+\.[a-z]{2,}"),
    Detector(
        "phone",
        "values look like telephone numbers",
        _WITHHOLD,
        rf"(?:^|[^\d.])(?:\+?1[-. ]?)?\(?[2-9]\d{{2}}\)?[-. /]*\d{{3}}[-. ]\d{{4}}(?:\D|$)"
        rf"|\+\d[\d ().-]{{7,}}\d|{_alone(r'1?[2-9][0-9]{2}[2-9][0-9]{6}')}",
    ),
    Detector("zip_plus_4", "values look like nine-digit ZIP codes", _WITHHOLD, _alone(r"\d{5}-\d{4}")),
    Detector("age_90_or_over", "ages of 90 and over are told apart", "Deliver one code for all ages of 90 and over."),
    Detector(
        "key_format",
        "keys are not of the form that the mapping says",
        "Deliver the pseudonymous key; correct key_patterns in the mapping where the form has changed.",
    ),
    Detector("column_name_like", "a column's name says that it identifies a person", "Leave the column out."),
    Detector("free_text", f"values are free text (over {LONGEST_TEXT} characters or {MOST_WORDS} words)", _WITHHOLD),
    Detector(
        "metadata_present",
        "the file holds more than the cells of its columns",
        "Export it without properties, comments and metadata.",
    ),
    Detector(
        "service_period_too_fine",
        "the time of service is finer than the clinic's legal basis allows",
        "Deliver the year; a quarter only where the clinic's legal basis allows it.",
    ),
    Detector("column_missing", "a column of the mapping is missing", "Deliver it; it may be empty."),
    Detector(
        "column_unknown",
        "a column is not in the mapping",
        "Leave the column out, or add it to columns.csv of the system.",
    ),
)

RULES: Mapping[str, Detector] = MappingProxyType({detector.rule: detector for detector in _DETECTORS})
"""Rules of the gate by name, those that point to a person first."""

VALUE_RULES: Mapping[str, str] = MappingProxyType(
    {detector.rule: detector.predicate for detector in _DETECTORS if detector.pattern}
    | {"free_text": f"length(text) > {LONGEST_TEXT} OR len(string_split_regex(trim(text), '\\s+')) > {MOST_WORDS}"}
)
"""Rules that hold for the values of every column: rule → SQL predicate over ``text``."""

# Dashes, solidus, full stop, at sign, blanks; then digits of full width; what has no partner is dropped.
_FANCY = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u2044\uff0f\uff0e\uff20\u00a0\u2007\u2009\u202f\u3000\t\n\r"
_PLAIN = "--------//.@" + " " * 8
_WIDE_DIGITS = "".join(chr(0xFF10 + digit) for digit in range(10))
_UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def plain_text(value: str) -> str:
    """SQL of a value as the detectors read it."""
    before, after = _FANCY + _WIDE_DIGITS + _UNSEEN, _PLAIN + "0123456789"
    return f"translate(lower({value}), {quote_text(before)}, {quote_text(after)})"
