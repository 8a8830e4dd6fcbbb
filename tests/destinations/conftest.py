"""Every destination that runs here, empty, as `--to` names it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from any_scene import AnyScene
from crash.crasher import crasher
from kommo_scene import small_account
from leadhouse.sandbox.bitrix24 import Portal
from leadhouse.sandbox.kommo import Account
from scene import small_portal
from served import opened, warehouse

__all__ = ["crasher"]

LAKES = ("delta", "iceberg")
ALL = ("duckdb", "postgres", *LAKES, "ducklake")
LEADS = 60


def described(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "lake") -> str:
    """Describe a lake in the environment, as a user would, and return its name."""

    def told(setting: str, value: str) -> None:
        monkeypatch.setenv(f"DESTINATION__{name}__{setting}".upper(), value)

    if kind == "ducklake":
        told("destination_type", "ducklake")
        told("credentials__catalog", f"duckdb:///{folder / 'catalog.duckdb'}")
        told("credentials__storage__bucket_url", str(folder / "storage"))
    else:
        told("destination_type", "filesystem")
        told("bucket_url", str(folder / "bucket"))
        told("table_format", kind)
    return name


@pytest.fixture(params=ALL)
def to(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty destination, once of each kind."""
    if request.param in ("duckdb", "postgres"):
        return warehouse(request.param, request)
    return described(request.param, tmp_path, monkeypatch)


@pytest.fixture(params=LAKES)
def lake(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty lake, once of each format."""
    return described(request.param, tmp_path, monkeypatch)


@pytest.fixture
def portal() -> Portal:
    return small_portal(LEADS)


@pytest.fixture
def account() -> Account:
    return small_account(LEADS)


@pytest.fixture
def scene(to: str, request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """A Bitrix24 portal and each destination."""
    with opened("lead", to, request) as served:
        yield served


@pytest.fixture
def kommo_scene(to: str, request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """A Kommo account and each destination."""
    with opened("kommo", to, request) as served:
        yield served


@pytest.fixture
def lake_scene(lake: str, request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """A Bitrix24 portal and each lake."""
    with opened("lead", lake, request) as served:
        yield served


@pytest.fixture
def iceberg_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[AnyScene]:
    """A Bitrix24 portal and a lake of Iceberg tables."""
    with opened("lead", described("iceberg", tmp_path, monkeypatch), request) as served:
        yield served


@pytest.fixture
def served_scene(request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """A Bitrix24 portal; its warehouses are the test's own."""
    with opened("lead", "", request) as served:
        served.verifiable = False
        yield served
