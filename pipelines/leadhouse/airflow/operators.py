"""Operators: one task reads one portal into the warehouse."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import structlog
from airflow.sdk import AssetAlias, BaseOperator
from airflow.sdk.log import mask_secret

from leadhouse.airflow.assets import portal_leads
from leadhouse.airflow.destinations import LOCK_TIMEOUT_S, destination
from leadhouse.airflow.hooks import LeadhouseHook
from leadhouse.airflow.lineage import lineage
from leadhouse.airflow.links import PortalLink
from leadhouse.airflow.retries import LeadhouseRetryPolicy
from leadhouse.airflow.windows import Time, is_backfill, span
from leadhouse.errors import ConfigurationError, LeadhouseError
from leadhouse.logs import get_logger
from leadhouse.redact import share_secrets
from leadhouse.settings import configure_dlt

if TYPE_CHECKING:
    from airflow.sdk import BaseOperatorLink, Context

    from leadhouse.summary import SyncSummary

log = get_logger("leadhouse.airflow")


class PortalOperator(BaseOperator):
    """Reads a portal, which leadhouse's configuration or a connection names.

    Args:
        source: "bitrix24" or "kommo".
        portal: name of the portal where several are configured.
        conn_id: a connection of type bitrix24 or kommo instead of the two.
        to: destination, as `leadhouse.sync` takes it; default LEADHOUSE__TO.
        to_conn_id: a connection of type postgres or duckdb instead.
        dataset: schema of the tables; default the connection's dataset or id, the portal's name, the source's.
        lock_timeout: seconds to wait for a reader of the DuckDB file or for another run of the portal.
        **kwargs: as every operator takes them. Without a `retry_policy` it is LeadhouseRetryPolicy.

    Attributes:
        summary: what the last execution did; None where it failed.
    """

    template_fields: Sequence[str] = ("source", "portal", "conn_id", "to", "to_conn_id", "dataset")
    operator_extra_links: "tuple[BaseOperatorLink, ...]" = (PortalLink(),)
    ui_color: str = "#dff0ea"

    def __init__(
        self,
        *,
        source: str | None = None,
        portal: str | None = None,
        conn_id: str | None = None,
        to: str | None = None,
        to_conn_id: str | None = None,
        dataset: str | None = None,
        lock_timeout: float = LOCK_TIMEOUT_S,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("retry_policy", LeadhouseRetryPolicy())
        kwargs.setdefault("map_index_template", "{{ task.label }}")
        super().__init__(**kwargs)
        self.source = source
        self.portal = portal
        self.conn_id = conn_id
        self.to = to
        self.to_conn_id = to_conn_id
        self.dataset = dataset
        self.lock_timeout = lock_timeout
        self.summary: SyncSummary | None = None
        self._at_work = False

    @property
    def label(self) -> str:
        """The portal's name in Airflow: the connection's id, or like "bitrix24.acme"."""
        return self.conn_id or ".".join(part for part in (self.source, self.portal) if part)

    @abstractmethod
    def run(self, context: "Context", source: str, keywords: dict[str, Any]) -> "SyncSummary":
        """Do the work; `keywords` are those that all calls of leadhouse have in common."""

    def execute(self, context: "Context") -> dict[str, Any]:
        """Read the portal; return the run's summary, which holds nothing secret.

        Raises:
            TransientError: the next try may heal it.
            OperatorError: a person must act; the message says how. Not tried again.
        """
        share_secrets(mask_secret)
        configure_dlt()
        problem: LeadhouseError
        self._at_work, self.summary = True, None
        try:
            source, keywords = self._keywords()
            with structlog.contextvars.bound_contextvars(label=self.label), left_to_airflow():
                self.summary = self.run(context, source, keywords)
        except LeadhouseError as error:
            problem = error
        else:
            told = news(self.label, self.summary)
            late = not (told["rows"] or told["marked"]) and after_a_failure(context)
            self._announce(context, self.summary, told, late=late)
            return {"label": self.label, **self.summary.to_dict(), "after_failure": late}
        finally:
            self._at_work = False
        # The line says what is wrong; frames inside leadhouse would bury it in the task's log.
        raise problem.with_traceback(None) if problem.exit_code == 2 else problem

    def on_kill(self) -> None:
        """Stop reading; what was loaded stays, and the next run goes on from there."""
        if self._at_work:
            log.warning("told to stop; the next run goes on from the last checkpoint")
            raise SystemExit(1)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 - OpenLineage's signature
        """Return what was read and written, where the OpenLineage provider asks."""
        return lineage(self.summary) if self.summary else None

    def _keywords(self) -> tuple[str, dict[str, Any]]:
        """Return the source, and what all calls of leadhouse have in common."""
        if bool(self.conn_id) == bool(self.source):
            raise ConfigurationError("name the portal by conn_id, or by source (and portal): one of the two")
        keywords: dict[str, Any] = {
            "to": destination(self.to, self.to_conn_id),
            "dataset": self.dataset or None,
            "lock_timeout": float(self.lock_timeout),
        }
        if self.conn_id:
            portal = LeadhouseHook(self.conn_id).get_conn()
            source = portal.source
            keywords = {**portal.settings, **keywords, "dataset": self.dataset or portal.dataset}
        else:
            source = str(self.source)
            keywords["portal"] = self.portal or None
        return source, keywords

    def _announce(self, context: "Context", summary: "SyncSummary", told: dict[str, Any], *, late: bool) -> None:
        """Tell the outlets what is new; DAGs that wait for an alias's assets are not woken for nothing.

        Args:
            context: of the task.
            summary: of the run.
            told: the extra of the event.
            late: a try that failed may have written what is new.
        """
        for outlet in self.outlets:
            if not isinstance(outlet, AssetAlias):
                context["outlet_events"][outlet].extra = told
            elif told["rows"] or told["marked"] or late:
                context["outlet_events"][outlet].add(portal_leads(summary.dataset), extra=told)


class LeadhouseSyncOperator(PortalOperator):
    """Brings the warehouse up to date with one portal.

    Args:
        since, until: read again what was modified in this span; the cursor stays. In a backfill, without them, the
            data interval is the span.
        full: read everything again into place.
        reconcile: then find leads that vanished, or that the cursor cannot see.
        reconcile_every: the same, if the last time is as long ago, like "24h".
        max_deletions: leads that may have vanished before it refuses: a number, or a share like "5%".
        **kwargs: of PortalOperator.
    """

    template_fields: Sequence[str] = (
        *PortalOperator.template_fields,
        *("since", "until", "full", "reconcile", "reconcile_every", "max_deletions"),
    )

    def __init__(
        self,
        *,
        since: Time = None,
        until: Time = None,
        full: bool | str = False,
        reconcile: bool | str = False,
        reconcile_every: str | None = None,
        max_deletions: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.since = since
        self.until = until
        self.full = full
        self.reconcile = reconcile
        self.reconcile_every = reconcile_every
        self.max_deletions = max_deletions

    def run(self, context: "Context", source: str, keywords: dict[str, Any]) -> "SyncSummary":
        """Sync."""
        from leadhouse import sync  # noqa: PLC0415 - loads dlt

        since, until = span(context, given(self.since), given(self.until))
        return sync(
            source,
            since=since,
            until=until,
            full=flag(self.full),
            reconcile=flag(self.reconcile),
            reconcile_every=given(self.reconcile_every),
            max_deletions=given(self.max_deletions),
            **keywords,
        )


class LeadhouseReconcileOperator(PortalOperator):
    """Finds leads that left the portal and leads that the warehouse does not know, and puts it right.

    Args:
        deep: list every id with its modification time and read again the leads whose time differs.
        every_lead: read every lead again, also those whose time did not move.
        max_deletions: leads that may be missing before it refuses: a number, or a share like "5%".
        **kwargs: of PortalOperator.
    """

    template_fields: Sequence[str] = (*PortalOperator.template_fields, "deep", "every_lead", "max_deletions")

    def __init__(
        self,
        *,
        deep: bool | str = False,
        every_lead: bool | str = False,
        max_deletions: str | int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deep = deep
        self.every_lead = every_lead
        self.max_deletions = max_deletions

    def run(self, context: "Context", source: str, keywords: dict[str, Any]) -> "SyncSummary":
        """Reconcile."""
        from leadhouse import reconcile  # noqa: PLC0415 - loads dlt

        if is_backfill(context):
            raise ConfigurationError("reconcile compares what is there now; a backfill of it means nothing, delete it")
        return reconcile(
            source,
            deep=flag(self.deep),
            every_lead=flag(self.every_lead),
            max_deletions=given(self.max_deletions),
            **keywords,
        )


@contextmanager
def left_to_airflow() -> Iterator[None]:
    """Let leadhouse send no messages of its own: a failed try is no news, FailureNotifier tells of the last."""
    from leadhouse.notify import TELLS  # noqa: PLC0415 - loads dlt

    before = TELLS.set(False)
    try:
        yield
    finally:
        TELLS.reset(before)


def after_a_failure(context: "Context") -> bool:
    """Return whether a try of this task before, or the run before, failed: Airflow drops the events of what fails."""
    task: Any = context["ti"]
    if task.try_number > 1:
        return True
    previous = task.get_previous_ti(map_index=-1 if task.map_index is None else task.map_index)
    return previous is not None and previous.state == "failed"


def news(label: str, summary: "SyncSummary") -> dict[str, Any]:
    """Return the extra of a portal's asset event; nothing in it is secret."""
    marked = summary.leads_deleted + summary.leads_out_of_sight + summary.leads_recovered
    return {
        "label": label,
        "portal": summary.portal,
        "dataset": summary.dataset,
        "rows": summary.rows_written,
        "marked": marked,
        "cursor": summary.to_dict()["cursor_to"],
        "run_id": summary.run_id,
    }


def given(value: Any) -> Any:
    """Return a templated value, None where the template gave nothing."""
    return None if value in ("", "None") else value


def flag(value: bool | str) -> bool:
    """Return a templated flag.

    Raises:
        ConfigurationError: it is none.
    """
    told = str(value).lower()
    if told not in ("true", "false", "", "none"):
        raise ConfigurationError(f"{value!r} is neither true nor false")
    return told == "true"
