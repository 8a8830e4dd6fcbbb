"""One run at a time per pipeline: a lock file that dies with its process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from leadhouse.errors import ConfigurationError, RunLockedError


@contextmanager
def run_lock(path: Path, timeout: float, what: str) -> Iterator[None]:
    """Hold the lock file `path`.

    Args:
        path: the file; its folder is made.
        timeout: seconds to wait for another run.
        what: the pipeline's name for the message.

    Raises:
        RunLockedError: another run is still at work.
        ConfigurationError: the folder cannot be written.
    """
    problem = ""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=timeout)
    except Timeout:
        problem = "locked"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem == "locked":
        raise RunLockedError(f"another run of {what} is at work on this machine; wait for it, or raise --lock-timeout")
    if problem:
        raise ConfigurationError(f"the working directory {path.parent} cannot be used ({problem}); set DLT_DATA_DIR")
    try:
        yield
    finally:
        lock.release()
