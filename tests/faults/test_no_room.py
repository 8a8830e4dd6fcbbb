"""A real end of the disk, a file that decays, and a Postgres server without room for one more connection."""

import ctypes
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg2
import pytest

import oracle
from copies import administer
from crash.processes import wait_until
from faults.command import Command
from leadhouse.errors import WarehouseRefusedError, WarehouseUnavailableError
from leadhouse.sandbox.bitrix24 import Portal
from scene import Scene


def _limit_files(size: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@contextmanager
def _small_disk(folder: Path, size: int) -> Iterator[Callable[[], None] | None]:
    """Make `folder` a file system of its own with so many bytes; where none can be mounted, limit files to them.

    Gives what is to run in the process before leadhouse does.
    """
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=%d" % size) != 0:
        yield partial(_limit_files, size)
        return
    try:
        yield None
    finally:
        assert libc.umount2(os.fsencode(folder), 2) == 0


@pytest.mark.parametrize("kilobytes", [50, 100])
def test_a_disk_that_is_full_fails_and_heals_when_there_is_room(command: Command, kilobytes: int) -> None:
    folder = command.folder / "disk"
    with _small_disk(folder, kilobytes * 1024) as before:
        to = f"duckdb:{folder / 'leads.duckdb'}"
        command.run(to, before=before).assert_failed(1, str(folder))
        roomy = command.folder / "leads.duckdb"
        if (folder / "leads.duckdb").exists():
            roomy.write_bytes((folder / "leads.duckdb").read_bytes())
        command.assert_heals(f"duckdb:{roomy}")


def _without_middle(content: bytes) -> bytes:
    third = len(content) // 3
    return content[:third] + bytes(third) + content[2 * third :]


_LAST_BLOCK = "cut by a byte"
_SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "cut in half": lambda content: content[: len(content) // 2],
    _LAST_BLOCK: lambda content: content[:-1],
    "zeros in the middle": _without_middle,
    "nothing but a header": lambda content: content[:12_288] + bytes(len(content) - 12_288),
    "another header": lambda content: bytes(16) + content[16:],
    "empty": lambda _: b"",
}


def test_a_duckdb_file_that_decayed_is_refused_and_left_alone(scene: Scene) -> None:
    file = Path(scene.to.removeprefix("duckdb:"))
    scene.synced().later()
    scene.portal.live(create=3, edit=3, seed=8)
    sound = file.read_bytes()
    for name, spoil in _SPOILT.items():
        spoilt = spoil(sound)
        file.write_bytes(spoilt)
        with pytest.raises(WarehouseRefusedError, match=r"the file is damaged: .* move it away") as refused:
            scene.sync()
        # DuckDB reads the last block when its table is asked for; what was written before that is whole.
        left_alone = name == _LAST_BLOCK or file.read_bytes() == spoilt
        assert (refused.value.exit_code, left_alone) == (2, True), name
    file.unlink()
    scene.sync()
    scene.check()


@pytest.fixture
def limited(scene: Scene, postgres_url: str) -> Iterator[Scene]:
    """A Postgres database, entered by a user whose connections can be limited."""
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    user = f"loader_{database}"
    administer(postgres_url, f"CREATE ROLE {user} LOGIN", f"GRANT CREATE ON DATABASE {database} TO {user}")
    scene.to = postgres_url.replace("postgres:unused@", f"{user}:unused@")
    yield scene
    administer(postgres_url, f"DROP OWNED BY {user} CASCADE", f"DROP ROLE {user}")


def test_a_postgres_server_out_of_connections_fails_and_heals(limited: Scene, postgres_url: str) -> None:
    limited.sync()
    limited.later().portal.live(create=3, edit=3, phone_remove=1, seed=8)
    user = limited.to.partition("://")[2].partition(":")[0]
    for connections in (0, 1):
        administer(postgres_url, f"ALTER ROLE {user} CONNECTION LIMIT {connections}")
        with pytest.raises(WarehouseUnavailableError, match=r"too many connections .* limit of connections") as failed:
            limited.sync()
        assert failed.value.exit_code == 1
    administer(postgres_url, f"ALTER ROLE {user} CONNECTION LIMIT -1")
    limited.sync()
    limited.check()


@pytest.mark.parametrize("table", ["leads", "_dlt_pipeline_state"])
def test_a_backend_that_is_ended_in_mid_load_leaves_nothing_half_done(
    scene: Scene, postgres_url: str, table: str
) -> None:
    scene.to = postgres_url
    scene.synced().later()
    scene.portal.live(create=3, edit=3, phone_add=3, phone_remove=1, seed=8)
    held = oracle.actual(scene.to)
    scene.change(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$"
    )
    scene.change(f'CREATE TRIGGER dies BEFORE INSERT ON "bitrix24"."{table}" FOR EACH ROW EXECUTE FUNCTION die()')
    with pytest.raises(WarehouseUnavailableError) as failed:
        scene.sync()
    assert failed.value.exit_code == 1
    now = oracle.actual(scene.to)
    if table != "_dlt_pipeline_state":
        assert now["leads"] == held["leads"]
        assert now["lead_phones"] == held["lead_phones"]
    scene.change("DROP FUNCTION die CASCADE")
    scene.sync()
    scene.check()


def _accepts(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_a_server_whose_backend_is_killed_in_mid_run_recovers_and_is_returned_to(
    scene: Scene, postgres_url: str
) -> None:
    """Postgres ends every connection then, and reads its log again."""
    scene.to = postgres_url
    scene.synced().later()
    scene.portal.live(create=3, edit=3, phone_remove=1, seed=8)

    def kill(method: str, _: object, portal: Portal) -> None:
        if method == "crm.lead.list":
            portal.before_command.clear()
            connection = psycopg2.connect(postgres_url)
            os.kill(connection.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg2.OperationalError):
                connection.cursor().execute("SELECT 1")
            connection.close()

    scene.portal.before_command.append(kill)
    with pytest.raises(WarehouseUnavailableError) as failed:
        scene.sync()
    assert failed.value.exit_code == 1
    wait_until(lambda: _accepts(postgres_url), "the server recovers")
    scene.sync()
    scene.check()
