"""A sandbox portal in another process, so that its work is not counted as leadhouse's."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.child import environment


@dataclass(frozen=True, slots=True)
class Served:
    """A sandbox portal at work.

    Attributes:
        url: its webhook.
        leads: leads in it.
    """

    url: str
    leads: int

    def stats(self) -> dict[str, Any]:
        """Return what the portal did so far: requests, commands, busy and processor seconds."""
        return self._control("stats")

    def live(self, **life: int) -> dict[str, Any]:
        """Let life happen on the portal: `delete=10, seed=1` and the like; return the ids it touched."""
        return self._control("life", life)

    def _control(self, action: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        parts = urlsplit(self.url)
        code = parts.path.strip("/").split("/")[-1]
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{parts.scheme}://{parts.netloc}/sandbox/{code}/{action}", data) as answer:  # noqa: S310 - loopback
            told: dict[str, Any] = json.load(answer)
        return told

    def settings(self, requests_per_second: float = 1000, burst: float = 100_000) -> dict[str, str]:
        """Return the environment of a sync; by default without a pace."""
        return {
            "SOURCES__BITRIX24__WEBHOOK_URL": self.url,
            "SOURCES__BITRIX24__REQUESTS_PER_SECOND": str(requests_per_second),
            "SOURCES__BITRIX24__BURST": str(burst),
        }


@contextmanager
def portal(folder: Path, leads: int, *options: str) -> Iterator[Served]:
    """Serve a sandbox portal for the length of the block.

    Raises:
        RuntimeError: it did not start.
    """
    command = ["-m", "leadhouse", "sandbox", "bitrix24", "--leads", str(leads), "--seed", "1", "--port", "0", *options]
    log = folder / f"portal-{leads}.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors, env=environment(folder, {}), text=True
        )
    try:
        if process.stdout is None:
            raise RuntimeError("the sandbox has no stdout")
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the sandbox did not start:\n{log.read_text(errors='replace')[-2000:]}")
        yield Served(url, leads)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
