"""The DAGs: do they import, are they wired as designed, do they follow our policy."""

import sys
from datetime import timedelta

import pytest

from clinic_outcomes import CLINIC_STAGES, NETWORK_STAGES
from tests.dags.conftest import DAGS

EXPORTS, RELEASE = "clinic_exports", "outcome_release"


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


def following(dag, first: str) -> list[str]:
    """Tasks from ``first`` on, in order; fails where the DAG branches."""
    order = [first]
    while after := dag.get_task(order[-1]).downstream_task_ids:
        (task_id,) = after
        order.append(task_id)
    return order


def test_every_dag_imports(bag) -> None:
    assert bag.import_errors == {}
    assert set(bag.dags) == {EXPORTS, RELEASE}


def test_exports_run_the_clinic_stages_in_order(bag) -> None:
    dag = bag.dags[EXPORTS]
    assert following(dag, "receive") == ["receive", "admit", "harmonise", "resolve", "validate"]
    assert {task.task_id for task in dag.roots} == {"clinics"}
    assert set(dag.task_ids) == {"clinics", *CLINIC_STAGES}
    assert CLINIC_STAGES == ("receive", "admit", "harmonise", "resolve", "validate")


def test_release_runs_the_network_stages_with_an_approval_before_publish(bag) -> None:
    dag = bag.dags[RELEASE]
    waits_for = {task.task_id: task.upstream_task_ids for task in dag.tasks}
    assert waits_for == {
        "model": set(),
        "protect": {"model"},
        "approve": {"protect"},
        "publish": {"approve", "model"},  # of model it takes the build's id
    }
    assert NETWORK_STAGES == ("model", "protect", "publish")


def test_exports_are_mapped_over_clinics_a_chain_each(bag) -> None:
    from airflow.sdk.definitions.taskgroup import MappedTaskGroup

    dag = bag.dags[EXPORTS]
    for stage in CLINIC_STAGES:
        group = dag.get_task(stage).task_group
        assert isinstance(group, MappedTaskGroup), stage
        assert group.group_id == "clinic"
        # A stage waits for the stage before in its own clinic's chain, and for no other clinic.
        assert dag.get_task(stage).trigger_rule == "all_success"
    assert not isinstance(dag.get_task("clinics").task_group, MappedTaskGroup)


def test_validate_updates_the_asset_that_release_waits_for(bag) -> None:
    from airflow.sdk import Asset, AssetAlias

    (alias,) = bag.dags[EXPORTS].get_task("validate").outlets
    assert isinstance(alias, AssetAlias)
    assert all(not task.outlets for task in bag.dags[EXPORTS].tasks if task.task_id != "validate")
    assert bag.dags[RELEASE].schedule == [Asset("accepted", uri="clinic-outcomes://accepted")]


def test_exports_run_every_hour_and_catch_nothing_up(bag) -> None:
    dag = bag.dags[EXPORTS]
    assert dag.schedule == "@hourly"
    assert not dag.catchup and not bag.dags[RELEASE].catchup


def test_one_run_at_a_time(bag) -> None:
    assert {dag_id: dag.max_active_runs for dag_id, dag in bag.dags.items()} == {EXPORTS: 1, RELEASE: 1}


def test_a_person_approves_and_silence_publishes_nothing(bag) -> None:
    from airflow.providers.standard.operators.hitl import ApprovalOperator

    approve = bag.dags[RELEASE].get_task("approve")
    assert isinstance(approve, ApprovalOperator)
    assert approve.defaults == ["Reject"]
    assert approve.response_timeout and approve.response_timeout >= timedelta(days=1)
    assert approve.doc_md


@pytest.mark.parametrize("dag_id", [EXPORTS, RELEASE])
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
    assert [path.name for path in files] == ["clinic_exports.py", "dag_defaults.py", "outcome_release.py"]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 80, path.name
        # dbt imports every module it finds by that name.
        assert not path.name.startswith("dbt_")
        for word in ("duckdb", "read_parquet", "open(", "pandas", "os.environ", "Settings"):
            assert word not in text, f"{path.name}: {word} is no wiring"
