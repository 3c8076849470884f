"""Readers of the formats in which clinic systems export, shared by receive, admit and harmonise.

A reader turns a file, or a part of it, into a table expression: every delivered column as text under its delivered
name, and where each row stands. What the values mean is none of its business. The ending of a file's name chooses
the reader among the system's formats; ``sources`` makes of what readers give the sources of the mapping.
"""

from clinic_outcomes.formats.inverse import base_rows
from clinic_outcomes.formats.leftover import Leftover
from clinic_outcomes.formats.naming import sources_of
from clinic_outcomes.formats.readers import (
    check_file,
    content_sha256,
    leftovers,
    read_header,
    read_rows_sql,
    write_file,
)
from clinic_outcomes.formats.sources import PLACE, SourceRows, delivered_sources, source_rows

__all__ = [
    "PLACE",
    "Leftover",
    "SourceRows",
    "base_rows",
    "check_file",
    "content_sha256",
    "delivered_sources",
    "leftovers",
    "read_header",
    "read_rows_sql",
    "source_rows",
    "sources_of",
    "write_file",
]
