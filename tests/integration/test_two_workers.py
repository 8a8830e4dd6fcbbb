"""Workers on machines of their own share nothing but the warehouse, and one run at a time writes a portal there."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import served
from any_scene import AnyScene

WAYS = ("lead", "kommo")


class Worker:
    """A machine: its own home, its own working directory, its own temporary files."""

    def __init__(self, folder: Path, scene: AnyScene) -> None:
        self._folder = folder
        self._scene = scene

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its processes."""
        for name in ("home", "work", "tmp"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": ":".join(sys.path),
            "HOME": str(self._folder / "home"),
            "DLT_DATA_DIR": str(self._folder / "work"),
            "TMPDIR": str(self._folder / "tmp"),
            "LEADHOUSE__TO": self._scene.to,
            **self._scene.environment(),
        }

    def sync(self, *flags: str) -> "subprocess.CompletedProcess[str]":
        """Run `leadhouse sync`."""
        command = [sys.executable, "-m", "leadhouse", "sync", self._scene.source, "--json", *flags]
        return subprocess.run(
            command, env=self.environment, cwd=self._folder, capture_output=True, text=True, timeout=180, check=False
        )

    def lost(self) -> None:
        """The machine is gone, with all that was on it."""
        shutil.rmtree(self._folder)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    told: str = request.param
    return told


@pytest.fixture(params=["postgres", "duckdb"])
def scene(request: pytest.FixtureRequest, way: str) -> Iterator[AnyScene]:
    with served.opened(way, served.warehouse(request.param, request), request) as opened:
        yield opened


@pytest.fixture
def workers(scene: AnyScene, tmp_path: Path) -> tuple[Worker, Worker]:
    return Worker(tmp_path / "one", scene), Worker(tmp_path / "two", scene)


def _done(ended: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def test_workers_that_share_nothing_but_the_warehouse_take_turns_on_a_portal(
    scene: AnyScene, workers: tuple[Worker, Worker]
) -> None:
    first = _done(workers[0].sync())
    assert first["leads_read"] == len(scene.ids())
    for turn in range(1, 4):
        workers[(turn + 1) % 2].lost()
        touched = scene.life(seed=turn)
        told = _done(workers[turn % 2].sync("--reconcile"))
        assert told["leads_read"] < len(scene.ids()), "the cursor came along with the rows"
        assert told["leads_read"] >= len(touched & set(scene.ids()))
    scene.check()


def test_a_second_run_of_the_portal_is_refused_wherever_its_machine_is(
    scene: AnyScene, workers: tuple[Worker, Worker]
) -> None:
    reading, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reading.set()
        assert go_on.wait(60)

    scene.before_page(0, wait)
    ended: list[subprocess.CompletedProcess[str]] = []
    at_work = threading.Thread(target=lambda: ended.append(workers[0].sync()))
    at_work.start()
    try:
        assert reading.wait(60)
        refused = workers[1].sync("--lock-timeout", "0")
    finally:
        go_on.set()
        at_work.join(120)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.strip().splitlines()[-1].startswith("leadhouse: another run ")
    assert "--lock-timeout" in refused.stderr
    assert "secret" not in refused.stderr
    assert _done(ended[0])["leads_read"] == len(scene.ids())
    _done(workers[1].sync())
    scene.check()
