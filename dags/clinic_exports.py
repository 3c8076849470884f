"""Take what the clinics dropped from landing to accepted rows, each by itself, and tell of what cannot wait.

Every hour, for each clinic: receive → admit → harmonise → resolve → validate → alert → notify → finish.

**A delivery was refused.** That is an outcome, no failure: reasons are warnings in the log of `receive`, `admit` or
`resolve`, and the clinic's last good state keeps reporting. `receipts/<clinic>/receipt.html` is for the clinic's staff.

**A delivery is held.** It lacks records that were there before: ask the clinic (`clinic-outcomes accept`).

**alert warns.** Serious or unexpected events: see `clinic-outcomes alerts` and `safety_review`. notify sends it by
mail; where that is red, correct the connection `smtp_default`. What has not left is tried again every hour.

**A task is red.** Only that clinic is held up. The log names stage, file, table and rule, never a value; of an
unexpected error type and place (for the rest, where patients' data may be shown, run the stage by hand with
`CLINIC_OUTCOMES_DEBUG=1`). Clear the task to go on: any stage may run again at any time.

**Nothing happens after validate.** `outcome_release` starts only when a clinic's state is not in the marts yet.

See `docs/runbook.md`.
"""

from datetime import UTC, datetime

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import chain, dag, task, task_group

from clinic_outcomes import CLINIC_STAGES, pipeline
from clinic_outcomes.alert.tasks import needs_review, send_alerts
from dag_defaults import ACCEPTED, ALERTED, DEFAULT_ARGS, NEWLY_ACCEPTED, NEWLY_ALERTED, TAGS, run_stage, send_mail

CLINIC_LABEL = "{{ task.op_args[-1] }}"


@dag(
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
    doc_md=__doc__,
)
def clinic_exports() -> None:
    """From landing to accepted rows and alerts, mapped over clinics."""

    @task
    def clinics() -> list[str]:
        return pipeline.clinic_ids()

    @task(outlets=[NEWLY_ACCEPTED], map_index_template=CLINIC_LABEL)
    def validate(clinic_id: str, *, outlet_events=None) -> list[str]:  # type: ignore[no-untyped-def]
        ids = run_stage("validate", clinic_id)
        if pipeline.awaits_model(clinic_id):
            outlet_events[NEWLY_ACCEPTED].add(ACCEPTED, extra={"clinic": clinic_id})
        return ids

    @task(outlets=[NEWLY_ALERTED], map_index_template=CLINIC_LABEL)
    def alert(clinic_id: str, *, outlet_events=None) -> list[str]:  # type: ignore[no-untyped-def]
        ids = run_stage("alert", clinic_id)
        if needs_review(clinic_id):
            outlet_events[NEWLY_ALERTED].add(ALERTED, extra={"clinic": clinic_id})
        return ids

    @task(trigger_rule="all_done", map_index_template=CLINIC_LABEL)
    def notify(clinic_id: str) -> list[str]:
        return send_alerts(clinic_id, send_mail)

    @task_group(prefix_group_id=False)
    def clinic(clinic_id: str) -> None:
        *earlier, _ = CLINIC_STAGES
        tasks = [task(task_id=stage, map_index_template=CLINIC_LABEL)(run_stage)(stage, clinic_id) for stage in earlier]
        alerted, finish = alert(clinic_id), EmptyOperator(task_id="finish")
        chain(*tasks, validate(clinic_id), alerted, notify(clinic_id), finish)
        chain(alerted, finish)  # It is red wherever anything is: notify runs whatever became of the tasks before it.

    clinic.expand(clinic_id=clinics())


clinic_exports()
