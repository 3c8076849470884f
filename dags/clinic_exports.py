"""Take what the clinics dropped from landing to accepted rows, each clinic by itself.

Every hour, for each clinic of `clinics/*.yml`: receive → admit → harmonise → resolve → validate. The label of a mapped
task is its clinic.

**A delivery was refused.** That is an outcome, no failure: the tasks are green, the reasons are warnings in the log of
`receive`, `admit` or `resolve`, and the clinic's last good state keeps reporting. `receipts/<clinic>/receipt.html` in
the data home tells the clinic's own staff what to correct.

**A delivery is held.** It lacks many records that were there before. `resolve` warns; ask the clinic, and where it is
right, `clinic-outcomes accept CLINIC DELIVERY`.

**A task is red.** Only that clinic is held up. The log names stage, file, table and rule, never a value. Of an
unexpected error it has type and place; where patients' data may be shown, run the stage by hand for the rest:
`CLINIC_OUTCOMES_DEBUG=1 clinic-outcomes STAGE CLINIC`. Clear the task to go on: any stage may run again at any time.

**Nothing happens after validate.** `outcome_release` starts only when a clinic's state is not in the marts yet.

See `docs/runbook.md`.
"""

from datetime import UTC, datetime

from airflow.sdk import chain, dag, task, task_group

from clinic_outcomes import CLINIC_STAGES, pipeline
from dag_defaults import ACCEPTED, DEFAULT_ARGS, NEWLY_ACCEPTED, TAGS, run_stage

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
    """From landing to accepted rows, mapped over clinics."""

    @task
    def clinics() -> list[str]:
        return pipeline.clinic_ids()

    @task(outlets=[NEWLY_ACCEPTED], map_index_template=CLINIC_LABEL)
    def validate(clinic_id: str, *, outlet_events=None) -> list[str]:  # type: ignore[no-untyped-def]
        ids = run_stage("validate", clinic_id)
        if pipeline.awaits_model(clinic_id):
            outlet_events[NEWLY_ACCEPTED].add(ACCEPTED, extra={"clinic": clinic_id})
        return ids

    @task_group(prefix_group_id=False)
    def clinic(clinic_id: str) -> None:
        *earlier, _ = CLINIC_STAGES
        tasks = [task(task_id=stage, map_index_template=CLINIC_LABEL)(run_stage)(stage, clinic_id) for stage in earlier]
        chain(*tasks, validate(clinic_id))

    clinic.expand(clinic_id=clinics())


clinic_exports()
