"""Every configured portal in one call: runs side by side, each in a process of its own, so none hinders another."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from leadhouse import logs
from leadhouse.configured_portals import ConfiguredPortal, portals
from leadhouse.errors import ConfigurationError, CopyNotWrittenError, LeadhouseError
from leadhouse.lock import TURN
from leadhouse.progress import Lines
from leadhouse.publish import copy_path
from leadhouse.publish import publish as publish_copy
from leadhouse.redact import redact
from leadhouse.service import span, sync
from leadhouse.session import LOCK_TIMEOUT_S
from leadhouse.settings import configure_dlt, data_dir, destination_url
from leadhouse.warehouse import Target

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

JOBS = 4
# Loaded once for all: a process of its own costs a portal a fork then, and not a second of imports.
_PRELOAD = (
    "leadhouse.all_portals",
    "leadhouse.crm",
    "leadhouse.flow",
    "leadhouse.inventory",
    "leadhouse.readahead",
    "leadhouse.unchanged",
    "leadhouse.versions",
    "leadhouse.views",
    "leadhouse.bitrix24.crm",
    "leadhouse.kommo.crm",
)


@dataclass(frozen=True, slots=True)
class PortalRun:
    """How the run of one portal ended.

    Attributes:
        portal: the portal.
        exit_code: 0 done, 1 the next run may heal it, 2 a person must act.
        summary: figures of a run that is done, as `SyncSummary.to_dict` gives them.
        error: what went wrong, redacted; None when done.
    """

    portal: ConfiguredPortal
    exit_code: int
    summary: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    @property
    def line(self) -> str:
        """The same for a person."""
        if self.error:
            return self.error
        read, written, requests = (self.summary[figure] for figure in ("leads_read", "rows_written", "requests"))
        return f"{read:,} leads read, {written:,} rows written in {self.summary['seconds']:.1f} s, {requests} requests"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: the run's figures, with the portal's name and how it ended."""
        known = {"source": self.portal.source, "dataset": self.portal.dataset, "outcome": "failed"}
        return {**known, **self.summary, "name": self.portal.name, "exit_code": self.exit_code, "error": self.error}


@dataclass(frozen=True, slots=True)
class Overview:
    """What `sync_all` did.

    Attributes:
        runs: one for each portal, in the order of the configuration.
        destination: where the rows went, without secrets.
        started_at, finished_at: this machine's clock (UTC).
        unpublished: why the copy for readers was not written; None where it was, or none was asked for.
    """

    runs: Sequence[PortalRun]
    destination: str
    started_at: datetime
    finished_at: datetime
    unpublished: str | None = None

    @property
    def exit_code(self) -> int:
        """The worst of the runs', 1 at least where the copy was not written."""
        return max(int(bool(self.unpublished)), *(run.exit_code for run in self.runs))

    @property
    def seconds(self) -> float:
        """Duration of it all."""
        return (self.finished_at - self.started_at).total_seconds()

    def total(self, figure: str) -> int:
        """Return the sum of a figure, "leads_read", over the runs that are done."""
        return sum(run.summary.get(figure, 0) for run in self.runs)

    @property
    def line(self) -> str:
        """The same for a person."""
        failed = [
            f"{count} {means}"
            for count, means in (
                (sum(run.exit_code == 1 for run in self.runs), "failed, the next run may heal it"),
                (sum(run.exit_code == 2 for run in self.runs), "failed, a person must act"),
            )
            if count
        ]
        done = sum(not run.exit_code for run in self.runs)
        told = ", ".join([f"{done} of {len(self.runs)} portals done", *failed])
        return (
            f"{told}: {self.total('leads_read'):,} leads read, {self.total('rows_written'):,} rows written to "
            f"{self.destination} in {self.seconds:.1f} s"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "outcome": "failed" if self.exit_code else "done",
            "exit_code": self.exit_code,
            "destination": self.destination,
            "unpublished": self.unpublished,
            "done": sum(not run.exit_code for run in self.runs),
            "failed": sum(bool(run.exit_code) for run in self.runs),
            **{figure: self.total(figure) for figure in ("leads_read", "rows_written", "requests")},
            "seconds": round(self.seconds, 3),
            "portals": [run.to_dict() for run in self.runs],
        }


def sync_all(
    source: str | None = None,
    *,
    to: str | None = None,
    jobs: int = JOBS,
    publish: str | None = None,
    lock_timeout: float = LOCK_TIMEOUT_S,
    verbose: bool = False,
    ended: Callable[[PortalRun], object] = lambda _: None,
    **options: Any,
) -> Overview:
    """Bring the warehouse up to date with every configured portal; each has a dataset of its own.

    A portal that fails hinders no other; nothing is raised for it.

    Args:
        source: only portals of this source.
        to: the destination, as for `leadhouse.sync`.
        jobs: runs at a time at most. Those that write one DuckDB file take turns in writing.
        publish: then make this DuckDB file a copy of the warehouse, as `leadhouse.sync` does; one for all portals.
        lock_timeout: seconds to wait for a reader of the DuckDB file, or for a run of the same portal.
        verbose: log what happens inside; each run logs to stderr.
        ended: called for every portal whose run ended.
        **options: since, until, full, pii, reconcile, reconcile_every, max_deletions, yes, history of `leadhouse.sync`.

    Raises:
        ConfigurationError: no portal is configured, two would share a dataset, or the destination is none.
    """
    if jobs < 1:
        raise ConfigurationError(f"--jobs is {jobs}; it is a number from 1 on")
    span(options.get("since"), options.get("until"), full=options.get("full", False))
    started_at = datetime.now(UTC)
    found = portals(source)
    target = Target.parse(destination_url(to))
    copy = copy_path(publish, target, [portal.dataset for portal in found])
    configure_dlt()
    turn = data_dir() / "locks" / f"{target.identity}_turn.lock" if target.kind == "duckdb" else None
    if turn is not None:
        _make(turn.parent)
    work = partial(
        _run,
        environment=dict(os.environ),
        folder=Path.cwd(),
        turn=turn,
        verbose=verbose,
        options={"to": to, "lock_timeout": lock_timeout, "publish": "", **options},
    )
    runs: dict[ConfiguredPortal, PortalRun] = {}
    for run in _side_by_side(found, work, jobs):
        runs[run.portal] = run
        ended(run)
    unpublished = None
    try:
        if copy is not None and any(not run.exit_code for run in runs.values()):
            publish_copy(target, copy, lock_timeout=lock_timeout)
    except CopyNotWrittenError as error:
        unpublished = redact(str(error))
    return Overview([runs[portal] for portal in found], target.label, started_at, datetime.now(UTC), unpublished)


def _make(folder: Path) -> None:
    problem = ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigurationError(f"the working directory {folder} cannot be used ({problem}); set DLT_DATA_DIR")


def _side_by_side(found: Sequence[ConfiguredPortal], work: Callable[..., None], jobs: int) -> Iterator[PortalRun]:
    """Yield the runs as they end, `jobs` of them at work at a time; whatever stops us stops them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOAD))
    waiting = list(reversed(found))
    at_work: dict[Connection, tuple[ConfiguredPortal, BaseProcess]] = {}
    with _terminated_as_interrupted():
        try:
            while waiting or at_work:
                while waiting and len(at_work) < jobs:
                    portal = waiting.pop()
                    ours, theirs = context.Pipe(duplex=False)
                    process: BaseProcess = context.Process(
                        target=work, args=(portal, theirs), name=portal.label, daemon=True
                    )
                    process.start()
                    theirs.close()
                    at_work[ours] = portal, process
                for told in wait(list(at_work)):
                    assert isinstance(told, Connection)  # noqa: S101 - nothing else is waited for
                    yield _ended(told, *at_work.pop(told))
        finally:
            for _, process in at_work.values():
                process.terminate()


def _ended(told: Connection, portal: ConfiguredPortal, process: "BaseProcess") -> PortalRun:
    run: PortalRun | None = None
    try:
        run = told.recv()
    except EOFError:
        pass
    finally:
        told.close()
        process.join()
    if run is not None:
        return run
    code = process.exitcode or 0
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    return PortalRun(portal, 1, error=f"its process {how}; the next run continues from the last checkpoint")


def _run(
    portal: ConfiguredPortal,
    answer: Connection,
    *,
    environment: Mapping[str, str],
    folder: Path,
    turn: Path | None,
    verbose: bool,
    options: Mapping[str, Any],
) -> None:
    """Sync one portal, in a process of its own, and tell how it ended."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    logs.configure(verbose=verbose)
    if turn:
        TURN.set(FileLock(turn))
    try:
        summary = sync(portal.source, portal=portal.name, progress=Lines(), **options)
        run = PortalRun(portal, 0, summary.to_dict())
    except LeadhouseError as error:
        run = PortalRun(portal, error.exit_code, error=redact(str(error)))
    except KeyboardInterrupt:
        run = PortalRun(portal, 1, error="stopped; the next run continues from the last checkpoint")
    answer.send(run)


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C, so that the runs end with us."""
    before = None
    with suppress(ValueError):  # not the main thread, where signals arrive
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
