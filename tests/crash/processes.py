"""A sandbox portal and `leadhouse sync`, each a process of its own, and what the outside can see of them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

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


@dataclass
class Truth:
    """What a portal in another process holds; answers what the oracle asks a `Portal`."""

    told: dict[str, Any]

    def leads(self) -> list[dict[str, Any]]:
        """Return all readable leads."""
        return list(self.told["leads"])

    def stage_history(self) -> list[dict[str, Any]]:
        """Return the rows of stage history."""
        return list(self.told["stage_history"])

    def userfields(self) -> list[dict[str, Any]]:
        """Return the user fields of leads."""
        return list(self.told["userfields"])


@dataclass(frozen=True)
class Served:
    """Rows that a portal was asked for, in pages, and HTTP requests."""

    requests: int
    lead_pages: int
    history_pages: int

    def __sub__(self, other: Self) -> "Served":
        return Served(
            self.requests - other.requests,
            self.lead_pages - other.lead_pages,
            self.history_pages - other.history_pages,
        )


class PortalProcess:
    """A sandbox portal in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._control = url.replace("/rest/1/", "/sandbox/")
        self._http = urllib3.PoolManager(retries=False, timeout=120)

    @classmethod
    @contextmanager
    def running(cls, leads: int, seed: int) -> Iterator[Self]:
        """Serve a new portal for the length of the block."""
        command = [sys.executable, "-m", "leadhouse", "sandbox", "bitrix24", "--leads", str(leads), "--seed", str(seed)]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
            try:
                out = process.stdout
                assert out is not None
                portal = cls(out.readline().strip())
                yield portal
                portal._http.clear()
            finally:
                process.terminate()

    def served(self) -> Served:
        """Return what the portal was asked for so far."""
        told = self._http.request("GET", self._control + "stats").json()
        commands = told["commands"]
        return Served(told["http_requests"], commands.get("crm.lead.list", 0), commands.get("crm.stagehistory.list", 0))

    def truth(self) -> Truth:
        """Return all that the portal holds."""
        return Truth(msgspec.json.decode(self._http.request("GET", self._control + "truth").data))

    def live(self, **wanted: int) -> None:
        """Let life happen on the portal."""
        answer = self._http.request("POST", self._control + "life", json=wanted)
        assert answer.status == 200, answer.data


class Sync:
    """A real `leadhouse sync` process.

    Args:
        url: the portal's webhook.
        to: the warehouse.
        data: its DLT_DATA_DIR.
        log: where its stderr goes.
        package: leads after which a package ends; None leaves the product's own figure.
    """

    def __init__(self, url: str, to: str, data: Path, log: Path, *, package: int | None = None) -> None:
        entry = ["-m", "leadhouse"] if package is None else ["-c", _LIMIT_ONE_PACKAGE.format(leads=package)]
        env = environment(
            SOURCES__BITRIX24__WEBHOOK_URL=url,
            SOURCES__BITRIX24__REQUESTS_PER_SECOND="100000",
            SOURCES__BITRIX24__BURST="100000",
            DLT_DATA_DIR=str(data),
        )
        self._log: IO[str] = log.open("a")
        command = [sys.executable, *entry, "sync", "bitrix24", "--to", to, "--json"]
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
