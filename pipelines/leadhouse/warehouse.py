"""Where the rows go: a destination, guarded against other processes, asked what it has already."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadhouse import logs
from leadhouse.errors import (
    ConfigurationError,
    RunLockedError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from leadhouse.lock import TURN, run_lock, server_lock
from leadhouse.meanings import CHANGED_BY_HAND, CROWDED, HOLDER, REFUSED, explain, locked
from leadhouse.redact import redact
from leadhouse.target import Target

if TYPE_CHECKING:
    from leadhouse.lakes.destination import LakeClient
    from leadhouse.lakes.one_run import RunLock
    from leadhouse.token_chain import TokenStore

__all__ = ["CHANGED_BY_HAND", "Target", "Warehouse", "explain"]

log = logs.get_logger("leadhouse.warehouse")

_POLL_S = 0.2
_MEMORY_MB = 256


class Warehouse:
    """A destination in use by this run.

    Args:
        target: the destination.
        dataset: the schema in it.
        lock_timeout: seconds to wait for another process that has the DuckDB file open, or for another run.
        read_only: only looks; readers of the DuckDB file and runs at work do not hinder.

    Attributes:
        columns: columns of the widest table, as far as known.

    Raises:
        ConfigurationError: a DuckDB file that bears the dataset's name.
    """

    def __init__(self, target: Target, dataset: str, *, lock_timeout: float, read_only: bool = False) -> None:
        if target.kind == "duckdb" and Path(target.url).stem.lower() == dataset:
            raise ConfigurationError(
                f"the DuckDB file {Path(target.url).name} and its dataset {dataset} bear one name, which SQL cannot "
                "tell apart; name the file otherwise, or give --dataset"
            )
        self.target = target
        self.read_only = read_only
        self.dataset = dataset
        self._lock_timeout = lock_timeout
        self._guard: Any = None
        self._keeping = False
        self._kept = ExitStack()
        self._lock: Any = None
        self._lake_lock: RunLock | None = None
        self.columns = 0

    @property
    def connection(self) -> Any:
        """The connection that `held` (DuckDB) or `one_run` (Postgres) has open; None outside of it."""
        return self._guard or self._lock

    @property
    def missing(self) -> bool:
        """True when the destination is a DuckDB file, or a lake's folder, that is not there."""
        if self.target.kind == "lake":
            return not self.lake().is_storage_initialized()
        return self.target.kind == "duckdb" and not Path(self.target.url).exists()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the DuckDB file while dlt works with it, waiting for readers first; others need no holding.

        Raises:
            WarehouseLockedError: another process kept it open for longer than the time-out.
            WarehouseRefusedError: the file cannot be opened.
            WarehouseUnavailableError: the lock of `one_run` is lost.
        """
        if self.target.kind != "duckdb" or self._guard is not None:
            self._check_lock()
            yield
            return
        with ExitStack() as holding:
            holding.enter_context(TURN.get())
            self._guard = open_duckdb(self.target.url, self._lock_timeout, read_only=self.read_only)
            holding.callback(self._close_guard)
            # DuckDB would fill most of the machine's memory with pages of the file; wide tables need more to write.
            self._guard.execute(f"SET memory_limit = '{_MEMORY_MB + 2 * max(0, self.columns - 100)}MB'")
            yield
            if self._keeping:
                self._kept = holding.pop_all()

    def keep(self) -> None:
        """Keep the DuckDB file after its next use, until `let_go`: one of fifty datasets opens slowly."""
        self._keeping = self.target.kind == "duckdb"

    def let_go(self) -> None:
        """Give the DuckDB file free for others: the portal is to be asked, or the run is over."""
        self._keeping = False
        self._kept.close()

    def _close_guard(self) -> None:
        self._guard.close()
        self._guard = None

    @contextmanager
    def one_run(self) -> Iterator[None]:
        """Let one run at a time write this dataset, wherever its working directory and its machine are.

        The lock lies in the destination: beside the DuckDB file, in the Postgres server, in the lake. Others have none.

        Raises:
            RunLockedError: another run is at work.
            WarehouseRefusedError, WarehouseUnavailableError: the destination cannot be used.
        """
        if self.target.kind == "duckdb":
            with _beside(Path(self.target.url), self.dataset, self._lock_timeout):
                yield
            return
        if self.target.kind == "lake":
            with self._one_run_of_lake():
                yield
            return
        if self.target.kind != "postgres":
            yield
            return
        connection = connect_postgres(self.target)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                if not server_lock(cursor, "leadhouse", self.dataset, self._lock_timeout):
                    raise RunLockedError(
                        f"another run is writing dataset {self.dataset} of {self.target.label}; "
                        "wait for it to end, or raise --lock-timeout"
                    )
            self._lock = connection
            yield
        finally:
            self._lock = None
            connection.close()

    def token_store(self, seed: str, secret: str) -> "TokenStore":
        """Return where an application's tokens lie: in Postgres with the rows, else in the working directory."""
        from leadhouse.token_chain import token_file  # noqa: PLC0415 - for applications only
        from leadhouse.token_table import TokenTable  # noqa: PLC0415

        begun = token_file(seed)
        if self.target.kind != "postgres":
            return begun
        connect = partial(connect_postgres, self.target)
        label = self.target.label
        return TokenTable(connect, label=label, dataset=self.dataset, seed=seed, secret=secret, begun=begun)

    @contextmanager
    def _one_run_of_lake(self) -> Iterator[None]:
        from leadhouse.lakes.one_run import RunLock  # noqa: PLC0415 - loads dlt

        problem: Exception
        with ExitStack() as stack:
            try:
                self._lake_lock = RunLock(self.lake(), self.target.label)
                stack.enter_context(self._lake_lock.held(self._lock_timeout))
            except Exception as error:  # noqa: BLE001 - each kind of store has its own
                problem = explain(error, self.target)
            else:
                try:
                    yield
                finally:
                    self._lake_lock = None
                return
        raise problem

    def lake(self) -> "LakeClient":
        """Return a client of the lake, for what is done without a pipeline."""
        from dlt.common.schema import Schema  # noqa: PLC0415 - costs half a second

        destination = self.target.destination()
        bound = destination.spec()._bind_dataset_name(dataset_name=self.dataset)  # noqa: SLF001 - as dlt's pipeline does
        client: LakeClient = destination.client(Schema("leadhouse"), bound)
        return client

    def _check_lock(self) -> None:
        """Fail where the lock of `one_run` is lost: another run may have it."""
        if self._lake_lock is not None:
            self._lake_lock.check()
        if self._lock is None:
            return
        import psycopg2  # noqa: PLC0415 - loaded already, it holds the lock

        with suppress(psycopg2.Error), self._lock.cursor() as cursor:
            cursor.execute("SELECT 1")
            return
        raise WarehouseUnavailableError(
            f"{self.target.label}: the server ended the connection that keeps other runs out; "
            "the next run continues from the last checkpoint"
        )


def open_duckdb(path: str, timeout: float, *, read_only: bool) -> Any:
    """Return a connection to a DuckDB file, waiting up to `timeout` seconds for the process that has it open.

    Raises:
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: it cannot be opened.
    """
    import duckdb  # noqa: PLC0415 - loaded with the first use

    label = f"duckdb:{path}"
    deadline = time.monotonic() + timeout
    waiting = False
    made_here = not Path(path).exists()
    while True:
        problem: Exception
        try:
            return duckdb.connect(path, read_only=read_only)
        except duckdb.Error as error:
            problem = error
        holder = HOLDER.search(str(problem))
        if holder is None:
            break
        if time.monotonic() >= deadline:
            raise locked(label, holder)
        if not waiting:
            waiting = True
            log.info("waiting for the DuckDB file", pid=int(holder["pid"]), timeout_s=timeout)
        time.sleep(_POLL_S)
    if made_here:
        with suppress(OSError):
            Path(path).unlink()  # half a header, which no later run could open
    raise explain(problem, Target("duckdb", path))


@contextmanager
def _beside(file: Path, dataset: str, timeout: float) -> Iterator[None]:
    """Hold the lock of a dataset beside its DuckDB file: runs with other working directories meet there."""
    file = file.resolve()
    problem = ""
    with ExitStack() as held:
        try:
            if file.parent.is_dir():
                lock = file.parent / f".{file.name}.{dataset}.lock"
                held.enter_context(run_lock(lock, timeout, f"dataset {dataset} of duckdb:{file}"))
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise WarehouseRefusedError(
                f"duckdb:{file}: its folder cannot be written ({problem}); correct the rights, or give another --to"
            )
        yield


def connect_postgres(target: Target) -> Any:
    """Return a connection to a Postgres server.

    Raises:
        WarehouseRefusedError, WarehouseUnavailableError: there is none to be had.
    """
    import psycopg2  # noqa: PLC0415 - loaded with the first use

    problem: Exception
    try:
        return psycopg2.connect(target.url, connect_timeout=15)
    except psycopg2.Error as error:
        problem = error
    line = redact(" ".join(str(problem).split("\n", 1)[0].split()))[:300]
    told = f"{target.label}: {line}"
    text = str(problem).lower()
    crowded = re.search(CROWDED, text)
    if not crowded and re.search(f"{REFUSED}|does not exist", text):
        raise WarehouseRefusedError(f"{told}; correct the destination's address, password or rights")
    cure = "wait, or raise its limit of connections" if crowded else "start the server"
    raise WarehouseUnavailableError(f"{told}; {cure}, the next run continues from the last checkpoint")
