"""SQL of each delivered column, made of the columns of an identified export.

Every function gives SQL over the columns of a source's rows; what cannot be delivered becomes NULL. A value that is
there before and not after is counted by the caller, and told as left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from clinic_outcomes.admit.header import is_coarse_area
from clinic_outcomes.admit.recognition import FIRST_DAY, LAST_DAY, UNCODED
from clinic_outcomes.contract import Column
from clinic_outcomes.database import quote_name, quote_text, text_list
from clinic_outcomes.harmonise.expressions import unless_missing
from clinic_outcomes.harmonise.keyed_hash import keyed_hash
from clinic_outcomes.harmonise.keys import domain
from clinic_outcomes.mapping import Clinic, ColumnMapping
from clinic_outcomes.mapping.key_patterns import hex_key
from clinic_outcomes.mapping.legal_basis import small_population_zip3
from clinic_outcomes.prepare.instructions import How, Instructions

CLINIC_SECRET, NETWORK_SECRET = "clinic_key", "network_key"
"""Names under which the session holds the two secrets."""
DAY_ZERO = "day zero"
"""Column of a source's rows with the date of the person's day 0. No delivered column has a space in its name."""
TOP_AGE = 90
OLDEST = 120


@dataclass(frozen=True)
class Made:
    """A delivered column: its SQL, and in words what was done.

    ``counted`` is the column whose values it stands for, None where it is made of several or of none.
    """

    sql: str
    counted: str | None
    action: str
    dates: tuple[str, ...] = ()
    """Columns of the export that it reads as dates."""


@dataclass(frozen=True)
class Maker:
    """What is needed to make the columns of a clinic's delivery."""

    clinic: Clinic
    instructions: Instructions
    exported_on: date
    relative: frozenset[tuple[str, str]] = frozenset()
    """Columns of sources of the export that have days already, and no date."""

    def make(self, source: str, column: str, mappings: Collection[ColumnMapping], there: Collection[str]) -> Made:
        """A delivered column of a source, of which ``there`` are the columns of the export."""
        how = self.instructions.how(source, column)
        target = next((m.target for m in mappings if m.target), None)
        mapping = next((m for m in mappings if m.target is target), None)
        origin = self.instructions.column_read(source, column)
        if how and not how.origin:
            return self._from_others(how, target)
        if origin not in there:
            if target and target.name == "observed_through_day":
                return Made(self._days(f"DATE '{self.exported_on}'", mapping), None, "days from day 0 to the export")
            return Made("NULL", None, "not in the export: left empty")
        text = self.text(origin)
        renamed = f", from {origin}" if origin != column else ""
        if target and target.unit == "day":
            if (source, origin) in self.relative:
                return Made(_kept(text, is_day(text)), origin, f"days kept{renamed}")
            days = self._days(self._date(text), mapping)
            return Made(days, origin, f"dates made days since day 0{renamed}", (origin,))
        sql, action = self._from_text(text, column, target, mapping, mappings)
        return Made(sql, origin, action + renamed)

    def text(self, column: str) -> str:
        """A column's text, trimmed, NULL where it says that there is no value."""
        return unless_missing(f"trim({quote_name(column)})", self.clinic.system.missing)

    def as_date(self, column: str) -> str:
        """A column's text as a date; NULL where it is none."""
        return self._date(self.text(column))

    def _date(self, text: str) -> str:
        # A time of day after a date is cut off; readers of typed cells write one too.
        day = f"regexp_replace({text}, '[T ][0-9]{{1,2}}:[0-9]{{2}}.*$', '')"
        return f"try_strptime({day}, {text_list(self.instructions.dates)})::DATE"

    def _from_others(self, how: How, target: Column | None) -> Made:
        if how.token:
            message = f"'network_token|' || {' || chr(31) || '.join(map(self._agreed, how.token))}"
            pattern = self.clinic.system.key_pattern(target) if target else None
            return Made(_hex_key(keyed_hash(NETWORK_SECRET, message), pattern), None, "network token made")
        if how.period_of:
            period = self._period(self.as_date(how.period_of))
            return Made(period, how.period_of, f"{self._granularity} of {how.period_of}", (how.period_of,))
        born, at = self.as_date(how.born or ""), self.as_date(how.at or "")
        age = f"date_sub('year', {born}, {at})"
        dates = (how.born or "", how.at or "")
        return Made(self._age(age, target), how.born, f"age made of {how.born}, 90 and over together", dates)

    def _agreed(self, column: str) -> str:
        """A part of a token, written as every clinic would: dates as YYYY-MM-DD, else letters and digits alone."""
        plain = rf"regexp_replace(lower(strip_accents({self.text(column)})), '[^\pL\pN]', '', 'g')"
        return f"coalesce(strftime({self.as_date(column)}, '%Y-%m-%d'), nullif({plain}, ''))"

    def _from_text(
        self,
        text: str,
        column: str,
        target: Column | None,
        mapping: ColumnMapping | None,
        mappings: Collection[ColumnMapping],
    ) -> tuple[str, str]:
        system = self.clinic.system
        codes = sorted({code for m in mappings for code in system.codes.get(m.codes or "", {})})
        if target is None:
            return self._uncarried(text, column, codes, mappings)
        if target.is_key:
            return self._key(text, target)
        if target.multiple:
            split = f"list_transform(string_split({text}, {quote_text(system.list_separator)}), lambda m: trim(m))"
            known = f"list_filter({split}, lambda m: {self._is_code('m', codes)})"
            return f"nullif(array_to_string({known}, {quote_text(system.list_separator)}), '')", "codes kept"
        if target.code_list:
            return _kept(text, self._is_code(text, codes)), "codes kept"
        if target.name == "service_period":
            period = self._period(self._date(text))
            return f"coalesce({period}, {_kept(text, self._is_period(text))})", f"{self._granularity} kept"
        if target.unit == "year":
            return self._age(f"TRY_CAST({text} AS INTEGER)", target, text), "90 and over together"
        if target.pattern:
            return _kept(text, _one_of(text, codes, target.pattern)), "kept"
        separator = r"\." if system.decimal_separator == "." else system.decimal_separator
        number = f"-?[0-9]{{1,6}}({separator}[0-9]{{0,6}})?"
        return _kept(text, _one_of(text, codes, number)), "numbers kept"

    def _is_code(self, text: str, codes: Collection[str]) -> str:
        """Whether it is a code that the mapping knows, or of the form that new ones may have: those are counted."""
        return _one_of(text, codes, self.clinic.system.new_code_pattern)

    def _uncarried(
        self, text: str, column: str, codes: Collection[str], mappings: Collection[ColumnMapping]
    ) -> tuple[str, str]:
        """A column that the delivery has and that goes no further."""
        if any(m.is_record_action for m in mappings):
            return _kept(text, f"list_contains({text_list(codes or ('upsert', 'delete'))}, {text})"), "known codes kept"
        if codes:
            return _kept(text, self._is_code(text, codes)), "codes kept"
        if is_coarse_area(column):
            area = f"left({text}, 3)"
            small = "" if self.clinic.legal_basis.allowance.small_areas else text_list(small_population_zip3())
            told = f" AND NOT list_contains({small}, {area})" if small else ""
            is_zip = f"regexp_full_match({text}, '[0-9]{{3}}([0-9]{{2}}(-?[0-9]{{4}})?)?')"
            return f"CASE WHEN {is_zip}{told} THEN {area} END", "three digits kept, of large areas"
        return _kept(text, f"regexp_full_match({text}, {quote_text(UNCODED)})"), "kept"

    def _key(self, text: str, target: Column) -> tuple[str, str]:
        """Keys of people and their records by HMAC with the clinic's key; numbers of a closed form as they are."""
        pattern = self.clinic.system.key_pattern(target) or ""
        if hex_key(pattern) is None:
            return _kept(text, f"regexp_full_match({text}, {quote_text(pattern)})"), "kept where of its form"
        message = f"{quote_text(f'{domain(target)}|')} || {text}"
        return _hex_key(keyed_hash(CLINIC_SECRET, message), pattern), "keyed with the clinic's key"

    def _days(self, day: str, mapping: ColumnMapping | None) -> str:
        """Days since the person's day 0, in the unit that the system delivers."""
        since = f"date_diff('day', {quote_name(DAY_ZERO)}, {day})"
        # The gate takes days that lie further off for dates.
        days = f"CASE WHEN {since} > {FIRST_DAY} AND {since} < {LAST_DAY} THEN {since} END"
        if mapping and mapping.conversion:
            # canonical = delivered * numerator / denominator + offset
            c = mapping.conversion
            shifted = f"(({days} - {c.offset}) * {c.denominator})"
            return f"CASE WHEN {shifted} % {c.numerator} = 0 THEN ({shifted} // {c.numerator})::VARCHAR END"
        return f"({days})::VARCHAR"

    @property
    def _granularity(self) -> str:
        return self.clinic.legal_basis.service_period

    def _period(self, day: str) -> str:
        """The year or quarter of a date of this century; the gate takes no other."""
        form = f"strftime({day}, '%Y')"
        if self._granularity == "quarter":
            form = f"{form} || '-Q' || quarter({day})"
        return f"CASE WHEN year({day}) BETWEEN 2000 AND 2099 THEN {form} END"

    def _is_period(self, text: str) -> str:
        form = r"[0-9]{4}-Q[1-4]" if self._granularity == "quarter" else "[0-9]{4}"
        return f"regexp_full_match({text}, '{form}')"

    def _age(self, age: str, target: Column | None, text: str | None = None) -> str:
        """An age in years; 90 and over become the code that stands for them, or nothing where the system has none."""
        top = self._top_code(target)
        oldest = quote_text(top) if top else "NULL"
        kept = f" WHEN {text} = {quote_text(top)} THEN {text}" if text and top else ""
        # Beyond all ages it is a placeholder, such as 1900-01-01.
        old = f"{age} BETWEEN {TOP_AGE} AND {OLDEST}"
        young = f"{age} BETWEEN 0 AND {TOP_AGE - 1}"
        return f"CASE{kept} WHEN {old} THEN {oldest} WHEN {young} THEN ({age})::VARCHAR END"

    def _top_code(self, target: Column | None) -> str | None:
        system = self.clinic.system
        sets: list[Mapping[str, str]] = [
            system.codes[m.codes] for m in system.columns if m.target is target and m.target and m.codes
        ]
        return next((code for codes in sets for code, age in codes.items() if age == str(TOP_AGE)), None)


def is_day(text: str) -> str:
    """Whether a text is a number of days that may be delivered."""
    number = f"TRY_CAST({text} AS INTEGER)"
    return f"regexp_full_match({text}, '-?[0-9]{{1,5}}') AND {number} > {FIRST_DAY} AND {number} < {LAST_DAY}"


def _one_of(text: str, codes: Collection[str], pattern: str) -> str:
    return f"(list_contains({text_list(codes)}, {text}) OR regexp_full_match({text}, {quote_text(pattern)}))"


def _kept(text: str, condition: str) -> str:
    return f"CASE WHEN {condition} THEN {text} END"


def _hex_key(hashed: str, pattern: str | None) -> str:
    form = hex_key(pattern or "")
    if form is None:
        return "NULL"
    prefix, digits = form
    return f"{quote_text(prefix)} || left({hashed}, {digits})"
