"""One run from its first line to its last: opened, worked at alone, recorded, told."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from leadhouse import logs
from leadhouse.errors import ConfigurationError, LeadhouseError, SightLostError
from leadhouse.notify import telling
from leadhouse.pipeline import existing, opened
from leadhouse.progress import Progress, for_terminal
from leadhouse.redact import redact
from leadhouse.session import Session
from leadhouse.settings import (
    dataset_name,
    destination_url,
    known_source,
    portal_settings,
    setting_names,
    sources,
)
from leadhouse.shape import check_shape
from leadhouse.summary import SyncSummary
from leadhouse.token_chain import stored_in
from leadhouse.warehouse import Target, Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline

log = logs.get_logger("leadhouse.sync")


@telling
def run(
    command: str,
    source: str,
    work: Callable[[Session], None],
    *,
    to: str | None,
    dataset: str | None,
    portal: str | None,
    lock_timeout: float,
    progress: Progress | None,
    settings: dict[str, Any],
    read_only: bool = False,
    history: bool = False,
    pii: str | None = None,
    full: bool = False,
) -> SyncSummary:
    """Let `work` read a portal into a warehouse, as the only run there, and return what was done.

    Args:
        command: "sync", "reconcile", "lead" or "verify".
        source: "bitrix24", "kommo".
        work: the run itself; it begins with the DuckDB file open, and lets it go before it asks the portal.
        to: the destination.
        dataset: the schema.
        portal: name of the portal where several are configured.
        lock_timeout: seconds to wait for another process.
        progress: told what happens; None: a bar on a terminal, log lines otherwise.
        settings: of the portal, by name.
        read_only: `work` only looks, beside whatever run is at work; nothing is written, no row of `sync_runs` either.
        history: keep the versions of leads from now on.
        pii: what is to become of personal data; None: as configured, else as the dataset remembers.
        full: `work` reads everything again.

    Raises:
        TransientError: the next run may heal it.
        OperatorError: a person must act; the message says how.
    """
    logs.through_standard_library()
    known_source(source)
    unknown = settings.keys() - setting_names(source)
    if unknown:
        raise TypeError(f"{command}() has no setting {', '.join(sorted(unknown))}")
    name = dataset_name(source, portal, dataset)
    target = Target.parse(destination_url(to))
    chosen = portal_settings(source, portal, settings)
    summary = SyncSummary(
        run_id=secrets.token_hex(6),
        source=source,
        command=command,
        portal="",
        destination=target.label,
        dataset=name,
        started_at=datetime.now(UTC),
    )
    warehouse = Warehouse(target, name, lock_timeout=lock_timeout, read_only=read_only)
    with (
        structlog.contextvars.bound_contextvars(run_id=summary.run_id, source=source, dataset=name),
        stored_in(warehouse.token_store),
        progress or for_terminal(f"{source} → {target.kind}") as shown,
    ):
        problem: LeadhouseError
        warehouse.keep()
        try:
            with (existing if read_only else opened)(warehouse, lock_timeout=lock_timeout) as pipeline:
                from leadhouse.crm import crm  # noqa: PLC0415 - arrow's weight is loaded late

                _check_dataset(warehouse, pipeline, source)
                known = crm(source)
                session = Session(known, chosen, warehouse, pipeline, known.connect(chosen), summary, shown)
                _work(work, session, history=history, pii=pii, full=full)
        except LeadhouseError as error:
            problem = error
            summary.outcome = "failed"
            summary.error = redact(str(error))
        else:
            return summary
        finally:
            warehouse.let_go()
            _tell(summary)
        raise problem


def _check_dataset(warehouse: Warehouse, pipeline: "Pipeline", source: str) -> None:
    """Refuse a dataset that is not this source's, before anything is written.

    Raises:
        ConfigurationError: it holds another source, or the views over all CRMs.
    """
    from leadhouse.views import check_no_views  # noqa: PLC0415 - arrow's weight is loaded late

    check_no_views(warehouse)
    told = pipeline.state.get("sources")
    others = sorted(set(told) & set(sources()) - {source}) if isinstance(told, dict) else []
    if others:
        raise ConfigurationError(
            f"the dataset {warehouse.dataset} of {warehouse.target.label} holds {others[0]}; give another name with "
            "--dataset"
        )


def _work(work: Callable[[Session], None], session: Session, *, history: bool, pii: str | None, full: bool) -> None:
    from leadhouse.pii import settle  # noqa: PLC0415 - arrow's weight is loaded late
    from leadhouse.versions import versions  # noqa: PLC0415

    session.account()
    problem: LeadhouseError | None = None
    try:
        check_shape(session.crm, session.warehouse, session.pipeline)
        if not session.warehouse.read_only:
            session.versions = versions(session.crm, session.warehouse, session.pipeline, wanted=history)
        settle(session, pii, full=full)
        work(session)
        session.keep_versions()
        session.account()
        session.record("done")
        session.summary.outcome = "done"
    except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
        problem = explain(error, session.warehouse.target)
    finally:
        session.portal.pause.cancel()
        session.portal.close()
        if session.mask is not None:
            session.mask.close()
    if problem is not None:
        session.account()
        session.summary.error = redact(str(problem))
        _record_failure(session, problem)
        raise problem


def _record_failure(session: Session, problem: LeadhouseError) -> None:
    try:
        void = isinstance(problem, SightLostError)
        session.record("failed", replace(session.cursor, window=None, backfill_window=None) if void else None)
    except Exception as error:  # noqa: BLE001 - the run's own error matters more
        log.debug("the failed run could not be recorded", why=redact(str(error).split("\n", 1)[0]))


def _tell(summary: SyncSummary) -> None:
    """Write the canonical log line of the run."""
    summary.finished_at = datetime.now(UTC)
    left_out = ("run_id", "source", "dataset", "command")
    told = {key: value for key, value in summary.to_dict().items() if key not in left_out}
    (log.info if summary.outcome == "done" else log.error)(summary.command, **told)
