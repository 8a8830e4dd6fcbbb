"""Real states are held against state/slots.toml, the contract of what a run remembers."""

import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

import documents
from leadhouse import cursor
from leadhouse.forgetting import forget
from leadhouse.pipeline import opened
from leadhouse.sandbox import kommo
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
        case "text" | "digest":
            return isinstance(value, str) and (kind == "text" or re.fullmatch(r"[0-9a-f]{32}", value) is not None)
    raise ValueError(f"slots.toml names the type {kind!r}, which this test does not know")


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the slots of a state; places of lists and names of dictionaries are written as the contract does."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            named = path.endswith(("dictionaries", "streams", "forgotten"))
            yield from _leaves(inner, f"{path}.*" if named else f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            anywhere = path.endswith("ranges") or path.startswith("forgotten")
            yield from _leaves(inner, f"{path}.*" if anywhere else f"{path}.{place}")
    elif value != {}:
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


def _stored(to: str, source: str) -> dict[str, Any]:
    """Return the source's part of dlt's state as the warehouse holds it."""
    with opened(Warehouse(Target.parse(to), source, lock_timeout=5.0), lock_timeout=5.0) as pipeline:
        assert pipeline.pipeline_name == f"leadhouse_{source}"
        sources = pipeline.state["sources"]
    assert sources.keys() == {source}
    assert sources[source].keys() == {SLOT}
    state: dict[str, Any] = sources[source][SLOT]
    return state


def _seen(monkeypatch: pytest.MonkeyPatch, source: str, **given: Any) -> set[str]:
    """Return the slots of a cut run, a cut backfill and a whole run."""
    seen, to = set(), f"duckdb:of_{source}.duckdb"
    for options in ANEW:
        with monkeypatch.context() as cut:
            in_small_packages(cut)
            crash_at(cut, Session, "_load", 1, after=True)
            with pytest.raises(Crash):
                sync(source, to=to, requests_per_second=1000, **given, **options)
        seen |= _assert_fits(_stored(to, source))
        sync(source, to=to, requests_per_second=1000, **given)
        forget(source, [1, 2], to=to)
    return seen | _assert_fits(_stored(to, source))


def test_states_of_a_cut_run_a_cut_backfill_and_a_whole_run_fit_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADHOUSE__PII", "hash")
    monkeypatch.setenv("LEADHOUSE__PII_KEY", "a key of this test's own")
    with serve(small_portal(leads=250)) as portal:
        seen = _seen(monkeypatch, "bitrix24", webhook_url=portal.url, burst=10_000)
    account = kommo.Account(leads=250)
    with kommo.serve(account) as sandbox:
        seen |= _seen(monkeypatch, "kommo", base_url=sandbox.url, access_token=account.token)
    assert seen == SLOTS.keys()


def test_the_contract_has_the_version_that_the_code_writes() -> None:
    assert CONTRACT["version"] == cursor.VERSION
