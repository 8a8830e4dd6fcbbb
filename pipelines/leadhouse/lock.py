"""One at a time: a lock file that dies with its process, a lock of a Postgres server that dies with its connection."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from errno import ENOENT
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadhouse.errors import ConfigurationError, RunLockedError

# Where runs that were started together write one DuckDB file: they wait for each other, however long that is.
TURN: ContextVar[AbstractContextManager[object]] = ContextVar("turn", default=nullcontext())  # noqa: B039 - holds nothing


_POLL_S = 0.2


def server_lock(cursor: Any, name: str, owner: str, timeout: float) -> bool:
    """Take an advisory lock of a Postgres server for as long as the connection lives; return whether it was free.

    Args:
        cursor: of a connection that commits each statement.
        name: of the kind of lock.
        owner: what is locked.
        timeout: seconds to wait for another who holds it.
    """
    deadline = time.monotonic() + timeout
    while True:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", (name, owner))
        if cursor.fetchone()[0]:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_S)


@contextmanager
def run_lock(path: Path, timeout: float, what: str) -> Iterator[None]:
    """Hold the lock file `path`; its folder is there. The file stays: to remove it would let two in.

    Args:
        path: the file.
        timeout: seconds to wait for another run.
        what: "pipeline crm on this machine", for the message.

    Raises:
        RunLockedError: another run is still at work.
        OSError: the file cannot be made.
    """
    locked = False
    if not path.parent.is_dir():  # it would be waited for
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path.parent))
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout:
        locked = True
    if locked:
        raise RunLockedError(f"another run of {what} is at work; wait for it, or raise --lock-timeout")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def folder_lock(path: Path, timeout: float, what: str) -> Iterator[None]:
    """The same in the working directory, which is made.

    Raises:
        RunLockedError: another run is still at work.
        ConfigurationError: the folder cannot be written.
    """
    problem = ""
    with ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(run_lock(path, timeout, what))
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            raise ConfigurationError(
                f"the working directory {path.parent} cannot be used ({problem}); set DLT_DATA_DIR"
            )
        yield
