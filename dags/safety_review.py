"""Put every alert before a person, and keep the answer.

Starts when `clinic_exports` raised an alert: alerts → review → acknowledge, for each alert by itself. The label of a
mapped task is its alert.

**review waits for a person**, as long as it takes: *Required actions* in the UI shows it, with counts, ids and what to
look at. Look first, then answer; write nothing of a patient into the note. While it waits it takes no slot, and other
runs start beside it.

**acknowledge** keeps the answer in `alerts/<clinic>/<alert id>/acknowledged.json`. Of two answers (here, and by
`clinic-outcomes acknowledge`) the first is kept.

**A task is red.** The alert stays open in `clinic-outcomes status`. Clear the task, or acknowledge by command.

See *A safety alert* in `docs/runbook.md`.
"""

from datetime import UTC, datetime
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, dag, task, task_group

from clinic_outcomes.alert.tasks import alerts_to_review, keep_answer
from dag_defaults import ALERTED, DEFAULT_ARGS, TAGS


@dag(
    schedule=[ALERTED],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=100,  # An alert that nobody has answered yet must not keep the next one from being shown.
    default_args=DEFAULT_ARGS,
    tags=TAGS,
    doc_md=__doc__,
)
def safety_review() -> None:
    """From an alert to somebody's answer, mapped over alerts."""

    @task
    def alerts(*, run_id: str | None = None) -> list[dict[str, str]]:
        return alerts_to_review(run_id or "by hand")

    @task(map_index_template="{{ task.op_args[1] }}")
    def acknowledge(clinic_id: str, alert_id: str, answer: Any) -> list[str]:
        return keep_answer(clinic_id, alert_id, answer)

    @task_group(prefix_group_id=False)
    def one_alert(clinic_id: str, alert_id: str, subject: str, body: str) -> None:
        review = HITLOperator(
            task_id="review",
            subject=subject,
            body=body,
            options=["Acted on", "No action needed"],
            params={"note": Param("", type="string", maxLength=400, description="What came of it. No patient.")},
            map_index_template="{{ task.subject }}",
            execution_timeout=None,
            doc_md="A person looks at the alert. Nothing is published or changed by the answer; it is kept.",
        )
        acknowledge(clinic_id, alert_id, review.output)

    one_alert.expand_kwargs(alerts())


safety_review()
