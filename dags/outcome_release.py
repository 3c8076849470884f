"""Turn the accepted rows of all clinics into reports, one release at a time.

Starts when `clinic_exports` accepted rows that are not in the marts yet, or by hand:
model → protect → approve → publish.

**approve waits for a person.** *Required actions* in the UI shows it. Before approving look at
`marts/latest/released.*/protect.json` (figures shown and withheld) and `clinic-outcomes status` (stale clinics).
Approve publishes; reject, or no answer in three days, skips `publish`: the last release stays. While it waits no other
release starts; data accepted meanwhile starts the next one.

**model is red.** The log names the dbt node. The marts and the last release are untouched; correct and clear the task.

**protect is red.** No figure has left. Never go around it: `publish` reads what `protect` released and nothing else.

**publish made no new release.** An unchanged build makes none: `releases/latest` is that build's.

See `docs/runbook.md`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import chain, dag, task

from dag_defaults import ACCEPTED, DEFAULT_ARGS, TAGS, run_stage


@dag(
    schedule=[ACCEPTED],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    tags=TAGS,
    doc_md=__doc__,
)
def outcome_release() -> None:
    """From accepted rows to reports, for the network."""
    model: Any = task(task_id="model")(run_stage)("model")
    # Whatever is built meanwhile: what was protected and approved is what is published.
    protect, publish = (task(task_id=stage)(run_stage)(stage, build=model) for stage in ("protect", "publish"))
    approve = ApprovalOperator(
        task_id="approve",
        subject="Publish the figures of build {{ ti.xcom_pull(task_ids='protect') | join }}?",
        body="Look at the figures withheld and at stale clinics first (`clinic-outcomes status`).",
        defaults=ApprovalOperator.REJECT,
        response_timeout=timedelta(days=3),
        execution_timeout=None,
        doc_md="A person approves what leaves. Rejecting, or not answering for three days, skips `publish`.",
    )
    chain(model, protect, approve, publish)


outcome_release()
