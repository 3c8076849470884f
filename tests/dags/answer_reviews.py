"""Answer every required action of the DAG safety_review through the function behind Airflow's REST API.

Run as a process of its own beside ``airflow dags test safety_review``: ``answer_reviews.py COUNT``.
"""

import json
import sys
import time

from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.core_api.datamodels.hitl import UpdateHITLDetailPayload
from airflow.api_fastapi.core_api.routes.public.hitl import update_hitl_detail
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import select

DAG, DEADLINE_SECONDS = "safety_review", 240


def answer(count: int) -> list[tuple[str, str]]:
    """Wait until ``count`` actions are asked for, and answer each. Gives what was asked: subject and body."""
    asked: dict[int, tuple[str, str]] = {}
    began = time.monotonic()
    while len(asked) < count and time.monotonic() - began < DEADLINE_SECONDS:
        time.sleep(0.5)
        with create_session() as session:
            waiting = session.scalars(
                select(TaskInstance).where(TaskInstance.dag_id == DAG, TaskInstance.state == "awaiting_input")
            ).all()
            for instance in waiting:
                detail = session.scalar(select(HITLDetail).where(HITLDetail.ti_id == instance.id))
                if detail is None or detail.response_received:
                    continue
                asked[instance.map_index] = (detail.subject, detail.body)
                update_hitl_detail(
                    dag_id=DAG,
                    dag_run_id=instance.run_id,
                    task_id=instance.task_id,
                    update_hitl_detail_payload=UpdateHITLDetailPayload(
                        chosen_options=["Acted on"], params_input={"note": "the clinic was asked"}
                    ),
                    user=SimpleAuthManagerUser(username="kim", role="admin"),
                    session=session,
                    map_index=instance.map_index,
                )
    return [asked[index] for index in sorted(asked)]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(int(sys.argv[1]))))
