"""A Postgres server that refuses, is gone or goes: one line, the right status, healed later."""

from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

import oracle
from crash.processes import wait_until
from faults.command import Command
from leadhouse.sandbox.bitrix24 import Portal

_PASSWORD = "cörrect-horse/9"


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


def test_a_read_only_database_is_for_a_person_also_between_runs(command: Command, postgres_url: str) -> None:
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    command.run(postgres_url)
    for setting in ("on", "off"):
        connection = psycopg2.connect(postgres_url, options="-c default_transaction_read_only=off")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = {setting}")
        connection.close()
        if setting == "on":
            command.run(postgres_url).assert_failed(2, "read-only", "rights")
    command.assert_heals(postgres_url)


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


def _throw_out(postgres_url: str, which: str = "true") -> None:
    """End connections to the database as an administrator does."""
    connection = psycopg2.connect(postgres_url)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "  # noqa: S608 - a test's own condition
            f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND {which}"
        )
        thrown = cursor.rowcount
    connection.close()
    assert thrown


@pytest.mark.parametrize("struck", ["batch", "crm.stagehistory.list"])
def test_a_server_that_throws_everybody_out_in_the_middle_is_returned_to(
    command: Command, postgres_url: str, struck: str
) -> None:
    thrown: list[str] = []

    def throw_out(method: str, _: object, __: object) -> None:
        if method == struck and not thrown:
            thrown.append(method)
            _throw_out(postgres_url)

    command.portal.before_command.append(throw_out)
    command.run(postgres_url).assert_failed(1)
    assert thrown
    command.portal.before_command.clear()
    command.portal.live(create=5, edit=5, seed=1)
    command.assert_heals(postgres_url)


def test_a_run_that_lost_the_lock_writes_nothing_more(command: Command, postgres_url: str) -> None:
    """Another run may have begun: what this one has read since is older."""

    def lose(method: str, _: object, portal: Portal) -> None:
        if method == "crm.lead.list":
            portal.before_command.clear()
            _throw_out(postgres_url, "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')")

    command.assert_heals(postgres_url)
    command.portal.clock.advance(3600)
    command.portal.live(create=5, edit=5, seed=1)
    held = "SELECT max(synced_at) AS newest, count(*) AS leads FROM bitrix24.leads"
    before = oracle.query(postgres_url, held)
    command.portal.before_command.append(lose)
    command.run(postgres_url).assert_failed(1, "keeps other runs out")
    assert oracle.query(postgres_url, held) == before
    command.assert_heals(postgres_url)
