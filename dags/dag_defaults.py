"""What the DAGs share: owner, retries, the asset that ties them, and how a stage runs as a task."""

from datetime import timedelta

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.exceptions import AirflowFailException

from clinic_outcomes import pipeline
from clinic_outcomes.problems import ClinicOutcomesError

DEFAULT_ARGS = {
    "owner": "data-engineering",
    "retries": 2,
    "retry_delay": timedelta(minutes=2),
    "execution_timeout": timedelta(hours=1),
}
TAGS = ["clinic-outcomes"]

ACCEPTED = Asset("accepted", uri="clinic-outcomes://accepted")
"""Accepted rows of some clinic that no build of the marts has yet."""
NEWLY_ACCEPTED = AssetAlias("newly_accepted")
"""Through this alias, ``validate`` updates ``ACCEPTED`` only when there is something new."""


def run_stage(stage: str, clinic_id: str | None = None, build: list[str] | None = None) -> list[str]:
    """Run a stage and return ids alone. A problem that the stage names is not retried: it would be there again.

    ``build`` is what the task ``model`` returned: the id of the build to work on.
    """
    try:
        return pipeline.run_task(stage, clinic_id, *(build or ()))
    except pipeline.UnexpectedError:
        raise
    except ClinicOutcomesError as error:
        raise AirflowFailException(str(error)) from None
