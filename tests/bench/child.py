"""Run a command as a process of its own and account for it: wall, processor time, peak memory."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took.

    Attributes:
        wall_s: from its start to its end.
        cpu_s: user and system time.
        peak_mb: largest resident memory.
        stdout: what it printed.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    stdout: str


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Return a clean environment: no setting of the machine, working files in `folder`."""
    kept = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    fixed = {"PYTHONPATH": str(PIPELINES), "DLT_DATA_DIR": str(folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    return {**kept, **fixed, **settings}


def cost(
    arguments: Sequence[str], folder: Path, settings: Mapping[str, str] | None = None, *, python: str = sys.executable
) -> Cost:
    """Run `python` (this one, if no other is named) with `arguments` in `folder` to its end.

    Raises:
        RuntimeError: it failed; the message has the last lines of its stderr.
    """
    told, errors = folder / "stdout.txt", folder / "stderr.txt"
    with told.open("wb") as out, errors.open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            [python, *arguments], stdout=out, stderr=err, cwd=folder, env=environment(folder, settings or {})
        )
        # wait4 is the one call that tells the peak memory of this child and of no other.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        last = "\n".join(errors.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{' '.join(arguments[:4])} … ended with {process.returncode}:\n{last}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6, told.read_text(errors="replace"))
