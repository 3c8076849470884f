"""Harmonise: admitted deliveries become canonical Parquet, one file a delivery and table.

This is the only stage that translates a system's own names, units and codes. ``stage`` decides what is translated and
keeps the record; ``rows`` writes the query of a table; ``expressions`` writes one kind of SQL expression a
function; ``lake`` knows where the result lies.
"""

from clinic_outcomes.harmonise.lake import lake_file, lake_rows
from clinic_outcomes.harmonise.stage import harmonise

__all__ = ["harmonise", "lake_file", "lake_rows"]
