"""A run in OpenLineage's words: the portal's leads went into the warehouse's table."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from leadhouse.summary import SyncSummary

_POSTGRES_PORT = 5432


def output_names(summary: "SyncSummary") -> tuple[str, str]:
    """Return namespace and name of the table of leads, as OpenLineage's naming has them for a destination."""
    kind, _, path = summary.destination.partition(":")
    if kind == "duckdb":
        return f"duckdb://{path}", f"{summary.dataset}.leads"
    if kind == "postgresql":
        parts = urlsplit(summary.destination)
        place = f"postgres://{parts.hostname or 'localhost'}:{parts.port or _POSTGRES_PORT}"
        return place, f"{parts.path.strip('/')}.{summary.dataset}.leads"
    return summary.destination, f"{summary.dataset}.leads"


def lineage(summary: "SyncSummary") -> Any:
    """Return an OperatorLineage; the OpenLineage provider is there, it asked."""
    from airflow.providers.common.compat.openlineage.facet import Dataset  # noqa: PLC0415
    from airflow.providers.openlineage.extractors import OperatorLineage  # noqa: PLC0415

    namespace, name = output_names(summary)
    return OperatorLineage(
        inputs=[Dataset(namespace=f"{summary.source}://{summary.portal}", name="leads")],
        outputs=[Dataset(namespace=namespace, name=name)],
    )
