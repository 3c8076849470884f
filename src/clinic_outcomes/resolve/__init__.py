"""Resolve: the current state of a clinic, a pure function of the set of its harmonised deliveries.

``stage`` chooses the deliveries that count and writes the state; ``fates`` decides where each delivered row ends.
"""

from clinic_outcomes.resolve.stage import resolve, resolved_folder

__all__ = ["resolve", "resolved_folder"]
