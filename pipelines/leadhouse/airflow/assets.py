"""Assets: what a run of leadhouse refreshes, by the name of the schema in the warehouse.

`leadhouse://{dataset}/leads` are the leads of one portal, `leadhouse://crm/leads` those of all (the view `crm.leads`).
"""

from airflow.sdk import Asset, AssetAlias

from leadhouse.settings import VIEWS

# The leads of all portals. Schedule a DAG on it to work on what is new.
ALL_LEADS = Asset(name="leadhouse_leads", uri=f"leadhouse://{VIEWS}/leads", group="leadhouse")
# Outlet of tasks that learn at run time which portal they read.
PORTAL_LEADS = AssetAlias(name="leadhouse_portal_leads", group="leadhouse")


def portal_leads(dataset: str) -> Asset:
    """Return the asset of one portal's leads; a DAG may be scheduled on it."""
    return Asset(name=f"leadhouse_{dataset}_leads", uri=f"leadhouse://{dataset}/leads", group="leadhouse")
