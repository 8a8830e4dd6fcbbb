"""The whole service in one call: read a portal's window, load it in checkpoints, account for it."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog

from leadhouse import logs
from leadhouse.cursor import Backfill, Cursor
from leadhouse.errors import ConfigurationError, LeadhouseError
from leadhouse.pipeline import opened
from leadhouse.progress import Progress, for_terminal
from leadhouse.redact import redact
from leadhouse.settings import PortalSettings, dataset_name, destination_url, known_source, portal_settings
from leadhouse.state import stored
from leadhouse.summary import SyncSummary
from leadhouse.times import parse_time
from leadhouse.warehouse import Target, Warehouse, explain

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.bitrix24.source import LeadFlow

log = structlog.get_logger("leadhouse.sync")

# Leads that a killed run reads again at most: a load package, a lot that waits behind it, and one that is being read.
CHECKPOINT_LEADS = 20_000
_LOT_LEADS = 2_500  # a batch of 50 pages of 50
_LOTS_AHEAD = 1
PACKAGE_LEADS = CHECKPOINT_LEADS - (_LOTS_AHEAD + 1) * _LOT_LEADS
# Seconds of reading after which a package ends before that: slow portals get smaller ones.
CHECKPOINT_S = 10.0
LOCK_TIMEOUT_S = 60.0


@dataclass(slots=True)
class _Run:
    """One run at work."""

    warehouse: Warehouse
    settings: PortalSettings
    summary: SyncSummary
    progress: Progress
    full: bool
    backfill: Backfill | None
    schema_hash: str | None = None
    recorded: bool = False


def sync(
    source: str = "bitrix24",
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    full: bool = False,
    lock_timeout: float = LOCK_TIMEOUT_S,
    progress: Progress | None = None,
    **settings: Any,
) -> SyncSummary:
    """Bring the warehouse up to date with a portal and return what was done.

    Args:
        source: "bitrix24".
        to: duckdb:file.duckdb, postgresql://…, or the name of a destination in dlt's configuration; where not given,
            LEADHOUSE__TO or `to` under [leadhouse] in `.dlt/`, else duckdb:leadhouse.duckdb.
        dataset: schema of the tables; default the portal's name, else the source's.
        portal: name of the portal where several are configured.
        since: read again what was modified from this time on (UTC where no zone is given); the cursor stays.
        until: … and before this time.
        full: read everything again into place.
        lock_timeout: seconds to wait for a reader of the DuckDB file or for another run.
        progress: told what happens; default a bar on a terminal, log lines otherwise.
        **settings: webhook_url, api, overlap_minutes, phone_region, requests_per_second, burst; where not given they
            come from the environment (SOURCES__BITRIX24__…) and `.dlt/`.

    Raises:
        TransientError: the next run may heal it.
        OperatorError: a person must act; the message says how.
    """
    logs.through_standard_library()
    known_source(source)
    unknown = settings.keys() - PortalSettings.__dataclass_fields__.keys() - {"overlap_minutes"}
    if unknown:
        raise TypeError(f"sync() has no setting {', '.join(sorted(unknown))}")
    backfill = Backfill(parse_time(since), parse_time(until)) if since is not None or until is not None else None
    if backfill is not None and (full or (backfill.since and backfill.until and backfill.since >= backfill.until)):
        raise ConfigurationError("--since must lie before --until, and neither goes with --full")
    name = dataset_name(source, portal, dataset)
    target = Target.parse(destination_url(to))
    chosen = portal_settings(source, portal, settings)
    summary = SyncSummary(
        run_id=secrets.token_hex(6),
        source=source,
        portal="",
        destination=target.label,
        dataset=name,
        started_at=datetime.now(UTC),
    )
    warehouse = Warehouse(target, name, lock_timeout=lock_timeout)
    with (
        structlog.contextvars.bound_contextvars(run_id=summary.run_id, source=source, dataset=name),
        progress or for_terminal(f"{source} → {target.kind}") as shown,
    ):
        run = _Run(warehouse, chosen, summary, shown, full, backfill)
        problem: LeadhouseError
        try:
            with opened(warehouse, lock_timeout=lock_timeout) as pipeline:
                _work(run, pipeline)
        except LeadhouseError as error:
            problem = error
            summary.outcome = "failed"
            summary.error = redact(str(error))
        else:
            return summary
        finally:
            _tell(summary)
        raise problem


def _work(run: _Run, pipeline: "Pipeline") -> None:
    from leadhouse.bitrix24.client import Bitrix24Client, Limits  # noqa: PLC0415 - loads dlt's and arrow's weight late

    limits = Limits(drain=run.settings.requests_per_second, burst=run.settings.burst)
    client = Bitrix24Client(run.settings.webhook_url, limits=limits)
    run.summary.portal = client.portal
    problem: LeadhouseError | None = None
    try:
        _windows(run, pipeline, client)
        _account(run, client)
        if not run.recorded:
            _record(run, pipeline, "done")
        run.summary.outcome = "done"
    except Exception as error:  # noqa: BLE001 - dlt and the databases raise many classes
        problem = explain(error, run.warehouse.target)
    finally:
        client.pause.cancel()
        client.close()
    if problem is not None:
        _account(run, client)
        run.summary.error = redact(str(problem))
        _record_failure(run, pipeline)
        raise problem


def _windows(run: _Run, pipeline: "Pipeline", client: Any) -> None:
    """Read the window; one that an earlier run left open is finished first, then a new one is read."""
    cursor = _cursor(pipeline, run.summary.source)
    run.summary.cursor_from = run.summary.cursor_to = cursor.cursor
    while True:
        resumed = _window(run, pipeline, client, cursor)
        cursor = _cursor(pipeline, run.summary.source)
        run.summary.cursor_to = cursor.cursor
        if not resumed or run.full or run.backfill is not None:
            return


def _window(run: _Run, pipeline: "Pipeline", client: Any, cursor: Cursor) -> bool:
    """Read one window to its end in packages; return whether an earlier run had opened it."""
    from leadhouse.bitrix24.reader import Options, WindowReader  # noqa: PLC0415
    from leadhouse.bitrix24.source import LeadFlow  # noqa: PLC0415
    from leadhouse.dlt_tables import stored_kinds  # noqa: PLC0415
    from leadhouse.readahead import ReadAhead  # noqa: PLC0415
    from leadhouse.unchanged import Unchanged  # noqa: PLC0415

    options = Options(
        family="item" if run.settings.api == "item" else "lead",
        overlap=run.settings.overlap,
        region=run.settings.phone_region,
        full=run.full,
        backfill=run.backfill,
        stored=stored_kinds(pipeline.default_schema) if pipeline.default_schema_name else {},
    )
    reader = WindowReader(client, cursor, options)
    run.progress.step("asking the portal", run.summary.leads_read)
    reader.open()
    rewrite = reader.rewrites
    newest = None if rewrite else run.warehouse.newest_id(pipeline)
    run.warehouse.columns = len(reader.pages.fields.columns)
    unchanged = Unchanged(lambda ids: run.warehouse.versions(pipeline, ids), newest)
    ahead = ReadAhead(reader.pieces, depth=_LOTS_AHEAD, cancel=client.pause.cancel)
    try:
        nul = run.warehouse.target.kind != "postgres"
        flow = LeadFlow(reader, iter(ahead), unchanged=unchanged, limit=PACKAGE_LEADS, seconds=CHECKPOINT_S, nul=nul)
        read_before = run.summary.leads_read
        while not flow.finished:
            _load(run, pipeline, client, flow, final=not reader.resumed)
            run.summary.leads_read = read_before + flow.leads_read
            _account(run, client)
            run.progress.step("loading", run.summary.leads_read)
        run.summary.leads_unchanged += unchanged.count
        run.summary.rows_written += flow.rows_written
        run.summary.misfits += flow.misfits
        run.summary.unavailable = reader.unavailable
    finally:
        ahead.close()
        reader.close()
    return reader.resumed


def _load(run: _Run, pipeline: "Pipeline", client: Any, flow: "LeadFlow", *, final: bool) -> None:
    """Extract one package from `flow` and load it; the run's row goes with it if it is the last and brings no rows."""
    from leadhouse.bitrix24.decode import CHILDREN  # noqa: PLC0415
    from leadhouse.bitrix24.source import flowing  # noqa: PLC0415
    from leadhouse.dlt_tables import ROOT  # noqa: PLC0415

    def row() -> dict[str, Any] | None:
        if not (final and flow.finished and flow.rows_written == 0):
            return None
        _account(run, client)
        run.summary.cursor_to = flow.cursor.cursor
        run.summary.leads_read += flow.leads_read
        return _row(run, "done")

    pipeline.extract(flowing(flow, row))
    with run.warehouse.held():
        pipeline.normalize()
        schema = pipeline.default_schema.stored_version_hash
        if run.schema_hash != schema:
            pipeline.sync_schema()
            run.warehouse.index((ROOT, *CHILDREN), pipeline)
            run.schema_hash = schema
        pipeline.load()
    run.summary.packages += 1


def _row(run: _Run, outcome: str) -> dict[str, Any]:
    run.summary.finished_at = datetime.now(UTC)
    run.summary.outcome = outcome
    run.recorded = True
    return run.summary.row()


def _record(run: _Run, pipeline: "Pipeline", outcome: str) -> None:
    """Write the run's row of `sync_runs` in a package of its own."""
    from leadhouse.bitrix24.source import flowing  # noqa: PLC0415

    with run.warehouse.held():
        if pipeline.has_pending_data:
            pipeline.abort_packages()
        pipeline.run(flowing(None, lambda: _row(run, outcome)))


def _record_failure(run: _Run, pipeline: "Pipeline") -> None:
    try:
        _record(run, pipeline, "failed")
    except Exception as error:  # noqa: BLE001 - the run's own error matters more
        log.debug("the failed run could not be recorded", why=redact(str(error).split("\n", 1)[0]))


def _account(run: _Run, client: Any) -> None:
    run.summary.portal = client.portal
    run.summary.requests = client.traffic.requests
    run.summary.retries = client.traffic.retries
    run.summary.throttled_s = client.pause.throttled_s


def _cursor(pipeline: "Pipeline", source: str) -> Cursor:
    slot = stored(pipeline, source)
    return Cursor.from_dict(slot.get("cursor") if slot else None)


def _tell(summary: SyncSummary) -> None:
    """Write the canonical log line of the run."""
    summary.finished_at = datetime.now(UTC)
    told = {key: value for key, value in summary.to_dict().items() if key not in ("run_id", "source", "dataset")}
    (log.info if summary.outcome == "done" else log.error)("sync", **told)
