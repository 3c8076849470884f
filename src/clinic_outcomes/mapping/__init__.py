"""Clinic systems and clinics as data: ``systems/<system>/`` and ``clinics/<clinic>.yml``.

Loading checks every line against the contract and reports all mistakes at once, each with file, line and column.
"""

from clinic_outcomes.mapping.clinics import Clinic, load_clinic, load_clinics
from clinic_outcomes.mapping.lines import ColumnMapping
from clinic_outcomes.mapping.sources import Join, Source, Unpivot, split_suffix
from clinic_outcomes.mapping.systems import CsvDialect, System, load_system, load_systems
from clinic_outcomes.mapping.units import UNIT_CONVERSIONS, UnitConversion

__all__ = [
    "UNIT_CONVERSIONS",
    "Clinic",
    "ColumnMapping",
    "CsvDialect",
    "Join",
    "Source",
    "System",
    "UnitConversion",
    "Unpivot",
    "load_clinic",
    "load_clinics",
    "load_system",
    "load_systems",
    "split_suffix",
]
