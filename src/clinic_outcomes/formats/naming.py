"""Which files hold which base sources, by their names."""

from __future__ import annotations

from fnmatch import fnmatchcase

from clinic_outcomes.mapping import System, split_suffix


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
