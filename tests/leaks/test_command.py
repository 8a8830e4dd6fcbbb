"""The command's own output: neither code nor password nor contact, however much it is asked to say."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

import oracle
from crash.processes import environment, wait_until
from forks import Ended, Leadhouse
from leadhouse.sandbox.bitrix24 import Portal, serve
from leaks.conftest import CODE
from leaks.traces import contacts, of_files, of_warehouse

_PASSWORDS = ["plain-sesame-31", "p@ss:w/rd?#31", "ключ-от-двери", "two words + 31 "]


@pytest.fixture
def url(portal: Portal) -> Iterator[str]:
    with serve(portal) as served:
        yield served.url


def _sync(to: str, url: str, work: Path, *flags: str) -> Ended:
    env = environment(SOURCES__BITRIX24__WEBHOOK_URL=url, DLT_DATA_DIR=str(work))
    return Leadhouse(["sync", "bitrix24", "--to", to, *flags], env, work.parent).end()


@pytest.mark.parametrize("flags", [("--json",), ("--verbose",)])
@pytest.mark.parametrize("broken", [False, True])
def test_the_command_tells_neither_code_nor_contact(
    portal: Portal, url: str, tmp_path: Path, flags: tuple[str, ...], broken: bool
) -> None:
    if broken:
        portal.faults.add("error", None, match="batch", code="expired_token", status=401, description=CODE)
    done = _sync(f"duckdb:{tmp_path / 'leads.duckdb'}", url, tmp_path / "work", *flags)
    assert done.status == (2 if broken else 0), done.err
    assert done.out or broken
    for secret in (CODE, *contacts(portal.leads())):
        assert secret not in done.out + done.err
        assert secret not in of_files(tmp_path / "work")


def test_a_webhook_given_as_a_flag_is_not_repeated(portal: Portal, url: str, tmp_path: Path) -> None:
    portal.faults.add("error", None, match="batch", code="NO_AUTH_FOUND", status=401)
    done = _sync(f"duckdb:{tmp_path / 'leads.duckdb'}", "", tmp_path / "work", "--verbose", "--webhook-url", url)
    assert done.status == 2
    assert CODE not in done.out + done.err


@pytest.fixture(params=_PASSWORDS)
def with_password(request: pytest.FixtureRequest, postgres_url: str) -> tuple[str, Callable[[str], str]]:
    """A password, and the URL of a database that asks for it when it is given one."""
    password: str = request.param
    database = postgres_url.partition("?")[0].rpartition("/")[2]
    user = f"loader_{database}"

    def url_with(given: str) -> str:
        return postgres_url.replace("postgres:unused@", f"{user}:{quote(given, safe='')}@")

    connection = psycopg2.connect(postgres_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {user} LOGIN PASSWORD %s", (password,))
        cursor.execute(f"GRANT CREATE ON DATABASE {database} TO {user}")
        cursor.execute("SHOW hba_file")
        file = Path((cursor.fetchone() or ("",))[0])
        file.write_text(f"local all {user} scram-sha-256\n{file.read_text()}")
        cursor.execute("SELECT pg_reload_conf()")
    connection.close()
    wait_until(lambda: _refused(url_with("no")), "the server asks for passwords")
    return password, url_with


def _refused(url: str) -> bool:
    try:
        psycopg2.connect(url).close()
    except psycopg2.OperationalError:
        return True
    return False


def _spellings(password: str) -> set[str]:
    return {
        password,
        quote(password, safe=""),
        quote(password),
        quote(password, safe=" +"),
        quote(password, safe=" +/"),
    }


def test_a_postgres_password_is_told_nowhere(
    with_password: tuple[str, Callable[[str], str]], portal: Portal, url: str, tmp_path: Path
) -> None:
    password, url_with = with_password
    good = _sync(url_with(password), url, tmp_path / "work", "--verbose", "--json")
    wrong = _sync(url_with(f"{password}-wrong"), url, tmp_path / "work", "--verbose")
    assert wrong.status == 2
    told = good.out + good.err + wrong.out + wrong.err + of_files(tmp_path / "work")
    told += of_warehouse(url_with(password))
    for spelling in _spellings(password):
        assert spelling not in told
    assert good.status == 0, good.err[-600:]
    oracle.assert_equal(portal, url_with(password))
