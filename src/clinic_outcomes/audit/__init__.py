"""Audit: what attackers could work out of what is released, solved as they would solve it.

It trusts nothing of what withheld the figures: it reads the released figures as an outsider does, writes down what each
of them says, and looks for other worlds that would have been told the same.
"""

from clinic_outcomes.audit.attack import Limits
from clinic_outcomes.audit.audit import Finding, Report, audit

__all__ = ["Finding", "Limits", "Report", "audit"]
