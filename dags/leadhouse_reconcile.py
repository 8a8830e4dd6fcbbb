"""Every night: leads that left the portals, and leads that no sync could see (imported, restored), put right."""

import os
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import CronTriggerTimetable, chain, dag, task_group

from leadhouse.airflow.assets import PORTAL_LEADS
from leadhouse.airflow.operators import LeadhouseReconcileOperator
from leadhouse.airflow.tasks import (
    DEFAULT_ARGS,
    flag_param,
    list_portals,
    max_deletions_param,
    portals_param,
    publish,
    watcher,
)


@dag(
    schedule=CronTriggerTimetable(os.environ.get("LEADHOUSE_RECONCILE_SCHEDULE", "30 2 * * *"), timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={
        "portals": portals_param(),
        "deep": flag_param("Deep", "Compare the modification time of every lead"),
        "every_lead": flag_param("Every lead", "Read every lead again, for edits that moved no date"),
        "max_deletions": max_deletions_param(),
    },
    render_template_as_native_obj=True,
    tags=["leadhouse", "crm"],
    doc_md=__doc__,
)
def leadhouse_reconcile() -> None:
    """Wire the tasks."""

    @task_group
    def portal(source: str | None, portal: str | None, conn_id: str | None, requests_per_second: float | None) -> Any:
        """What each portal needs."""
        return LeadhouseReconcileOperator(
            task_id="reconcile",
            source=source,
            portal=portal,
            conn_id=conn_id,
            requests_per_second=requests_per_second,
            deep="{{ params.deep }}",
            every_lead="{{ params.every_lead }}",
            max_deletions="{{ params.max_deletions }}",
            outlets=[PORTAL_LEADS],
            pool="leadhouse_api",
        ).output

    listed = list_portals()
    reconciled = portal.expand_kwargs(listed)
    published = publish(reconciled)
    chain([listed, reconciled, published], watcher())


leadhouse_reconcile()
