"""One pace for all accounts and processes of a machine: the vendor counts requests by address."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from leadhouse.kommo.shared_pace import SharedDistance, vendor_of

_PROGRAM = """
import sys, time
from pathlib import Path
from leadhouse.kommo.shared_pace import SharedDistance
distance = SharedDistance(Path(sys.argv[1]), lambda: 1000.0)
sys.stdin.readline()
for _ in range(25):
    print(distance.take(0.25), flush=True)
"""


def test_processes_take_turns_and_no_two_send_at_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "pace" / "kommo.com"
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        for _ in range(4)
    ]
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    taken = [float(line) for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert sorted(taken) == [0.25 * turn for turn in range(100)]


def test_accounts_of_one_vendor_share_and_vendors_do_not(tmp_path: Path) -> None:
    assert vendor_of("acme.kommo.com") == vendor_of("globex.kommo.com") == "kommo.com"
    assert vendor_of("acme.amocrm.ru") == "amocrm.ru"
    assert vendor_of("127.0.0.1:8090") != vendor_of("127.0.0.1:8091")
    one, other = (SharedDistance(tmp_path / vendor, lambda: 5.0) for vendor in ("kommo.com", "amocrm.ru"))
    assert (one.take(1.0), other.take(1.0), one.take(1.0)) == (0.0, 0.0, 1.0)


def test_a_pause_is_not_made_up_for(tmp_path: Path) -> None:
    clock = [10.0]
    distance = SharedDistance(tmp_path / "pace", lambda: clock[0])
    assert distance.take(1.0) == 0.0
    clock[0] = 50.0
    assert [distance.take(1.0) for _ in range(3)] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    "left_over",
    [struct.pack("d", 9e9), struct.pack("d", float("nan")), struct.pack("d", -1.0), b"", b"\x00" * 3],
    ids=["before the machine was started anew", "no number", "long ago", "nothing", "half"],
)
def test_what_another_time_left_there_delays_nobody(tmp_path: Path, left_over: bytes) -> None:
    (tmp_path / "pace").write_bytes(left_over)
    distance = SharedDistance(tmp_path / "pace", lambda: 100.0)
    assert [distance.take(0.5), distance.take(0.5)] == [0.0, 0.5]


def test_where_no_file_can_be_the_process_keeps_its_own_pace(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    distance = SharedDistance(tmp_path / "file" / "pace", lambda: 3.0)
    assert [distance.take(0.5), distance.take(0.5)] == [0.0, 0.5]


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/dev/fd").iterdir()))
    distance = SharedDistance(tmp_path / "pace", lambda: 3.0)
    for _ in range(50):
        distance.take(0.5)
    assert len(list(Path("/dev/fd").iterdir())) == before
