"""Instruments as data: what each questionnaire is, how it is scored, and by which thresholds it is judged.

A file of ``instruments/`` is an instrument: its name is the code in the contract. Nothing else lists instruments.
"""

from clinic_outcomes.instruments.entries import QUANTITIES, InstrumentFile, Threshold, loinc_check_digit
from clinic_outcomes.instruments.loading import (
    Instrument,
    RecallWindow,
    chosen_thresholds,
    load_instruments,
    recall_windows,
)
from clinic_outcomes.instruments.tables import (
    instrument_tables,
    instruments_fingerprint,
    reference_fingerprint,
    reference_tables,
)

__all__ = [
    "QUANTITIES",
    "Instrument",
    "InstrumentFile",
    "RecallWindow",
    "Threshold",
    "chosen_thresholds",
    "instrument_tables",
    "instruments_fingerprint",
    "load_instruments",
    "loinc_check_digit",
    "recall_windows",
    "reference_fingerprint",
    "reference_tables",
]
