"""One run at a time: the lock file is held, waited for, and freed."""

import subprocess
import sys
from pathlib import Path

import pytest

from leadhouse.errors import ConfigurationError, RunLockedError
from leadhouse.lock import folder_lock, run_lock


def test_a_second_run_is_told_which_pipeline_is_at_work(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "crm.lock"
    words = r"another run of pipeline crm is at work.*--lock-timeout"
    with folder_lock(path, 0.0, "pipeline crm"):
        with pytest.raises(RunLockedError, match=words) as caught, folder_lock(path, 0.0, "pipeline crm"):
            raise AssertionError("two runs at once")
        assert caught.value.exit_code == 1
        assert caught.value.__context__ is None


def test_the_lock_is_free_again_after_the_run_and_after_a_failed_one(tmp_path: Path) -> None:
    path = tmp_path / "crm.lock"
    with pytest.raises(KeyError), run_lock(path, 0.0, "crm"):
        raise KeyError("a failed run")
    with run_lock(path, 0.0, "crm"):
        pass
    with run_lock(path, 0.0, "crm"):
        pass


def test_another_pipeline_is_not_hindered(tmp_path: Path) -> None:
    with run_lock(tmp_path / "one.lock", 0.0, "one"), run_lock(tmp_path / "two.lock", 0.0, "two"):
        assert {path.name for path in tmp_path.iterdir()} == {"one.lock", "two.lock"}


def test_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "crm.lock"
    program = (
        "import os, sys; from pathlib import Path; from leadhouse.lock import run_lock\n"
        "with run_lock(Path(sys.argv[1]), 0.0, 'crm'): print('held', flush=True); sys.stdin.read(); os._exit(1)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert holder.stdin
    assert holder.stdout
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RunLockedError), run_lock(path, 0.0, "crm"):
        raise AssertionError("two runs at once")
    holder.kill()
    holder.wait(30)
    holder.stdin.close()
    holder.stdout.close()
    with run_lock(path, 5.0, "crm"):
        pass


def test_a_folder_that_cannot_be_used_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigurationError, match="set DLT_DATA_DIR") as caught,
        folder_lock(tmp_path / "file" / "crm.lock", 0.0, "crm"),
    ):
        raise AssertionError("no lock")
    assert caught.value.exit_code == 2
