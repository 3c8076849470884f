"""What the DAGs share: owner, retries, the assets that tie them, and how a stage or a message runs as a task."""

from collections.abc import Sequence
from datetime import timedelta
from html import escape

from airflow.providers.smtp.hooks.smtp import SmtpHook
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.exceptions import AirflowFailException

from clinic_outcomes import pipeline
from clinic_outcomes.alert.message import Message
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
ALERTED = Asset("alerted", uri="clinic-outcomes://alerted")
"""Alerts of some clinic that no person has been asked to look at yet."""
NEWLY_ALERTED = AssetAlias("newly_alerted")
"""Through this alias, ``alert`` updates ``ALERTED`` only when there is something to look at."""


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


def send_mail(recipients: Sequence[str], message: Message) -> None:
    """Send a message by the connection ``smtp_default``."""
    with SmtpHook() as hook:
        hook.send_email_smtp(
            to=list(recipients), subject=message.subject, html_content=f"<pre>{escape(message.text)}</pre>"
        )
