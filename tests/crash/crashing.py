"""A process that syncs in forked children, each of which dies at a chosen step without a word to anybody.

A step is a SQL statement, a commit, or the move of a working file, counted twice: before it and after it. Run as a
script it reads one JSON request a line, `{"source": "kommo", "die_at": 17, "package": 60, "sync": {…}}`, and answers
`{"exit": 86, "steps": 17}`.
"""

import json
import os
import sys
import threading
import traceback
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

DIED = 86
FAILED = 1


class Steps:
    """Counts steps and dies at one of them."""

    def __init__(self, die_at: int | None) -> None:
        self._die_at = die_at
        self._lock = threading.Lock()
        self.count = 0

    def take(self) -> None:
        """Count a step; it may be the last."""
        with self._lock:
            self.count += 1
            if self.count == self._die_at:
                os._exit(DIED)

    def watch(self, owner: Any, name: str) -> None:
        """Count a step before and after each call of a function."""
        original: Callable[..., Any] = getattr(owner, name)

        @wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.take()
            result = original(*args, **kwargs)
            self.take()
            return result

        setattr(owner, name, watched)


def _watch_all(steps: Steps) -> None:
    from adbc_driver_manager import dbapi  # noqa: PLC0415 - loaded in the process that forks
    from dlt.common.storages.file_storage import FileStorage  # noqa: PLC0415
    from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient  # noqa: PLC0415
    from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient  # noqa: PLC0415

    for client in (DuckDbSqlClient, Psycopg2SqlClient):
        steps.watch(client, "execute_query")
        steps.watch(client, "commit_transaction")
    steps.watch(dbapi.Cursor, "adbc_ingest")
    steps.watch(dbapi.Connection, "commit")
    steps.watch(FileStorage, "atomic_rename")
    steps.watch(FileStorage, "rename_tree")


def _watch_lake(steps: Steps) -> None:
    from dlt.common.storages.transactional_file import TransactionalFile  # noqa: PLC0415 - as above
    from fsspec.implementations.local import LocalFileSystem  # noqa: PLC0415
    from pyiceberg.catalog.sql import SqlCatalog  # noqa: PLC0415

    from leadhouse.lakes.delta import DeltaLakeTable  # noqa: PLC0415
    from leadhouse.lakes.iceberg import IcebergLakeTable  # noqa: PLC0415

    TransactionalFile.LOCK_TTL_SECONDS = 4.0  # the next run need not wait for half a minute
    for table in (DeltaLakeTable, IcebergLakeTable):
        for write in ("replace", "replace_all", "restore", "add"):
            steps.watch(table, write)
    steps.watch(SqlCatalog, "commit_table")
    steps.watch(LocalFileSystem, "mv")
    steps.watch(LocalFileSystem, "rm_file")


def _child(request: dict[str, Any], answer: int) -> NoReturn:
    """Sync; the number of steps goes to `answer`."""
    from leadhouse import logs, service, session  # noqa: PLC0415
    from leadhouse.bitrix24 import reader  # noqa: PLC0415
    from leadhouse.kommo import reader as kommo_reader  # noqa: PLC0415
    from leadhouse.kommo import walk as kommo_walk  # noqa: PLC0415

    status = FAILED
    steps = Steps(request["die_at"])
    try:
        logs.configure()
        reader._FIRST_PAGES = 1  # the first lot is small
        kommo_walk.PAGE_ROWS = kommo_reader.LOT_ROWS = 25  # so are all of the other source
        session.PACKAGE_LEADS = request["package"]
        os.environ.update(request["environment"])
        _watch_all(steps)
        if "://" not in request["sync"]["to"] and not request["sync"]["to"].startswith("duckdb:"):
            _watch_lake(steps)
        service.sync(request["source"], requests_per_second=100_000, **request["sync"])
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os.write(answer, str(steps.count).encode())
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Serve requests until stdin ends."""
    import leadhouse.bitrix24.source  # noqa: PLC0415 - everything heavy is loaded once, here
    import leadhouse.kommo.source  # noqa: PLC0415
    import leadhouse.service  # noqa: F401, PLC0415

    for line in sys.stdin:
        request = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            _child(request, writing)
        os.close(writing)
        with os.fdopen(reading) as told:
            steps = told.read()
        _, status = os.waitpid(child, 0)
        answer = {"exit": os.waitstatus_to_exitcode(status), "steps": int(steps or request["die_at"] or 0)}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
