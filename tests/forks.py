"""`leadhouse` as a process that begins at once: forked from a server that has loaded what every command loads."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([
    "leadhouse.cli",
    "leadhouse.service",
    "leadhouse.bitrix24.crm",
    "leadhouse.flow",
    "dlt.destinations.impl.duckdb.duck",
    "dlt.destinations.impl.postgres.postgres",
    "dlt.common.libs.pyarrow",
    "dlt.sources.helpers.requests",
    "adbc_driver_postgresql.dbapi",
    "pyarrow.dataset",
])  # fmt: skip


@dataclass
class Ended:
    """How a `leadhouse` process ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines for people on stderr, without log lines."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]

    def assert_failed(self, status: int, *words: str) -> None:
        """One line that holds all the words, no traceback, nothing on stdout."""
        assert self.status == status, self.err
        assert len(self.said) == 1, self.err
        assert self.said[0].startswith("leadhouse: ")
        for word in words:
            assert word in self.said[0]
        assert "Traceback" not in self.err
        assert self.out == ""


class Leadhouse:
    """A running `leadhouse` process.

    Args:
        arguments: of the command line.
        environment: all of its environment.
        folder: where it is started.
        before: runs in the new process before leadhouse does.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        before: Callable[[], None] | None = None,
    ) -> None:
        pipes = [_FORKS.Pipe(duplex=False) for _ in ("stdout", "stderr")]
        told = [told for _, told in pipes]
        start = {"arguments": list(arguments), "environment": dict(environment), "folder": folder, "before": before}
        self._process = _FORKS.Process(target=_lead, kwargs=start | {"out": told[0], "err": told[1]}, daemon=True)
        self._process.start()
        for end in told:
            end.close()
        self._heard = [bytearray(), bytearray()]
        self._ears = ThreadPoolExecutor(len(pipes))
        for (end, _), heard in zip(pipes, self._heard, strict=True):
            self._ears.submit(_listen, end, heard)

    @property
    def err(self) -> str:
        """What it said on stderr so far."""
        return self._heard[1].decode("utf-8", "replace")

    def kill(self) -> None:
        """Send SIGKILL and wait until the process is gone."""
        self._process.kill()
        self.end()

    def end(self, seconds: float = 300.0) -> Ended:
        """Wait for its end."""
        self._process.join(seconds)
        status = self._process.exitcode
        assert status is not None, f"still running: {self.err}"
        self._ears.shutdown()
        self._process.close()
        return Ended(status, self._heard[0].decode(), self.err)


def _listen(end: Connection, heard: bytearray) -> None:
    with end:
        while said := os.read(end.fileno(), 65_536):
            heard += said


def _lead(
    *,
    arguments: list[str],
    environment: dict[str, str],
    folder: Path,
    before: Callable[[], None] | None,
    out: Connection,
    err: Connection,
) -> None:
    """Become `leadhouse`, in the new process."""
    for number, end in enumerate((out, err), start=1):
        os.dup2(end.fileno(), number)
        end.close()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    if before is not None:
        before()
    from leadhouse.cli import main  # noqa: PLC0415 - loaded already, in the server

    main(arguments)
