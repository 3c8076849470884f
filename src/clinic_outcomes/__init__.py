"""Aggregate outcome and adverse-event reports from the de-identified exports of many clinics.

Data flows one way through eight stages, each a package of its own:
``receive → admit → harmonise → resolve → validate → model → protect → publish``.
"""

STAGES = ("receive", "admit", "harmonise", "resolve", "validate", "model", "protect", "publish")
CLINIC_STAGES = STAGES[:5]
NETWORK_STAGES = STAGES[5:]
CLINIC_STEPS = (*CLINIC_STAGES, "alert")
"""What runs for a clinic: its stages, then the step that tells a person at once of serious and unexpected events."""
