"""When leads changed: the views over all CRMs are brought up to date, and checked against the tables of each portal.

A sync refreshes the views by itself, and lets them be where a reader is in the way. This run waits, and is red where a
portal's leads are missing from them.
"""

from airflow.sdk import dag, task

from leadhouse.airflow.assets import ALL_LEADS
from leadhouse.airflow.tasks import DAG_ARGS


@dag(schedule=[ALL_LEADS], doc_md=__doc__, **DAG_ARGS)
def leadhouse_views() -> None:
    """Wire the task."""

    @task(pool="duckdb_writer", inlets=[ALL_LEADS])
    def refresh() -> dict[str, int]:
        """Return the leads in the view, by dataset."""
        from leadhouse.airflow.destinations import warehouse  # noqa: PLC0415 - at run time only
        from leadhouse.views import check_views, refresh_views  # noqa: PLC0415

        with warehouse() as held:
            refresh_views(held)
            return check_views(held)

    refresh()


leadhouse_views()
