"""The portals that a DAG works on: those of leadhouse's own configuration, and those that connections describe.

Read while a task runs, never when a DAG file is parsed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from airflow.sdk import Variable

from leadhouse.airflow.hooks import LeadhouseHook
from leadhouse.errors import ConfigurationError
from leadhouse.settings import configure_dlt, configured

# A JSON list of ids of connections of the types bitrix24 and kommo.
VARIABLE = "leadhouse_connections"


class PortalKeywords(TypedDict):
    """What tells an operator its portal; nothing of it is secret."""

    source: str | None
    portal: str | None
    conn_id: str | None
    requests_per_second: float | None


class _Known(TypedDict):
    label: str
    source: str
    dataset: str
    pace: float
    keywords: PortalKeywords


def chosen_portals(wanted: Sequence[str] | None = None) -> list[PortalKeywords]:
    """Return the portals to work on, as keywords of the operators.

    Args:
        wanted: labels ("bitrix24", "bitrix24.acme", or a connection's id); None or empty: every portal.

    Raises:
        ConfigurationError: none is configured, a wanted one is not, or two would share a dataset.
    """
    known = [*_of_configuration(), *_of_connections()]
    if not known:
        raise ConfigurationError(
            f"no portal is configured; set SOURCES__BITRIX24__WEBHOOK_URL or its like where tasks run, or the Variable "
            f"{VARIABLE} to a JSON list of connection ids"
        )
    dataset, times = Counter(portal["dataset"] for portal in known).most_common(1)[0]
    if times > 1:
        sharing = " and ".join(portal["label"] for portal in known if portal["dataset"] == dataset)
        raise ConfigurationError(f"{sharing} would share the dataset {dataset}; give one of them another dataset")
    labels = [portal["label"] for portal in known]
    strangers = [label for label in wanted or () if label not in labels]
    if strangers:
        raise ConfigurationError(f"{strangers[0]!r} is no portal here; there are {', '.join(labels)}")
    _share_address(known)
    return [portal["keywords"] for portal in known if not wanted or portal["label"] in wanted]


def _of_configuration() -> Iterator[_Known]:
    configure_dlt()
    from leadhouse import portals  # noqa: PLC0415 - loads dlt

    for portal in portals(required=False):
        yield _Known(
            label=portal.label,
            source=portal.source,
            dataset=portal.dataset,
            pace=_pace(portal.source, configured(portal.source, portal.name, "requests_per_second")),
            keywords=PortalKeywords(source=portal.source, portal=portal.name, conn_id=None, requests_per_second=None),
        )


def _of_connections() -> Iterator[_Known]:
    told: Any = Variable.get(VARIABLE, default=[], deserialize_json=True)
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise ConfigurationError(f'the Variable {VARIABLE} is no JSON list of connection ids, like ["acme"]')
    for name in told:
        portal = LeadhouseHook(name).get_conn()
        yield _Known(
            label=name,
            source=portal.source,
            dataset=portal.dataset,
            pace=_pace(portal.source, portal.settings.get("requests_per_second")),
            keywords=PortalKeywords(source=None, portal=None, conn_id=name, requests_per_second=None),
        )


def _pace(source: str, told: Any) -> float:
    """Return requests a second; what is malformed is refused by the task that uses it."""
    from leadhouse.kommo.settings import REQUESTS_PER_SECOND  # noqa: PLC0415 - of no use at parse time

    try:
        return float(told)
    except (TypeError, ValueError):
        return REQUESTS_PER_SECOND if source == "kommo" else 0.0


def _share_address(known: Sequence[_Known]) -> None:
    """Let Kommo's accounts share a pace: the vendor counts by address, and tasks know nothing of each other."""
    accounts = [portal for portal in known if portal["source"] == "kommo"]
    for account in accounts if len(accounts) > 1 else ():
        account["keywords"]["requests_per_second"] = round(account["pace"] / len(accounts), 3)
