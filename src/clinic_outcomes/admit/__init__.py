"""Admit: the de-identification gate. Nothing of a delivery is copied onward before it has passed.

The gate is the allow-list of columns with their types, code lists and key patterns; detectors are a second net over
whatever those do not recognise. ``stage`` decides, ``scanning`` asks DuckDB, ``recognition`` says what a column may
hold, ``detectors`` what no value may look like, and ``header`` checks the names of columns.
"""

from clinic_outcomes.admit.explaining import explain
from clinic_outcomes.admit.stage import admit

__all__ = ["admit", "explain"]
