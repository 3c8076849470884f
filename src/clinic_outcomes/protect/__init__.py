"""Protect: exact figures become releasable ones, or are withheld."""

from clinic_outcomes.protect.stage import protect, released_folder

__all__ = ["protect", "released_folder"]
