"""Every night: leads that left the portals, and leads that no sync could see (imported, restored), put right."""

import os
from typing import Any

from airflow.sdk import CronTriggerTimetable, chain, dag, task_group

from leadhouse.airflow.assets import PORTAL_LEADS
from leadhouse.airflow.operators import LeadhouseReconcileOperator
from leadhouse.airflow.params import RECONCILE_PARAMS
from leadhouse.airflow.tasks import DAG_ARGS, list_portals, publish, watcher

SCHEDULE = CronTriggerTimetable(os.environ.get("LEADHOUSE_RECONCILE_SCHEDULE", "30 2 * * *"), timezone="UTC")


@dag(schedule=SCHEDULE, params=RECONCILE_PARAMS, doc_md=__doc__, **DAG_ARGS)
def leadhouse_reconcile() -> None:
    """Wire the tasks."""

    @task_group
    def portal(source: str | None, portal: str | None, conn_id: str | None) -> Any:
        """What each portal needs."""
        return LeadhouseReconcileOperator(
            task_id="reconcile",
            source=source,
            portal=portal,
            conn_id=conn_id,
            deep="{{ params.deep }}",
            every_lead="{{ params.every_lead }}",
            max_deletions="{{ params.max_deletions }}",
            outlets=[PORTAL_LEADS],
            pool="leadhouse_api",
        ).output

    listed = list_portals()
    reconciled = portal.expand_kwargs(listed)
    chain([listed, reconciled, publish(reconciled)], watcher())


leadhouse_reconcile()
