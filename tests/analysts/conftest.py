"""A company's two portals and one warehouse; and warehouses of both, filled once for tests that only look."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from copies import administer
from kommo_scene import KommoScene, small_account
from leadhouse.sandbox import bitrix24, kommo
from operators.conftest import call as call  # noqa: PLC0414 - a fixture
from scene import Scene, small_portal
from served import warehouse


@dataclass(frozen=True)
class Company:
    """Both sandbox portals, as scenes of one warehouse."""

    bitrix24: Scene
    kommo: KommoScene

    @property
    def to(self) -> str:
        """The warehouse."""
        return self.bitrix24.to


@contextmanager
def company_into(to: str, leads: int = 40) -> Iterator[Company]:
    """Serve a company's two portals."""
    portal, account = small_portal(leads), small_account(leads)
    with ExitStack() as stack:
        first = stack.enter_context(bitrix24.serve(portal))
        second = stack.enter_context(kommo.serve(account))
        yield Company(Scene(portal, first.url, to), KommoScene(account, second.url, to))


@pytest.fixture(params=["duckdb", "postgres"])
def to(request: pytest.FixtureRequest) -> str:
    """An empty warehouse, once of each kind."""
    return warehouse(request.param, request)


@pytest.fixture
def company(to: str) -> Iterator[Company]:
    """A company and an empty warehouse, once of each kind."""
    with company_into(to) as served:
        yield served


@pytest.fixture
def in_duckdb(tmp_path: Path) -> Iterator[Company]:
    """A company and a DuckDB file that is not there yet."""
    with company_into(f"duckdb:{tmp_path / 'leads.duckdb'}") as served:
        yield served


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[dict[str, str]]:
    """A warehouse of each kind that both sources have filled, by its kind; tests only look at them."""
    folder, name = tmp_path_factory.mktemp("filled"), f"filled_{uuid4().hex[:8]}"
    administer(postgres_server, f"CREATE DATABASE {name}")
    made = {
        "duckdb": f"duckdb:{folder / 'leads.duckdb'}",
        "postgres": postgres_server.replace("/postgres?", f"/{name}?"),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        patch.chdir(folder)
        for to in made.values():
            with company_into(to) as served:
                served.bitrix24.sync(history=True)
                served.kommo.sync(history=True)
    yield made
    administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["duckdb", "postgres"])
def full(request: pytest.FixtureRequest, filled: dict[str, str]) -> str:
    """A warehouse that both sources have filled, once of each kind; to look at."""
    return filled[request.param]
