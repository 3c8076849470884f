"""Stage model: accepted rows of all clinics → marts. dbt, and nothing else, writes the warehouse."""

from clinic_outcomes.model.stage import model, prepare

__all__ = ["model", "prepare"]
