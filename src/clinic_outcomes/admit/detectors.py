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
        # 2024-W05, 2024-W05-3, 2024-031 (day of the year), Q1 2024, 2024-Q1
        _alone(rf"{_YEAR}-?w[0-5]\d(?:-?[1-7])?"),
        _alone(rf"{_YEAR}-(?:[0-2]\d\d|3[0-6]\d)"),
        _alone(rf"{_YEAR}[-/ ]?q[1-4]|q[1-4][-/ ']?(?:of )?{_YEAR}"),
        # 31 January, 31JAN2024, 1st of May; January 31, Jan-2024
        rf"(?:^|\D)\d{{1,2}}(?:st|nd|rd|th)?[-/., ]*(?:of )?{_MONTH_NAME}(?:[^a-z]|$)",
        rf"(?:^|[^a-z]){_MONTH_NAME}[-/., ']*\d",
    ]
)

_NUMBERED = r"\W{0,3}(?:id|no|nr|num|number|code)?[\W_]{0,3}[a-z]{0,3}[-. ]?\d{3}"
"""What follows a word such as account where it is an account's number."""
_HEX2 = r"[0-9a-f]{2}"
_STREET = r"street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|terrace|highway|hwy|parkway"


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
    Detector(
        "person_name",
        "values look like names of persons",
        _WITHHOLD,
        r"(?:^|\W)(?:mr|mrs|ms|miss|mx|dr|prof|sr|rev)\.? [a-z'-]{2,}|^[a-z'-]{2,}, ?[a-z'-]{2,}(?: [a-z]\.?)?$",
    ),
    Detector(
        "place",
        "values look like addresses or places",
        _WITHHOLD,
        rf"\d+ [a-z0-9 .']+ (?:{_STREET})(?:\W|$)|(?:^|\W)p\.? ?o\.? box|[a-z],? [a-z]{{2}},? \d{{5}}(?:[^\d-]|$)"
        r"|(?:^|\W)zip\W{0,2}\d{3}|-?\d{1,3}\.\d{3,}[,; ]+-?\d{1,3}\.\d{3,}",
    ),
    Detector(
        "url",
        "values look like web addresses",
        _WITHHOLD,
        r"[a-z][a-z0-9+.-]{1,12}://|(?:^|\W)www\.[a-z0-9-]+\.|(?:^|[^a-z0-9@.-])[a-z0-9-]+\.(?:com|org|net|edu|gov|io)/",
    ),
    Detector(
        "ip_address",
        "values look like internet addresses",
        _WITHHOLD,
        r"(?:^|[^\d.])(?:\d{1,3}\.){3}\d{1,3}(?:[^\d.]|$)|(?:[0-9a-f]{1,4}:){3,7}(?::|[0-9a-f]{1,4}(?:\W|$))|::[0-9a-f]{1,4}",
    ),
    Detector(
        "medical_record_number",
        "values look like medical record numbers",
        _WITHHOLD,
        rf"(?:^|[^a-z])(?:mrn|medical record|chart|patient|encounter){_NUMBERED}",
    ),
    Detector(
        "health_plan_number",
        "values look like numbers of a health plan",
        _WITHHOLD,
        rf"(?:^|[^a-z])(?:member|subscriber|policy|medicare|medicaid|mbi|beneficiary|group|plan){_NUMBERED}"
        r"|(?:^|\W)[1-9][ac-hj-km-np-rt-y][0-9ac-hj-km-np-rt-y]\d-?[ac-hj-km-np-rt-y][0-9ac-hj-km-np-rt-y]\d"
        r"-?[ac-hj-km-np-rt-y]{2}\d{2}(?:\W|$)",
    ),
    Detector(
        "account_number",
        "values look like numbers of accounts or cards",
        _WITHHOLD,
        rf"(?:^|[^a-z])(?:acct|account|iban|invoice|card){_NUMBERED}|{_alone(r'(?:[0-9]{4}[- ]){3}[0-9]{4}')}"
        r"|(?:^|\W)[a-z]{2}\d{2} ?(?:[a-z0-9]{4} ?){3,7}[a-z0-9]{0,4}$",
    ),
    Detector(
        "licence_number",
        "values look like numbers of licences or certificates",
        _WITHHOLD,
        rf"(?:^|[^a-z])(?:licen[cs]e|lic|dea|npi|certificate|cert|passport|permit){_NUMBERED}|^[abfgmpr][a-z9]\d{{7}}$",
    ),
    Detector(
        "vehicle_identifier",
        "values look like identifiers of vehicles",
        _WITHHOLD,
        rf"(?:^|[^a-z])(?:vin|plate|licen[cs]e plate|registration){_NUMBERED}"
        r"|(?:^|\W)[1-5jklmnsvwyz][a-hj-npr-z][a-hj-npr-z0-9]{6}[0-9x][a-hj-npr-z0-9]{4}\d{4}(?:\W|$)",
    ),
    Detector(
        "device_identifier",
        "values look like identifiers of devices",
        _WITHHOLD,
        rf"(?:^|[^a-z])(?:serial|s/n|sn|udi|imei|device|implant|lot){_NUMBERED}|\(01\)\d{{14}}"
        rf"|(?:^|[^0-9a-f])(?:{_HEX2}[:-]){{5}}{_HEX2}(?:[^0-9a-f]|$)",
    ),
    Detector(
        "biometric_identifier",
        "values look like biometric identifiers",
        _WITHHOLD,
        r"fingerprint|voice_?print|voice sample|face_?print|retina|iris (?:scan|code|template)|minutiae|biometric"
        r"|\.wsq|\.fpt",
    ),
    Detector(
        "photograph",
        "values look like pictures or references to them",
        _WITHHOLD,
        r"data:image|\.(?:jpe?g|png|heic|gif|tiff?|bmp|dcm)(?:\W|$)|(?:^|,)/9j/|ivborw0kggo|photo(?:graph)?\W{0,2}\d",
    ),
    Detector("age_90_or_over", "ages of 90 and over are told apart", "Deliver one code for all ages of 90 and over."),
    Detector(
        "key_format",
        "keys are not of the form that the mapping says",
        "Deliver the pseudonymous key; correct key_patterns in the mapping where the form has changed.",
    ),
    Detector("column_name_like", "a column's name says that it identifies a person", "Leave the column out."),
    Detector(
        "small_area",
        "ZIP codes are finer than three digits, or of an area with few people",
        "Deliver the first three digits, and 000 for an area of the list in mapping/small_population_zip3.csv.",
    ),
    Detector("free_text", f"values are free text (over {LONGEST_TEXT} characters or {MOST_WORDS} words)", _WITHHOLD),
    Detector(
        "number_expected",
        "values are no numbers, or none that the column could hold",
        "Deliver plain numbers in the unit of the mapping; put a code for them into the column's code set.",
    ),
    Detector(
        "value_unknown",
        "values are neither in the column's code set nor of its form",
        "Add the codes to codes.csv where they are codes; else correct the values, or leave the column out.",
    ),
    Detector(
        "metadata_present",
        "the file holds more than the cells of its columns",
        "Export it without properties, comments and metadata.",
    ),
    Detector(
        "sheet_unknown",
        "the workbook has a sheet that is not in the mapping",
        "Leave the sheet out; a hidden one too.",
    ),
    Detector(
        "comment_present",
        "the workbook has comments or notes",
        "Delete them: no comment reaches the network.",
    ),
    Detector(
        "formula_present",
        "the workbook has formulas",
        "Deliver values alone: copy the sheets' values into a new workbook.",
    ),
    Detector(
        "element_unknown",
        "resources have elements that the mapping does not list",
        "Export without them; only elements that the system's elements.csv lists may be there.",
    ),
    Detector(
        "element_value",
        "elements hold other than the mapping allows",
        "Leave them out of the export, or deliver what the system's elements.csv allows.",
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
