"""Trying files: each opened, profiled, and given a proposal, in a session that leaves nothing on the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from clinic_outcomes.database import session
from clinic_outcomes.mapping import Clinic, System
from clinic_outcomes.settings import Settings
from clinic_outcomes.trying.against import SystemTrial, try_against
from clinic_outcomes.trying.exports import Export, open_exports
from clinic_outcomes.trying.fhir_skeleton import Skeleton, skeleton
from clinic_outcomes.trying.profiling import PartProfile, profile_parts
from clinic_outcomes.trying.proposing import Proposal, propose
from clinic_outcomes.trying.synonyms import load_synonyms


@dataclass(frozen=True)
class FileTrial:
    """A file, and each of its parts with what it would need in a mapping."""

    export: Export
    parts: tuple[tuple[PartProfile, Proposal], ...]
    skeletons: tuple[Skeleton, ...] = ()
    """Of FHIR: the view and the elements of each type of resource."""


def try_files(
    paths: Sequence[Path], settings: Settings, *, show_names: bool = False, show_codes: bool = False
) -> tuple[FileTrial, ...]:
    """Profile files of unknown make and propose lines of a mapping; nothing is stored.

    Names of columns that are not made of known words are told only with ``show_names``, delivered codes only with
    ``show_codes``: both may be asked for where the export itself may be seen. ``ClinicOutcomesError`` names every file
    that cannot be read.
    """
    with session(settings, spill=False) as connection:
        exports = open_exports(connection, paths, load_synonyms().known_words, settings)
        return tuple(_try(connection, export, show_names, show_codes) for export in exports)


def _try(connection: duckdb.DuckDBPyConnection, export: Export, show_names: bool, show_codes: bool) -> FileTrial:
    profiles = profile_parts(connection, export, show_names=show_names, show_codes=show_codes)
    if export.format == "fhir":
        made = tuple(skeleton(profile) for profile in profiles)
        return FileTrial(
            export, tuple((_only_coded(each.profile, each.proposal), each.proposal) for each in made), made
        )
    proposals = ((profile, propose(profile)) for profile in profiles)
    return FileTrial(export, tuple((_only_coded(profile, proposal), proposal) for profile, proposal in proposals))


def _only_coded(profile: PartProfile, proposal: Proposal) -> PartProfile:
    """The profile without codes but of columns that are proposed to be coded: what recurs could be a key or a name."""
    coded = {line.profile.position for line in proposal.lines if line.codes and line.profile}
    columns = tuple(column if column.position in coded else replace(column, codes=()) for column in profile.columns)
    return replace(profile, columns=columns)


def try_system(paths: Sequence[Path], system: System, clinic: Clinic | None, settings: Settings) -> SystemTrial:
    """What a system takes of files, lacks and refuses; nothing is stored."""
    with session(settings, spill=False) as connection:
        return try_against(connection, paths, system, clinic, settings)
