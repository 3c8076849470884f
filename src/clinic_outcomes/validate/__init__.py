"""Validate: a clinic's rows in force → accepted and quarantined rows, with an account that adds up."""

from clinic_outcomes.validate.findings import late_clinics
from clinic_outcomes.validate.rules import Rule, load_rules
from clinic_outcomes.validate.stage import validate

__all__ = ["Rule", "late_clinics", "load_rules", "validate"]
