"""Resolve: the current state of a clinic, a pure function of the set of its harmonised deliveries.

``judging`` chooses the deliveries that are used, ``fates`` decides where each delivered row ends, ``replacing`` does
so once for all that a full export replaces, and ``stage`` writes the state. ``accepting`` keeps a person's word that a
held delivery is right.
"""

from clinic_outcomes.resolve.accepting import accept
from clinic_outcomes.resolve.sequences import sequence_gaps
from clinic_outcomes.resolve.stage import resolve, resolved_folder

__all__ = ["accept", "resolve", "resolved_folder", "sequence_gaps"]
