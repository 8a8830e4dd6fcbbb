"""A destination that is locked, full, read-only, gone or something else: one line, the right status, healed later."""

import ctypes
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import oracle
import psycopg2
import pytest
from crash.processes import environment, wait_until
from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import small_portal

_READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
sys.stdin.read()
"""
_PASSWORD = "cörrect horse/9"


@dataclass
class Ended:
    """How a `leadhouse` process ended."""

    status: int
    out: str
    err: str

    @property
    def said(self) -> list[str]:
        """The lines for people on stderr, without log lines."""
        return [line for line in self.err.splitlines() if not line.startswith("{")]

    def assert_failed(self, status: int, *words: str) -> None:
        """One line that holds all the words, no traceback, nothing on stdout."""
        assert self.status == status, self.err
        assert len(self.said) == 1, self.err
        assert self.said[0].startswith("leadhouse: ")
        for word in words:
            assert word in self.said[0]
        assert "Traceback" not in self.err
        assert self.out == ""


@dataclass
class Command:
    """`leadhouse sync` of one portal, as a process."""

    portal: Portal
    url: str
    folder: Path

    def start(self, to: str, *flags: str, before: Callable[[], None] | None = None) -> "subprocess.Popen[str]":
        """Start it; `before` runs in the new process before leadhouse does."""
        env = environment(SOURCES__BITRIX24__WEBHOOK_URL=self.url, DLT_DATA_DIR=str(self.folder / "work"))
        return subprocess.Popen(
            [sys.executable, "-m", "leadhouse", "sync", "bitrix24", "--to", to, *flags],
            env=env,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # noqa: PLW1509 - the child does one system call and goes on to exec
        )

    def run(self, to: str, *flags: str, before: Callable[[], None] | None = None) -> Ended:
        """Run it to its end."""
        process = self.start(to, *flags, before=before)
        out, err = process.communicate(timeout=300)
        return Ended(process.returncode, out, err)

    def assert_heals(self, to: str) -> None:
        """The next run completes the tables."""
        ended = self.run(to)
        assert ended.status == 0, ended.err
        oracle.assert_equal(self.portal, to)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    portal = small_portal(leads=60, seed=17)
    with serve(portal) as served:
        yield Command(portal, served.url, tmp_path)


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
    assert process.stderr is not None
    told = process.stderr.readline()
    assert "waiting for the DuckDB file" in told
    assert f'"pid": {reader.pid}' in told
    reader.close()
    process.communicate(timeout=120)
    assert process.returncode == 0
    oracle.assert_equal(command.portal, f"duckdb:{file}")


def test_a_second_run_waits_for_the_first_and_says_so(command: Command) -> None:
    file = command.folder / "leads.duckdb"
    asked = command.portal.http_requests
    command.portal.latency = 30.0
    first = command.start(f"duckdb:{file}")
    wait_until(lambda: command.portal.http_requests > asked, "the first run asks the portal")
    ended = command.run(f"duckdb:{file}", "--lock-timeout", "0.2")
    first.kill()
    first.communicate()
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
    """Root passes over permission bits; without this capability it does not. Others lack it anyway."""
    ctypes.CDLL(None).prctl(24, 1)  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE


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


@pytest.mark.parametrize("size", [4_000, 300_000, 2_000_000])
def test_no_room_for_the_file_fails_and_heals(command: Command, size: int) -> None:
    """A limit on the size of files stands for the end of the disk: the write fails in the middle."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    to = f"duckdb:{command.folder / 'leads.duckdb'}"
    ended = command.run(to, before=limit)
    ended.assert_failed(1)
    command.assert_heals(to)


@pytest.fixture
def guarded_url(postgres_url: str) -> str:
    """A database that a user of its own may enter with a password only."""
    connection = psycopg2.connect(postgres_url)
    connection.autocommit = True
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    user = f"loader_{database}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {user} LOGIN PASSWORD %s", (_PASSWORD,))
        cursor.execute(f"GRANT CREATE ON DATABASE {database} TO {user}")
        cursor.execute("SHOW hba_file")
        (hba,) = cursor.fetchone() or ("",)
        file = Path(hba)
        file.write_text(f"local all {user} scram-sha-256\n{file.read_text()}")
        cursor.execute("SELECT pg_reload_conf()")

        def guarded() -> bool:
            try:
                psycopg2.connect(_as_user(postgres_url, user, "wrong")).close()
            except psycopg2.OperationalError:
                return True
            return False

        wait_until(guarded, "the server asks for passwords")
    connection.close()
    return _as_user(postgres_url, user, _PASSWORD)


def _as_user(url: str, user: str, password: str) -> str:
    return url.replace("postgres:unused@", f"{user}:{quote(password, safe='')}@")


def test_a_wrong_postgres_password_is_for_a_person(command: Command, guarded_url: str) -> None:
    wrong = guarded_url.replace(quote(_PASSWORD, safe=""), "mistaken-pw-77")
    ended = command.run(wrong)
    ended.assert_failed(2, "password authentication failed", "correct the destination's")
    assert "mistaken-pw-77" not in ended.err
    command.assert_heals(guarded_url)


def test_a_user_without_rights_is_for_a_person(command: Command, guarded_url: str, postgres_url: str) -> None:
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    for right in ("REVOKE", "GRANT"):
        connection = psycopg2.connect(postgres_url)
        with connection, connection.cursor() as cursor:
            preposition = "FROM" if right == "REVOKE" else "TO"
            cursor.execute(f"{right} CREATE ON DATABASE {database} {preposition} loader_{database}")
        connection.close()
        if right == "REVOKE":
            command.run(guarded_url).assert_failed(2, "permission denied", "rights")
    command.assert_heals(guarded_url)


def test_a_database_that_does_not_exist_is_for_a_person(command: Command, postgres_url: str) -> None:
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    command.run(postgres_url.replace(f"/{name}?", "/no_such_database?")).assert_failed(2, "does not exist")


def test_a_server_that_is_down_may_come_back(command: Command, postgres_url: str) -> None:
    socket = postgres_url.partition("host=")[2]
    down = postgres_url.replace(socket, str(command.folder))
    command.run(down).assert_failed(1, "start the server")
    refused = "postgresql://loader:sesame-opens@127.0.0.1:9/crm"
    ended = command.run(refused)
    ended.assert_failed(1, "127.0.0.1:9/crm", "start the server")
    assert "sesame-opens" not in ended.err


@pytest.mark.parametrize("page", [1, 3])
def test_a_server_that_throws_everybody_out_in_the_middle_is_returned_to(
    command: Command, postgres_url: str, page: int
) -> None:
    pages: list[str] = []

    def restart(method: str, _: object, __: object) -> None:
        pages.append(method)
        if pages.count("batch") == page and pages[-1] == "batch":
            connection = psycopg2.connect(postgres_url)
            with connection, connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            connection.close()

    command.portal.before_command.append(restart)
    ended = command.run(postgres_url)
    assert pages.count("batch") >= page
    if ended.status:
        ended.assert_failed(1)
    command.portal.before_command.clear()
    command.portal.live(create=5, edit=5, seed=1)
    command.assert_heals(postgres_url)
