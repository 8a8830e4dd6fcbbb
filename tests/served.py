"""Scenes of portals that are served for a test, by the name of the way to them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from any_scene import AnyScene
from kommo_scene import KommoScene
from leadhouse.sandbox import bitrix24, kommo
from scene import Scene

if TYPE_CHECKING:
    from pathlib import Path

    from leadhouse.sandbox.bitrix24 import Portal
    from leadhouse.sandbox.kommo import Account


def warehouse(kind: str, request: pytest.FixtureRequest) -> str:
    """Return an empty warehouse of a kind, "duckdb" or "postgres"."""
    if kind == "postgres":
        url: str = request.getfixturevalue("postgres_url")
        return url
    folder: Path = request.getfixturevalue("tmp_path")
    return f"duckdb:{folder / 'leads.duckdb'}"


@contextmanager
def opened(way: str, to: str, request: pytest.FixtureRequest) -> Iterator[AnyScene]:
    """Open the scene of a source: "kommo" on the fixture `account`, or a family of Bitrix24's methods on `portal`."""
    if way == "kommo":
        account: Account = request.getfixturevalue("account")
        with kommo.serve(account) as served:
            yield KommoScene(account, served.url, to)
        return
    portal: Portal = request.getfixturevalue("portal")
    with bitrix24.serve(portal) as served_portal:
        yield Scene(portal, served_portal.url, to, api=way)
