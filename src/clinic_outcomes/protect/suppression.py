"""Complementary suppression: what else is withheld, so that nobody works out what is withheld already.

Withholding more never brings anyone nearer to what was safe before, so each step leaves the steps before it done.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clinic_outcomes.audit.attack import Limits
from clinic_outcomes.audit.system import Floats, Integers, System
from clinic_outcomes.protect.narrowing import withhold_narrowed
from clinic_outcomes.protect.weighing import withhold_held

MOST_WEIGHED = 2000
"""So many withheld counts are weighed in minutes; of more, what a single sum does not tell is left to the audit."""


def suppress(system: System, limits: Limits, cost: Floats) -> Integers:
    """The figures to withhold besides those that are, so that no coalition gets too near to a withheld count.

    ``cost`` is, a figure, how much readers would miss it. The same system gives the same figures. What attackers know
    though nothing of it is shown, such as a network's count that is all their own, is left to them.
    """
    safer = system
    while True:
        before = safer.shown.sum()
        stretches = tuple(safer.stretches())
        for stretch in stretches:
            safer = _defend(replace(stretch, shown=safer.shown), limits, cost)
        # What is withheld in one stretch is to be protected in another: until nothing is added.
        if safer.shown.sum() == before or len(stretches) == 1:
            return np.flatnonzero(system.shown & ~safer.shown)
        safer = replace(system, shown=safer.shown)


def _defend(system: System, limits: Limits, cost: Floats) -> System:
    """The system with figures withheld until what became unknown in its stretch is safe."""
    safer = withhold_narrowed(system, limits, cost)
    return withhold_held(safer, limits, cost) if safer.hidden.sum() <= MOST_WEIGHED else safer
