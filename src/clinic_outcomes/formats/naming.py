"""Which files hold which base sources, by their names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from clinic_outcomes.mapping import System, split_suffix
from clinic_outcomes.mapping.sources import SUFFIXES
from clinic_outcomes.problems import ClinicOutcomesError


def sources_of(file_name: str, system: System) -> tuple[str, ...]:
    """Base sources that a file of this name holds; empty where no pattern fits. Letter case counts.

    Where several patterns match, the longest wins, for it says most (``visits_extra*`` before ``visits*``).
    """
    stem, format_name = split_suffix(file_name, system.formats)
    if format_name is None:
        return ()
    patterns = {name: split_suffix(source.file or "", system.formats)[0] for name, source in system.sources.items()}
    matching = {name: p for name, p in patterns.items() if name in system.base_sources and fnmatchcase(stem, p)}
    longest = max(matching.values(), key=len, default=None)
    return tuple(name for name, pattern in matching.items() if pattern == longest)


def delivered_name(system: System, pattern: str, format_name: str, export_sequence: int) -> str:
    """Name of a file of a delivery for a source's pattern: ``visits*`` of export 3 is ``visits_3`` with its ending.

    ``ClinicOutcomesError`` where the pattern has other wildcards than ``*``.
    """
    stem, _ = split_suffix(pattern, system.formats)
    name = stem.replace("*", f"_{export_sequence}", 1).replace("*", "")
    if any(mark in name for mark in "?[]"):
        raise ClinicOutcomesError(f"system {system.name}: file pattern {pattern} has other wildcards than *")
    return name + SUFFIXES[format_name][0]
