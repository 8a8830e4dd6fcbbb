"""Real states are held against state/slots.toml, the contract of what a run remembers."""

import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

import documents
from leadhouse import cursor
from leadhouse.pipeline import opened
from leadhouse.sandbox.bitrix24 import serve
from leadhouse.service import sync
from leadhouse.session import Session
from leadhouse.state import SLOT
from leadhouse.warehouse import Target, Warehouse
from scene import Crash, crash_at, in_small_packages, small_portal

CONTRACT = tomllib.loads(documents.read("state/slots.toml"))
ANEW: tuple[dict[str, Any], ...] = ({}, {"since": "2020-01-01", "until": "2030-01-01"})
SLOTS: dict[str, dict[str, Any]] = CONTRACT["slots"]


def _fits(kind: str, value: Any) -> bool:
    match kind:
        case "version":
            return bool(value == CONTRACT["version"])
        case "time":
            return isinstance(value, str) and value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None
        case "id" | "id_or_end":
            return type(value) is int and value >= 0
        case "minutes":
            return type(value) is int and -14 * 60 <= value <= 14 * 60
        case "flag":
            return type(value) is bool
        case "digest":
            return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{32}", value) is not None
    raise ValueError(f"slots.toml names the type {kind!r}, which this test does not know")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the slots of a state; places of lists and names of dictionaries are written as the contract does."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.*" if path == "dictionaries" else f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.*" if path.endswith("ranges") else f"{path}.{place}")
    else:
        yield path, value


def _assert_fits(state: dict[str, Any]) -> set[str]:
    """Fail unless each slot is in the contract and its value fits; return the slots seen."""
    seen = set()
    for path, value in _leaves(state):
        assert path in SLOTS, f"{path} is not in state/slots.toml"
        slot = SLOTS[path]
        assert slot.get("null", False) if value is None else _fits(slot["type"], value), f"{path} = {value!r}"
        seen.add(path)
    return seen


def _stored(to: str) -> dict[str, Any]:
    """Return the source's part of dlt's state as the warehouse holds it."""
    with opened(Warehouse(Target.parse(to), "bitrix24", lock_timeout=5.0), lock_timeout=5.0) as pipeline:
        assert pipeline.pipeline_name == "leadhouse_bitrix24"
        sources = pipeline.state["sources"]
    assert sources.keys() == {"bitrix24"}
    assert sources["bitrix24"].keys() == {SLOT}
    state: dict[str, Any] = sources["bitrix24"][SLOT]
    return state


def test_states_of_a_cut_run_a_cut_backfill_and_a_whole_run_fit_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    with serve(small_portal(leads=250)) as sandbox:
        run: dict[str, Any] = {
            "to": "duckdb:crm.duckdb",
            "webhook_url": sandbox.url,
            "requests_per_second": 1000,
            "burst": 10_000,
        }

        for options in ANEW:
            with monkeypatch.context() as cut:
                in_small_packages(cut)
                crash_at(cut, Session, "_load", 1, after=True)
                with pytest.raises(Crash):
                    sync("bitrix24", **run, **options)
            seen |= _assert_fits(_stored("duckdb:crm.duckdb"))
            sync("bitrix24", **run)

        seen |= _assert_fits(_stored("duckdb:crm.duckdb"))

    assert seen == SLOTS.keys()


def test_the_contract_has_the_version_that_the_code_writes() -> None:
    assert CONTRACT["version"] == cursor.VERSION
