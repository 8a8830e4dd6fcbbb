"""A DuckDB file that is locked, full, read-only or something else: one line, the right status, healed later."""

import ctypes
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import oracle
from crash.processes import wait_until
from faults.command import Command

_READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
sys.stdin.read()
"""


class Reader:
    """Another process that has a DuckDB file open."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _READER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "open\n"
        self.pid = self._process.pid

    def close(self) -> None:
        """Close the file."""
        self._process.communicate()


def test_a_duckdb_file_that_a_reader_holds_names_the_reader(command: Command) -> None:
    file = command.folder / "leads.duckdb"
    command.assert_heals(f"duckdb:{file}")
    reader = Reader(file)
    ended = command.run(f"duckdb:{file}", "--lock-timeout", "0.5")
    reader.close()
    ended.assert_failed(1, str(file), f"PID {reader.pid}", "python", "--lock-timeout")
    command.portal.live(create=5, edit=5, seed=1)
    command.assert_heals(f"duckdb:{file}")


def test_a_duckdb_file_that_is_freed_in_time_is_waited_for(command: Command) -> None:
    file = command.folder / "leads.duckdb"
    command.assert_heals(f"duckdb:{file}")
    reader = Reader(file)
    command.portal.live(create=5, edit=5, seed=1)
    process = command.start(f"duckdb:{file}", "--lock-timeout", "120")
    wait_until(lambda: "\n" in process.err, "the run says something")
    told = process.err
    assert "waiting for the DuckDB file" in told
    assert f'"pid": {reader.pid}' in told
    reader.close()
    assert process.end().status == 0
    oracle.assert_equal(command.portal, f"duckdb:{file}")


def test_a_second_run_waits_for_the_first_and_says_so(command: Command) -> None:
    file = command.folder / "leads.duckdb"
    asked = command.portal.http_requests
    command.portal.latency = 30.0
    first = command.start(f"duckdb:{file}")
    wait_until(lambda: command.portal.http_requests > asked, "the first run asks the portal")
    ended = command.run(f"duckdb:{file}", "--lock-timeout", "0.2")
    first.kill()
    ended.assert_failed(1, "another run of leadhouse_bitrix24", "--lock-timeout")
    command.portal.latency = 0.0
    command.assert_heals(f"duckdb:{file}")


@pytest.mark.parametrize("content", [b"lead;phone\n" * 500, b"x"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(command: Command, content: bytes) -> None:
    file = command.folder / "leads.duckdb"
    file.write_bytes(content)
    command.run(f"duckdb:{file}").assert_failed(2, str(file))
    assert file.read_bytes() == content
    file.unlink()
    command.assert_heals(f"duckdb:{file}")


def test_a_folder_in_the_place_of_the_file_is_refused(command: Command) -> None:
    folder = command.folder / "leads.duckdb"
    folder.mkdir()
    command.run(f"duckdb:{folder}").assert_failed(2, str(folder))


def test_a_folder_that_does_not_exist_is_refused(command: Command) -> None:
    file = command.folder / "nowhere" / "leads.duckdb"
    command.run(f"duckdb:{file}").assert_failed(2, str(file))
    file.parent.mkdir()
    command.assert_heals(f"duckdb:{file}")


def _heed_permissions() -> None:
    """Root passes over permission bits; without capabilities it does not. Others have none anyway."""
    version_3_of_this_process = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none_effective_permitted_inheritable = (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(version_3_of_this_process, none_effective_permitted_inheritable)


def test_a_read_only_folder_is_refused(command: Command) -> None:
    folder = command.folder / "shelf"
    folder.mkdir(mode=0o555)
    command.run(f"duckdb:{folder / 'leads.duckdb'}", before=_heed_permissions).assert_failed(2, str(folder))
    folder.chmod(0o755)
    command.assert_heals(f"duckdb:{folder / 'leads.duckdb'}")


def test_a_read_only_file_is_refused(command: Command) -> None:
    file = command.folder / "leads.duckdb"
    command.assert_heals(f"duckdb:{file}")
    file.chmod(0o444)
    command.run(f"duckdb:{file}", before=_heed_permissions).assert_failed(2, str(file))
    file.chmod(0o644)
    command.assert_heals(f"duckdb:{file}")


def test_a_read_only_working_directory_is_refused(command: Command) -> None:
    work = command.folder / "work"
    work.mkdir(mode=0o555)
    to = f"duckdb:{command.folder / 'leads.duckdb'}"
    command.run(to, before=_heed_permissions).assert_failed(2, str(work), "DLT_DATA_DIR")
    work.chmod(0o755)
    command.assert_heals(to)


def _limit_files(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [0, 8_192, 13_000, 120_000])
def test_no_room_for_the_file_fails_and_heals(command: Command, size: int) -> None:
    """A limit on the size of files stands for the end of the disk: the write fails in the middle."""
    to = f"duckdb:{command.folder / 'leads.duckdb'}"
    ended = command.run(to, before=partial(_limit_files, size))
    ended.assert_failed(1)
    command.assert_heals(to)
