"""Publish: draw the released figures as reports, one folder a recipient."""

from clinic_outcomes.publish.stage import publish

__all__ = ["publish"]
