"""Runs that die at a chosen step, and the next ones that complete their work."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from any_scene import AnyScene
from crash.crashing import DIED
from crash.processes import environment
from crash.working_files import leftovers

LEADS = 100
PACKAGE = 60
POINTS = 8


class Crasher:
    """Runs syncs in a process that forks a child for each."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "work"
        self.log = folder / "crashing.log"
        self._stderr = self.log.open("w")
        script = Path(__file__).with_name("crashing.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            env=environment(DLT_DATA_DIR=str(self.data)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )

    def sync(self, scene: AnyScene, to: str, die_at: int | None = None, package: int = PACKAGE) -> tuple[int, int]:
        """Sync in a child, in packages of so many leads; return its exit status and the steps that it took."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        wanted = {"source": scene.source, "die_at": die_at, "package": package, "sync": {"to": to, **scene.way_in()}}
        wanted["environment"] = {name: told for name, told in os.environ.items() if name.startswith("DESTINATION__")}
        into.write(json.dumps(wanted) + "\n")
        into.flush()
        line = out.readline()
        assert line, self.log.read_text()[-4000:]
        answer: dict[str, Any] = json.loads(line)
        return answer["exit"], answer["steps"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._stderr.close()


def spread(steps: int) -> range:
    """Return steps to die at: an odd stride, so that deaths before and after a step's work take turns."""
    return range(1, steps, steps // POINTS | 1)


def die_and_heal(crasher: Crasher, scene: AnyScene, to: str, die_at: int, *, lost: bool) -> None:
    """One run dies at a step, the next one completes the work; the working directory may be `lost` in between."""
    status, _ = crasher.sync(scene, to, die_at)
    assert status == DIED, f"step {die_at}: the run went on, {crasher.log.read_text()[-2000:]}"
    if lost:
        shutil.rmtree(crasher.data)
    status, _ = crasher.sync(scene, to, package=LEADS)
    assert status == 0, f"after death at step {die_at}: {crasher.log.read_text()[-4000:]}"
    scene.to = to
    try:
        scene.check()
    except AssertionError as difference:
        difference.add_note(f"after death at step {die_at}")
        raise
    assert leftovers(crasher.data) == []


@pytest.fixture
def crasher(tmp_path: Path) -> Iterator[Crasher]:
    """A process that syncs and dies as it is told."""
    crasher = Crasher(tmp_path)
    yield crasher
    crasher.close()
