"""Fifty portals on one machine: `leadhouse sync --all`, beside the same runs one after another."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.child import cost, environment
from bench.figures import Figures

PORTALS = 50
LEADS = 2_000
BLOCK = Path(__file__).with_name("office_block.py")
_SAMPLE_S = 0.05


@dataclass(slots=True)
class _Block:
    process: "subprocess.Popen[str]"
    urls: list[str]

    def live(self) -> None:
        """Let life happen on every portal."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("live\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def settings(self) -> dict[str, str]:
        """Return the environment that configures all of them."""
        told = {f"SOURCES__BITRIX24__P{number:02}__WEBHOOK_URL": url for number, url in enumerate(self.urls)}
        return {**told, "SOURCES__BITRIX24__REQUESTS_PER_SECOND": "1000", "SOURCES__BITRIX24__BURST": "100000"}


@contextmanager
def _block(folder: Path, portals: int, leads: int) -> Iterator[_Block]:
    process = subprocess.Popen(
        [sys.executable, str(BLOCK), str(portals), str(leads)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(folder, {}),
    )  # fmt: skip
    assert process.stdout
    try:
        yield _Block(process, json.loads(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


def many(figures: Figures, place: Path, *, portals: int = PORTALS, leads: int = LEADS) -> None:
    """Measure a first sync of all portals, one after life, and an idle one; the peak is the sum of all processes."""
    with _block(place, portals, leads) as block:
        for jobs in (2, 4):
            for step in ("first", "after edits", "idle"):
                if step == "after edits":
                    block.live()
                told, peak = _all(place / f"jobs-{jobs}", block, jobs)
                if told["done"] != portals:
                    raise RuntimeError(f"{told['failed']} of {portals} portals failed")
                figure = f"{told['seconds']:.1f} s, {told['requests']} requests, {peak:,.0f} MB"
                figures.add(f"{portals} portals of {leads:,} leads, --jobs {jobs}, {step}", figure)
        began = time.monotonic()
        for number in range(portals):
            to = f"duckdb:{place / 'jobs-4' / 'leads.duckdb'}"
            command = ["-m", "leadhouse", "sync", "bitrix24", "--portal", f"p{number:02}", "--to", to]
            cost(command, place / "jobs-4", block.settings())
        figures.add(f"{portals} portals, one command after another, idle", f"{time.monotonic() - began:.1f} s")


def _all(place: Path, block: _Block, jobs: int) -> tuple[dict[str, Any], float]:
    place.mkdir(exist_ok=True)
    command = ["-m", "leadhouse", "sync", "--all", "--jobs", str(jobs), "--to", "duckdb:leads.duckdb", "--json"]
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=place,
        env=environment(place, block.settings()),
    )  # fmt: skip
    peak = [0.0]
    watching = threading.Thread(target=_watch, args=(process.pid, peak))
    watching.start()
    out, _ = process.communicate()
    watching.join()
    told: dict[str, Any] = json.loads(out)
    return told, peak[0]


def _watch(pid: int, peak: list[float]) -> None:
    """Keep the greatest sum of private memory over a process and its descendants, MB."""
    try:
        parent = psutil.Process(pid)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            total = 0
            for process in (parent, *parent.children(recursive=True)):
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue
            peak[0] = max(peak[0], total / 1e6)
            time.sleep(_SAMPLE_S)
    except psutil.NoSuchProcess:
        return
