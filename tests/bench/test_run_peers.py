"""The measures beside the peers still run: a load with one refusal, on a small account."""

import subprocess
import sys
from pathlib import Path

_RUN = Path(__file__).with_name("run_peers.py")


def test_a_load_that_is_refused_once_brings_all_leads() -> None:
    command = [sys.executable, str(_RUN), "refused", "--refused", "600", "--peer", "leadhouse"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr[-2000:]
    assert "600 of 600" in done.stdout
    assert "met" in done.stdout


def test_a_measure_that_does_not_exist_is_named() -> None:
    done = subprocess.run([sys.executable, str(_RUN), "lode"], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 2
    assert "no measure lode; there are load, refused" in done.stderr
