"""Where the rows go: a destination named by URL, guarded against other processes, asked what it has already."""

import re
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from leadhouse import logs
from leadhouse.errors import (
    ConfigurationError,
    InternalError,
    LeadhouseError,
    RunLockedError,
    WarehouseLockedError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from leadhouse.lock import TURN, run_lock
from leadhouse.postgres_url import check_postgres_url
from leadhouse.redact import redact, register_secrets
from leadhouse.settings import configure_dlt

if TYPE_CHECKING:
    from dlt import Pipeline

    from leadhouse.crm import Crm
    from leadhouse.token_chain import TokenStore

log = logs.get_logger("leadhouse.warehouse")

_POLL_S = 0.2
_MEMORY_MB = 256
_HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_QUOTED = re.compile(r"\"[^\"/]*\"|'[^'/]*'")
_CONVERTED = re.compile(r"""(?<=string )'.*'|(?<=: )".*"$""")
CHANGED_BY_HAND = (
    "somebody changed the tables by hand: put it back as it was and run `leadhouse sync` with --full, or fill a new "
    "dataset with --dataset"
)
_REFUSED = (
    "password authentication failed|no password supplied|role |permission denied|read-only|version number|"
    "cannot open file|no pg_hba.conf entry"
)
_CROWDED = "too many c|remaining connection slots|starting up|not yet accepting|shutting down|in recovery mode"
# What a database's words mean for the run and its operator, the first that is found.
_MEANINGS: tuple[tuple[str, type[LeadhouseError], str], ...] = (
    (
        "no space left|disk is full|disk full|disk quota|could not extend file",
        WarehouseUnavailableError,
        "the disk is full, free some space and run again",
    ),
    (
        (
            "binder error|catalog error|conversion error|constraint error|is of type|invalid input syntax|"
            "cannot insert into|cannot delete from|violates (not-null|check|foreign key)|"
            "(column|relation|operator|table) .{1,200}does not exist"
        ),
        WarehouseRefusedError,
        CHANGED_BY_HAND,
    ),
    (
        "corrupt database file|could not read enough bytes|not a valid duckdb database|failed to deserialize",
        WarehouseRefusedError,
        "the file is damaged: put a copy of it back, or move it away and the next run fills a new one",
    ),
    (
        "row is too big|tables can have at most",
        WarehouseRefusedError,
        "the portal has more custom fields than a Postgres table can hold; use DuckDB",
    ),
    (_CROWDED, WarehouseUnavailableError, "wait, or raise the server's limit of connections, and run again"),
    (_REFUSED, WarehouseRefusedError, "correct the destination's address, password or rights"),
)


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as the user named it.

    Attributes:
        kind: "duckdb", "postgres" or "named" (any other that dlt's configuration describes).
        url: path of the DuckDB file, the Postgres URL (a secret), or dlt's name of the destination.
        name: dlt's name of the destination, "" where a URL was given.
    """

    kind: str
    url: str
    name: str = ""

    @classmethod
    def parse(cls, to: str) -> "Target":
        """Read `--to`: duckdb:///file.duckdb, duckdb:file.duckdb, postgresql://…, or the name of a dlt destination.

        Raises:
            ConfigurationError: none of these.
        """
        scheme, _, rest = to.partition(":")
        if scheme == "duckdb" and rest:
            path = Path(rest.removeprefix("//")).expanduser().absolute()
            if rest.strip("/") and not path.is_dir():
                return cls("duckdb", str(path))
        if scheme in ("postgres", "postgresql") and rest.startswith("//"):
            check_postgres_url(to)
            return cls("postgres", f"postgresql:{rest.replace(' ', '%20')}")
        if re.fullmatch(r"[A-Za-z_][\w.]*", to):
            return _named(to)
        raise ConfigurationError(
            f"{redact(to)!r} is no destination; use duckdb:file.duckdb, postgresql://user@host/database, "
            "or the name of a destination that dlt's configuration describes"
        )

    @property
    def label(self) -> str:
        """The destination without secrets."""
        if self.kind == "duckdb":
            return f"duckdb:{self.url}"
        parts = urlsplit(self.url)
        if self.kind == "postgres":
            return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return self.url

    @property
    def identity(self) -> str:
        """A short name for working files: the same for the same destination, without secrets."""
        return blake2b(self.label.encode(), digest_size=6).hexdigest()

    def destination(self, *, read_only: bool = False) -> Any:
        """Return dlt's destination; loads are parquet wherever the destination takes it."""
        import dlt  # noqa: PLC0415 - costs half a second

        if self.kind == "named":
            return dlt.destination(self.url)
        if read_only and self.kind == "duckdb":
            from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials  # noqa: PLC0415

            return dlt.destinations.duckdb(DuckDbCredentials(self.url, read_only=True))
        named: Any = {"destination_name": self.name} if self.name else {}
        if self.kind == "duckdb":
            return dlt.destinations.duckdb(self.url, preferred_loader_file_format="parquet", **named)
        from leadhouse.libpq import LibpqPostgres  # noqa: PLC0415 - loads dlt

        return LibpqPostgres(self.url, preferred_loader_file_format="parquet", **named)


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
        self._lock: Any = None
        self.columns = 0

    @property
    def connection(self) -> Any:
        """The connection that `held` (DuckDB) or `one_run` (Postgres) has open; None outside of it."""
        return self._guard or self._lock

    @property
    def missing(self) -> bool:
        """True when the destination is a DuckDB file that is not there."""
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
        with TURN.get():
            self._guard = _open_duckdb(self.target.url, self._lock_timeout, read_only=self.read_only)
            # DuckDB would fill most of the machine's memory with pages of the file; wide tables need more to write.
            self._guard.execute(f"SET memory_limit = '{_MEMORY_MB + 2 * max(0, self.columns - 100)}MB'")
            try:
                yield
            finally:
                self._guard.close()
                self._guard = None

    @contextmanager
    def one_run(self) -> Iterator[None]:
        """Let one run at a time write this dataset, wherever its working directory and its machine are.

        The lock lies in the destination: beside the DuckDB file, in the Postgres server. Others have none.

        Raises:
            RunLockedError: another run is at work.
            WarehouseRefusedError, WarehouseUnavailableError: the server cannot be used.
        """
        if self.target.kind == "duckdb":
            with _beside(Path(self.target.url), self.dataset, self._lock_timeout):
                yield
            return
        if self.target.kind != "postgres":
            yield
            return
        connection = _connect_postgres(self.target)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                deadline = time.monotonic() + self._lock_timeout
                while True:
                    cursor.execute("SELECT pg_try_advisory_lock(hashtext('leadhouse'), hashtext(%s))", (self.dataset,))
                    if cursor.fetchone()[0]:
                        break
                    if time.monotonic() >= deadline:
                        raise RunLockedError(
                            f"another run is writing dataset {self.dataset} of {self.target.label}; "
                            "wait for it to end, or raise --lock-timeout"
                        )
                    time.sleep(_POLL_S)
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
        connect = partial(_connect_postgres, self.target)
        label = self.target.label
        return TokenTable(connect, label=label, dataset=self.dataset, seed=seed, secret=secret, begun=begun)

    def _check_lock(self) -> None:
        """Fail where the server ended the connection that holds the lock of `one_run`: another run may have it."""
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

    def index(self, crm: "Crm", pipeline: "Pipeline") -> None:
        """Give Postgres the indexes that dlt does not: keys and modification times of roots, keys of child tables."""
        if self.target.kind != "postgres":
            return
        with pipeline.sql_client() as client:
            for chain in crm.chains:
                name = client.make_qualified_table_name(chain.root)
                client.execute_sql(f'CREATE UNIQUE INDEX IF NOT EXISTS "{chain.root}_id" ON {name} (id)')
                index = f"{chain.root}_{chain.modified}"
                client.execute_sql(f'CREATE INDEX IF NOT EXISTS "{index}" ON {name} ({chain.modified})')
                for table in chain.children:
                    name = client.make_qualified_table_name(table)
                    for column in (chain.parent, *({"id"} & set(crm.contract[table].key))):
                        index = f"{table}_{column}"
                        client.execute_sql(f'CREATE INDEX IF NOT EXISTS "{index}" ON {name} ({column})')


def _named(name: str) -> Target:
    """Return the destination that dlt's configuration describes; DuckDB and Postgres are recognised as such."""
    configure_dlt()
    import dlt  # noqa: PLC0415 - costs half a second

    problem = ""
    try:
        destination = dlt.destination(name)
        kind = destination.destination_type.rsplit(".", 1)[-1]
        if kind not in ("duckdb", "postgres"):
            return Target("named", name, name)
        spec: Any = destination.spec()
        told: Any = destination.configuration(spec._bind_dataset_name(dataset_name="leadhouse"))  # noqa: SLF001 - as dlt's pipeline does
        credentials = told.credentials
        if kind == "duckdb":
            return Target(kind, str(Path(credentials.database or f"{name}.duckdb").absolute()), name)
        register_secrets([credentials.password] if credentials.password else [])
        from leadhouse.libpq import readable  # noqa: PLC0415 - loads dlt

        return Target(kind, readable(str(credentials.to_native_representation())), name)
    except Exception as error:  # noqa: BLE001 - dlt raises many classes for an unknown name or a missing field
        problem = redact(" ".join(str(error).split())[:200])
    raise ConfigurationError(f"dlt cannot resolve the destination {name!r} ({problem}); describe it in .dlt/")


def explain(error: BaseException, target: Target) -> LeadhouseError:
    """Return our error for whatever dlt or a database raised: ours if it is inside, else one redacted line."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and seen not in chain:
        if isinstance(seen, LeadhouseError):
            return seen
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    cause = chain[-1]
    if isinstance(cause, AttributeError | TypeError | LookupError | NameError | AssertionError):
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(cause.__traceback__)]
        log.debug("internal error", type=type(cause).__name__, places=places)
        place = f" in {places[-1]}" if places else ""
        text = _without_values(redact(str(cause)))[:200]
        return InternalError(f"{type(cause).__name__}{place}: {text}; report this with --verbose")
    line = _without_values(redact(" ".join(str(cause).split("\n", 1)[0].split())))[:300]
    everything = " ".join(str(part) for part in chain).lower()
    told = f"{target.label}: {line or type(cause).__name__}"
    holder = _HOLDER.search(" ".join(str(part) for part in chain))
    if holder:
        return _locked(target.label, holder)
    for words, meaning, cure in _MEANINGS:
        if re.search(words, everything):
            return meaning(f"{told}; {cure}")
    return WarehouseUnavailableError(f"{told}; the next run continues from the last checkpoint")


def _without_values(line: str) -> str:
    """Return a message without quoted values, no paths, that may be phones (seven digits or more) or e-mails."""
    return _QUOTED.sub(
        lambda found: "<value>" if sum(map(str.isdigit, found[0])) > 6 or "@" in found[0] else found[0],
        _CONVERTED.sub("<value>", line),
    )


def _open_duckdb(path: str, timeout: float, *, read_only: bool) -> Any:
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
        holder = _HOLDER.search(str(problem))
        if holder is None:
            break
        if time.monotonic() >= deadline:
            raise _locked(label, holder)
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


def _locked(label: str, holder: "re.Match[str]") -> WarehouseLockedError:
    return WarehouseLockedError(
        f"{label} is open in another process: {holder['program']} (PID {holder['pid']}); "
        "close it, or raise --lock-timeout"
    )


def _connect_postgres(target: Target) -> Any:
    import psycopg2  # noqa: PLC0415 - loaded with the first use

    problem: Exception
    try:
        return psycopg2.connect(target.url, connect_timeout=15)
    except psycopg2.Error as error:
        problem = error
    line = redact(" ".join(str(problem).split("\n", 1)[0].split()))[:300]
    told = f"{target.label}: {line}"
    text = str(problem).lower()
    crowded = re.search(_CROWDED, text)
    if not crowded and re.search(f"{_REFUSED}|does not exist", text):
        raise WarehouseRefusedError(f"{told}; correct the destination's address, password or rights")
    cure = "wait, or raise its limit of connections" if crowded else "start the server"
    raise WarehouseUnavailableError(f"{told}; {cure}, the next run continues from the last checkpoint")
