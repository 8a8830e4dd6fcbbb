"""One run at a time per pipeline: a lock file that dies with its process."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from filelock import FileLock, Timeout

from leadhouse.errors import ConfigurationError, RunLockedError

# Where runs that were started together write one DuckDB file: they wait for each other, however long that is.
TURN: ContextVar[AbstractContextManager[object]] = ContextVar("turn", default=nullcontext())  # noqa: B039 - holds nothing


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
