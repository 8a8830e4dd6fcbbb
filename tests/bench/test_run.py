"""The benchmarks still run: one measure on a small portal, and its row in the table."""

import re
import subprocess
import sys
from pathlib import Path

_RUN = Path(__file__).with_name("run.py")


def test_the_idle_measure_runs_and_an_idle_sync_costs_at_most_two_requests() -> None:
    command = [sys.executable, str(_RUN), "idle", "--generic-leads", "120", "--runs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    row = re.search(r"idle run: requests\s+│\s+(\d+) │\s+≤ 2 │ met", done.stdout)
    assert row is not None, done.stdout
    assert 1 <= int(row[1]) <= 2


def test_a_measure_that_does_not_exist_is_named() -> None:
    done = subprocess.run([sys.executable, str(_RUN), "idel"], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "no measure idel; there are start, idle" in done.stderr
