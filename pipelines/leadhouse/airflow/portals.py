"""The portals that a DAG works on: those of leadhouse's own configuration, and those that connections describe.

Read while a task runs, never when a DAG file is parsed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, TypedDict

from airflow.sdk import Variable

from leadhouse.airflow.hooks import VARIABLE, LeadhouseHook
from leadhouse.errors import ConfigurationError
from leadhouse.logs import get_logger
from leadhouse.settings import configure_dlt

log = get_logger("leadhouse.airflow")


class PortalKeywords(TypedDict):
    """What tells an operator its portal: conn_id alone, or source with the portal's name, if it has one."""

    source: str | None
    portal: str | None
    conn_id: str | None


def chosen_portals(wanted: Sequence[str] | None = None) -> list[PortalKeywords]:
    """Return the portals to work on, as keywords of the operators; nothing of it is secret.

    Args:
        wanted: labels ("bitrix24", "bitrix24.acme", or a connection's id); None or empty: every portal.

    Raises:
        ConfigurationError: none is configured, a wanted one is not, or two would share a label or a dataset.
    """
    known = [*_of_configuration(), *_of_connections()]
    if not known:
        raise ConfigurationError(
            f"no portal is configured; set SOURCES__BITRIX24__WEBHOOK_URL or its like where tasks run, or the Variable "
            f"{VARIABLE} to a JSON list of connection ids"
        )
    datasets = Counter(dataset for _, dataset, _ in known if dataset)
    for dataset, times in datasets.most_common(1):
        if times > 1:
            sharing = " and ".join(label for label, of, _ in known if of == dataset)
            raise ConfigurationError(f"{sharing} would share the dataset {dataset}; give one of them another dataset")
    labels = [label for label, _, _ in known]
    strangers = [label for label in wanted or () if label not in labels]
    if strangers:
        raise ConfigurationError(f"{strangers[0]!r} is no portal here; there are {', '.join(labels)}")
    return [keywords for label, _, keywords in known if not wanted or label in wanted]


def _of_configuration() -> Iterator[tuple[str, str, PortalKeywords]]:
    """Yield label, dataset and keywords of the portals that dlt's configuration describes."""
    configure_dlt()
    from leadhouse import portals  # noqa: PLC0415 - loads dlt

    for portal in portals(required=False):
        yield portal.label, portal.dataset, PortalKeywords(source=portal.source, portal=portal.name, conn_id=None)


def _of_connections() -> Iterator[tuple[str, str | None, PortalKeywords]]:
    """Yield the same of those that the Variable names; no dataset where a connection cannot be used.

    Such a one is for its own task to fail at, which holds back no other portal.
    """
    told: Any = Variable.get(VARIABLE, default=[], deserialize_json=True)
    if not isinstance(told, list) or not all(isinstance(name, str) for name in told):
        raise ConfigurationError(f'the Variable {VARIABLE} is no JSON list of connection ids, like ["acme"]')
    for name in told:
        dataset: str | None = None
        try:
            dataset = LeadhouseHook(name).get_conn().dataset
        except ConfigurationError as error:
            log.warning("a connection cannot be used; its task will fail", label=name, why=str(error))
        yield name, dataset, PortalKeywords(source=None, portal=None, conn_id=name)
