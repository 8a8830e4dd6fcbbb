"""An example of a DAG of your own: who has how many open leads, a row a day and owner, whenever leads changed.

It reads the view `crm.leads`, which is the same for every CRM, and writes `marts.open_leads_by_owner`.
"""

from airflow.sdk import dag, task

from leadhouse.airflow.assets import ALL_LEADS
from leadhouse.airflow.tasks import DAG_ARGS

STATEMENTS = (
    "CREATE SCHEMA IF NOT EXISTS marts",
    """CREATE TABLE IF NOT EXISTS marts.open_leads_by_owner
       (day DATE, source TEXT, owner TEXT, leads BIGINT, amount DECIMAL(38, 2), currency TEXT)""",
    "DELETE FROM marts.open_leads_by_owner WHERE day = current_date",
    """INSERT INTO marts.open_leads_by_owner
       SELECT current_date, source, owner, count(*), sum(amount), currency FROM crm.leads
       WHERE stage_kind = 'open' AND deleted_at IS NULL
       GROUP BY source, owner, currency""",
)


@dag(schedule=[ALL_LEADS], doc_md=__doc__, **DAG_ARGS)
def open_leads_by_owner() -> None:
    """Wire the task."""

    @task(pool="duckdb_writer", inlets=[ALL_LEADS])
    def build() -> int:
        """Write today's rows again; return how many there are."""
        from leadhouse.airflow.destinations import cursor  # noqa: PLC0415 - at run time only

        with cursor() as warehouse:
            for statement in ("BEGIN", *STATEMENTS, "COMMIT"):
                warehouse.execute(statement)
            warehouse.execute("SELECT count(*) FROM marts.open_leads_by_owner WHERE day = current_date")
            return int(warehouse.fetchone()[0])

    build()


open_leads_by_owner()
