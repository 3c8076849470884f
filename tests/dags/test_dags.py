"""The DAGs: do they import, are they wired as designed, do they follow our policy."""

import sys
from datetime import timedelta

import pytest

from clinic_outcomes import CLINIC_STAGES, NETWORK_STAGES
from tests.dags.conftest import DAGS

EXPORTS, RELEASE, REVIEW = "clinic_exports", "outcome_release", "safety_review"


@pytest.fixture(scope="module")
def bag():
    from airflow.dag_processing.dagbag import DagBag

    sys.path.insert(0, str(DAGS))
    try:
        loaded = DagBag(dag_folder=str(DAGS))
    finally:
        sys.path.remove(str(DAGS))
    assert loaded.dags, "the bag is empty: nothing below would be tested"
    return loaded


def waits_for(dag) -> dict[str, set[str]]:
    """Task → the tasks that it waits for, without those whose result it is mapped over."""
    found = {task.task_id: set(task.upstream_task_ids) for task in dag.tasks}
    mapped_over = {"clinics", "alerts"}
    return {name: upstream - mapped_over for name, upstream in found.items()}


def test_every_dag_imports(bag) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {EXPORTS, RELEASE, REVIEW}


def test_exports_run_the_clinic_stages_in_order_and_tell_of_events(bag) -> None:
    dag = bag.dags[EXPORTS]
    assert waits_for(dag) == {
        "clinics": set(),
        "receive": set(),
        "admit": {"receive"},
        "harmonise": {"admit"},
        "resolve": {"harmonise"},
        "validate": {"resolve"},
        "alert": {"validate"},
        "notify": {"alert"},
        "finish": {"alert", "notify"},
    }
    assert {task.task_id for task in dag.roots} == {"clinics"}
    assert CLINIC_STAGES == ("receive", "admit", "harmonise", "resolve", "validate")


def test_release_runs_the_network_stages_with_an_approval_before_publish(bag) -> None:
    dag = bag.dags[RELEASE]
    assert waits_for(dag) == {
        "model": set(),
        "protect": {"model"},
        "approve": {"protect"},
        "publish": {"approve", "model"},  # of model it takes the build's id
    }
    assert NETWORK_STAGES == ("model", "protect", "publish")


def test_exports_are_mapped_over_clinics_a_chain_each(bag) -> None:
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    dag = bag.dags[EXPORTS]
    for stage in (*CLINIC_STAGES, "alert", "notify", "finish"):
        group = dag.get_task(stage).task_group
        assert isinstance(group, MappedTaskGroup), stage
        assert group.group_id == "clinic"
        # A stage waits for the stage before in its own clinic's chain, and for no other clinic. A message that has not
        # left leaves whatever became of them, and finish is red wherever anything is.
        assert dag.get_task(stage).trigger_rule == ("all_done" if stage == "notify" else "all_success")
    assert not isinstance(dag.get_task("clinics").task_group, MappedTaskGroup)


def test_assets_tie_validate_to_the_release_and_alert_to_the_review(bag) -> None:
    from airflow.sdk import Asset, AssetAlias

    outlets = {task.task_id: task.outlets for task in bag.dags[EXPORTS].tasks if task.outlets}
    assert {name: [type(outlet) for outlet in found] for name, found in outlets.items()} == {
        "validate": [AssetAlias],
        "alert": [AssetAlias],
    }
    assert bag.dags[RELEASE].schedule == [Asset("accepted", uri="clinic-outcomes://accepted")]
    assert bag.dags[REVIEW].schedule == [Asset("alerted", uri="clinic-outcomes://alerted")]


def test_exports_run_every_hour_and_catch_nothing_up(bag) -> None:
    dag = bag.dags[EXPORTS]
    assert dag.schedule == "@hourly"
    assert not any(dag.catchup for dag in bag.dags.values())


def test_one_run_at_a_time_but_for_reviews_that_must_not_wait_for_each_other(bag) -> None:
    runs = {dag_id: dag.max_active_runs for dag_id, dag in bag.dags.items()}
    assert (runs[EXPORTS], runs[RELEASE]) == (1, 1)
    assert runs[REVIEW] >= 50


def test_an_alert_waits_for_a_person_without_end_and_alone(bag) -> None:
    from airflow.providers.standard.operators.hitl import HITLOperator
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    dag = bag.dags[REVIEW]
    assert waits_for(dag) == {"alerts": set(), "review": set(), "acknowledge": {"review"}}
    review = dag.get_task("review")
    assert isinstance(review, HITLOperator)
    assert review.response_timeout is None and review.execution_timeout is None and review.defaults is None
    assert review.doc_md
    for name in ("review", "acknowledge"):
        assert isinstance(dag.get_task(name).task_group, MappedTaskGroup)


def test_a_person_approves_and_silence_publishes_nothing(bag) -> None:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    approve = bag.dags[RELEASE].get_task("approve")
    assert isinstance(approve, ApprovalOperator)
    assert approve.defaults == ["Reject"]
    assert approve.response_timeout and approve.response_timeout >= timedelta(days=1)
    assert approve.doc_md


@pytest.mark.parametrize("dag_id", [EXPORTS, RELEASE, REVIEW])
def test_policy(bag, dag_id: str) -> None:
    dag = bag.dags[dag_id]
    assert "clinic-outcomes" in dag.tags
    for word in (*(task.task_id for task in dag.tasks if task.task_id != "clinics"), "docs/runbook.md", "red"):
        assert word in (dag.doc_md or ""), f"doc_md says nothing of {word}"
    for task in dag.tasks:
        assert task.owner == "data-engineering", task.task_id
        assert task.retries >= 1, task.task_id
        assert task.retry_delay >= timedelta(minutes=1), task.task_id


def test_dag_files_hold_wiring_only() -> None:
    files = sorted(DAGS.glob("*.py"))
    assert [path.name for path in files] == [
        "clinic_exports.py",
        "dag_defaults.py",
        "outcome_release.py",
        "safety_review.py",
    ]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 80, path.name
        # dbt imports every module it finds by that name.
        assert not path.name.startswith("dbt_")
        for word in ("duckdb", "read_parquet", "open(", "pandas", "os.environ", "Settings"):
            assert word not in text, f"{path.name}: {word} is no wiring"
