"""A copy of a warehouse for readers: a DuckDB file that they open while the next run writes the warehouse.

The copy is written beside its place and renamed onto it, so whoever opens the file finds a whole one, and whoever has
the old one open keeps it. It holds the datasets of leadhouse with the views over them, as of one instant, and nothing
else of the warehouse: no tokens, no staging tables, no other schemas, no blocks of deleted rows. dlt's state is in it,
so that `leadhouse status` and the other commands that look can be pointed at it.
"""

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadhouse import __version__, logs
from leadhouse.errors import ConfigurationError, CopyNotWrittenError, LeadhouseError
from leadhouse.files import replaceable
from leadhouse.lock import run_lock
from leadhouse.meanings import CONTINUES, HOLDER
from leadhouse.pipeline import pipeline_name
from leadhouse.settings import VIEWS, configured_value
from leadhouse.state import SLOT
from leadhouse.warehouse import Target, Warehouse, explain

if TYPE_CHECKING:
    from leadhouse.snapshot import Held, Snapshot

log = logs.get_logger("leadhouse.publish")

# The table by which a copy is known as one.
_MARK = "leadhouse_copy"
_ABOUT = "what this file is a copy of; leadhouse sync --publish replaces the file"
_DLT = ("_dlt_pipeline_state", "_dlt_loads", "_dlt_version")
_READABLE = 0o444
# A run that wrote nothing; it leaves one row in dlt's table of loads, and one in sync_runs.
_IDLE = (
    "outcome = 'done' AND command IN ('sync', 'reconcile') AND rows_written = 0 AND leads_deleted = 0 "
    "AND leads_out_of_sight = 0 AND leads_recovered = 0"
)


def copy_path(publish: str | None, target: Target, datasets: Collection[str]) -> Path | None:
    """Return where to publish, None for nowhere.

    Args:
        publish: the path; None: LEADHOUSE__PUBLISH or `publish` under [leadhouse] in `.dlt/`; "" for nowhere.
        target: the warehouse.
        datasets: those that are going to be in it, as far as known.

    Raises:
        ConfigurationError: a copy of this warehouse cannot lie there.
    """
    told = configured_value("leadhouse.publish", secret=False) if publish is None else publish
    if not told:
        return None
    if not target.connects:
        raise ConfigurationError(
            f"--publish copies a DuckDB file or a Postgres database, and {target.label} is neither; leave it out"
        )
    path = replaceable(str(Path(str(told)).expanduser()), "--publish")
    if target.kind == "duckdb" and path == Path(target.url).resolve():
        raise ConfigurationError(f"{told} is the warehouse itself; give another file with --publish")
    check_name(path, datasets)
    if not path.parent.is_dir():
        raise ConfigurationError(f"{told}: there is no folder {path.parent}; make it, or give another --publish")
    _told_of(path)
    return path


def check_name(path: Path, datasets: Collection[str]) -> None:
    """Refuse a copy that is called like a schema in it.

    Raises:
        ConfigurationError: it is.
    """
    if path.stem.lower() in {*datasets, VIEWS}:
        raise ConfigurationError(
            f"the copy {path.name} and its schema {path.stem.lower()} bear one name, which SQL cannot tell apart; "
            "give another --publish"
        )


def publish(target: Target, path: Path, *, lock_timeout: float) -> bool:
    """Make the file the copy of what the warehouse holds now; return whether it had to be written.

    Args:
        target: a DuckDB file or a Postgres server.
        path: of the copy, as `copy_path` returns it.
        lock_timeout: seconds to wait for who has the DuckDB file open, or writes the same copy.

    Raises:
        CopyNotWrittenError: the copy is as it was, or is not there.
    """
    problem: LeadhouseError
    try:
        with run_lock(_lock(path), lock_timeout, f"--publish {path}"):
            return _publish(target, path, lock_timeout)
    except Exception as error:  # noqa: BLE001 - each database has its own, and the file system
        problem = explain(error, Target("duckdb", str(path)))
    why = str(problem).removesuffix(CONTINUES)
    raise CopyNotWrittenError(
        f"the rows are in {target.label}, but its copy was not written ({why}); the next run writes it"
    )


def _publish(target: Target, path: Path, lock_timeout: float) -> bool:
    from leadhouse.snapshot import snapshot  # noqa: PLC0415 - Arrow's weight is loaded late

    with snapshot(target, lock_timeout=lock_timeout) as held:
        check_name(path, held.datasets)
        mark = _mark(held)
        if _told_of(path) == mark:
            return False
        began = datetime.now(UTC)
        problem: LeadhouseError | None = None
        try:
            with _renamed(path) as part:
                rows = _write(held, part, mark)
        except Exception as error:  # noqa: BLE001 - DuckDB's, the file system's
            problem = explain(error, Target("duckdb", str(path)))
        if problem is not None:
            raise problem
    log.info("published", copy=str(path), rows=rows, seconds=(datetime.now(UTC) - began).total_seconds())
    return True


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """Give a path to write to; what is there at the end is on the disk and replaces `path` in one step."""
    part = path.with_name(f".{path.name}.part")
    leftovers = (part, Path(f"{part}.wal"), Path(f"{part}.tmp"))
    try:
        _remove(*leftovers)  # of one that was killed
        yield part
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        # Who opened it for writing would leave a log beside it that the next copy cannot take.
        part.chmod(part.stat().st_mode & _READABLE)
        _remove(Path(f"{path}.wal"))
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        with suppress(OSError):
            _remove(*leftovers)


def _lock(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _remove(*leftovers: Path) -> None:
    for leftover in leftovers:
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def _told_of(path: Path) -> str | None:
    """Return the mark of the copy that is there, None where there is none, "" where it cannot be read.

    Raises:
        ConfigurationError: something else is there.
    """
    import duckdb  # noqa: PLC0415 - loaded with the first use

    if not path.exists():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as copy:
            found = copy.execute(f"SELECT mark FROM {_MARK}").fetchone()  # noqa: S608 - our own name
            return str(found[0]) if found else ""
    except duckdb.Error as error:
        if HOLDER.search(str(error)) and _lock(path).exists():
            return ""  # ours, and somebody writes into it; he keeps what he has
    raise ConfigurationError(
        f"{path} is there already and is no copy that leadhouse made; move it away, or give another --publish"
    )


def _mark(held: "Snapshot") -> str:
    """Return what changes when the content of a copy would, but not with a run that wrote nothing."""
    told = [(dataset, source, *_mark_of(held, dataset, source)) for dataset, source in held.datasets.items()]
    shapes = [repr(table) for dataset in held.datasets for table in held.tables(dataset)]
    return blake2b(repr((__version__, told, shapes)).encode(), digest_size=16).hexdigest()


def _mark_of(held: "Snapshot", dataset: str, source: str) -> tuple[Any, ...]:
    columns = {column.name for column in held.held[dataset]["sync_runs"].columns}
    idle = _IDLE if {"command", "leads_recovered"} <= columns else "false"  # an older release filled it
    ((loads,),) = held.ask(f'SELECT count(*) FROM "{dataset}"._dlt_loads')  # noqa: S608 - a dataset's name
    ((runs, idle_runs),) = held.ask(
        f'SELECT count(*), coalesce(sum(CASE WHEN {idle} THEN 1 ELSE 0 END), 0) FROM "{dataset}".sync_runs'  # noqa: S608
    )
    states = held.ask(
        f"SELECT state FROM \"{dataset}\"._dlt_pipeline_state WHERE pipeline_name = '{pipeline_name(dataset)}' "  # noqa: S608
        "ORDER BY version DESC LIMIT 1"
    )
    return loads - int(idle_runs), runs - int(idle_runs), *(_content(state, source) for (state,) in states)


def _content(state: str, source: str) -> str:
    """Return what a state tells of tables that a run may change without writing rows of leads."""
    from dlt.common.versioned_state import decompress_state  # noqa: PLC0415 - costs half a second

    told: Any = decompress_state(state).get("sources", {}).get(source, {}).get(SLOT, {})
    others = {name: value for name, value in told.items() if name != "cursor"}  # the cursor moves with every run
    return json.dumps([others, told.get("cursor", {}).get("history_through")], sort_keys=True, default=str)


def _write(held: "Snapshot", part: Path, mark: str) -> int:
    """Write a copy; return its rows."""
    import duckdb  # noqa: PLC0415 - loaded already

    from leadhouse.snapshot import MEMORY  # noqa: PLC0415 - loaded already
    from leadhouse.view_making import literal  # noqa: PLC0415

    rows = 0
    with duckdb.connect(str(part)) as copy:
        copy.execute(f"SET memory_limit = '{MEMORY}'")
        copy.execute("SET TimeZone = 'UTC'")
        for dataset in held.datasets:
            copy.execute(f'CREATE SCHEMA "{dataset}"')
            there = held.held[dataset]
            for table in [*held.tables(dataset), *(there[name] for name in _DLT if name in there)]:
                rows += _copy(held, table, copy)
        copy.execute(f"CREATE TABLE {_MARK} (warehouse VARCHAR, copied_at TIMESTAMPTZ, version VARCHAR, mark VARCHAR)")
        copy.execute(f"COMMENT ON TABLE {_MARK} IS {literal(_ABOUT)}")
        copy.execute(
            f"INSERT INTO {_MARK} VALUES ($1, $2, $3, $4)",  # noqa: S608 - our own name
            [held.target.label, datetime.now(UTC), __version__, mark],
        )
    _make_views(held, part)
    with duckdb.connect(str(part)) as copy:
        copy.execute("CHECKPOINT")
    return rows


def _copy(held: "Snapshot", table: "Held", copy: Any) -> int:
    """Copy a table; return its rows."""
    import pyarrow as pa  # noqa: PLC0415 - loaded already

    from leadhouse.view_making import literal  # noqa: PLC0415

    name = f'"{table.schema}"."{table.name}"'
    columns = ", ".join(
        f"{column.quoted} {column.copied}{'' if column.nullable else ' NOT NULL'}" for column in table.columns
    )
    copy.execute(f"CREATE TABLE {name} ({columns})")
    with closing(pa.RecordBatchReader.from_batches(table.arrow, held.rows(table))) as rows:
        copy.register("rows", rows)
        (count,) = copy.execute(f"INSERT INTO {name} SELECT * FROM rows").fetchone()  # noqa: S608 - names of the catalog
        copy.unregister("rows")
    if table.comment:
        copy.execute(f"COMMENT ON TABLE {name} IS {literal(table.comment)}")
    for column in table.columns:
        if column.comment:
            copy.execute(f"COMMENT ON COLUMN {name}.{column.quoted} IS {literal(column.comment)}")
    return int(count)


def _make_views(held: "Snapshot", part: Path) -> None:
    """Make the views in the copy, as a run makes them in a warehouse."""
    from leadhouse.crm import crm  # noqa: PLC0415 - Arrow's weight is loaded late
    from leadhouse.presentation import make_views  # noqa: PLC0415
    from leadhouse.views import refresh_views  # noqa: PLC0415

    for dataset, source in held.datasets.items():
        known = crm(source)
        leads = held.held[dataset][known.leads.root]
        warehouse = Warehouse(Target("duckdb", str(part)), dataset, lock_timeout=0.0)
        with warehouse.held():
            make_views(warehouse, known, {column.name: column.kind for column in leads.columns if column.kind})
            refresh_views(warehouse)
