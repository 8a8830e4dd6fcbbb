"""A sandbox portal and `leadhouse sync`, each a process of its own, and what the outside can see of them."""

import json
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Self

import msgspec
import urllib3

ROOT = Path(__file__).parents[2]
_START_S = 60.0

_LIMIT_ONE_PACKAGE = """
import leadhouse.session
from leadhouse.cli import main
leadhouse.session.PACKAGE_LEADS = {leads}
main()
"""


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a leadhouse process of this checkout."""
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'pipelines'}{os.pathsep}{ROOT / 'tests'}", **more}


@dataclass(frozen=True)
class Served:
    """HTTP requests that a portal was sent, and rows that it was asked for, in pages, by table."""

    requests: int
    pages: Mapping[str, int]

    def __sub__(self, other: Self) -> "Served":
        pages = {table: number - other.pages[table] for table, number in self.pages.items()}
        return Served(self.requests - other.requests, pages)


class PortalProcess(ABC):
    """A sandbox portal in a process of its own.

    Args:
        said: the lines that it printed when it began.

    Attributes:
        source: the source.
        page_rows: rows of a page.
        weights: tables whose rows are counted, and what such a row weighs in a package, in leads.
    """

    source: ClassVar[str]
    page_rows: ClassVar[int]
    weights: ClassVar[Mapping[str, float]]
    _lines: ClassVar[int] = 1

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.url = said[0]
        self._http = urllib3.PoolManager(retries=False, timeout=120)

    @classmethod
    @contextmanager
    def running(cls, leads: int, seed: int) -> Iterator[Self]:
        """Serve a new portal for the length of the block."""
        command = [sys.executable, "-m", "leadhouse", "sandbox", cls.source, "--leads", str(leads), "--seed", str(seed)]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
            try:
                out = process.stdout
                assert out is not None
                portal = cls([out.readline().strip() for _ in range(cls._lines)])
                yield portal
                portal._http.clear()
            finally:
                process.terminate()

    @property
    @abstractmethod
    def control(self) -> str:
        """The URL of its control surface."""

    @abstractmethod
    def access(self) -> dict[str, str]:
        """Return how to reach it at once, unpaced, as environment."""

    @abstractmethod
    def served(self) -> Served:
        """Return what the portal was asked for so far."""

    def repeated(self) -> float:
        """Return the rows that a run is asked for more than once though nobody disturbs it, weighed in leads."""
        return 0.0

    @abstractmethod
    def assert_equal(self, to: str) -> None:
        """Fail unless a warehouse holds exactly what the portal has."""

    def live(self, **wanted: int) -> None:
        """Let life happen on the portal."""
        answer = self._http.request("POST", f"{self.control}life", json=wanted)
        assert answer.status == 200, answer.data

    def told(self, what: str) -> dict[str, Any]:
        """Return what the control surface tells."""
        told: dict[str, Any] = msgspec.json.decode(self._http.request("GET", f"{self.control}{what}").data)
        return told


class Sync:
    """A real `leadhouse sync` process.

    Args:
        portal: the portal.
        to: the warehouse.
        data: its DLT_DATA_DIR.
        log: where its stderr goes.
        package: leads after which a package ends; None leaves the product's own figure.
    """

    def __init__(self, portal: PortalProcess, to: str, data: Path, log: Path, *, package: int | None = None) -> None:
        entry = ["-m", "leadhouse"] if package is None else ["-c", _LIMIT_ONE_PACKAGE.format(leads=package)]
        env = environment(**portal.access(), DLT_DATA_DIR=str(data))
        self._log: IO[str] = log.open("a")
        command = [sys.executable, *entry, "sync", portal.source, "--to", to, "--json"]
        self.process = subprocess.Popen(
            command, env=env, stdout=subprocess.PIPE, stderr=self._log, text=True, cwd=log.parent
        )

    @property
    def ended(self) -> bool:
        """True when the process is over."""
        return self.process.poll() is not None

    def kill(self) -> None:
        """Send SIGKILL and wait until the process is gone."""
        self.process.kill()
        self.process.communicate()
        self._log.close()

    def summary(self) -> dict[str, Any]:
        """Wait for the end, which must be a good one, and return the summary."""
        out, _ = self.process.communicate(timeout=300)
        self._log.close()
        assert self.process.returncode == 0, Path(self._log.name).read_text()[-4000:]
        told: dict[str, Any] = json.loads(out)
        return told


def wait_until(condition: Any, what: str, seconds: float = _START_S) -> None:
    """Poll until `condition()` is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so: {what}"
        time.sleep(0.01)
