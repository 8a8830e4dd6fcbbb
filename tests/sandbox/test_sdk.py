"""The vendor's own SDK reads the portal whole, over https."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import pytest

from leadhouse.sandbox.bitrix24 import Portal, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadhouse.sandbox.bitrix24 import Clock

SELECT = ["*", "UF_*", "PHONE", "EMAIL", "WEB", "IM", "LINK"]


@pytest.fixture
def large(clock: Clock) -> Portal:
    return Portal(leads=5_630, seed=8, clock=clock)


@pytest.fixture
def sdk(large: Portal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    b24pysdk: Any = importlib.import_module("b24pysdk")  # untyped
    with serve(large, tls=True) as sandbox:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(sandbox.certificate))
        webhook = b24pysdk.BitrixWebhook(domain=f"127.0.0.1:{sandbox.port}", webhook_token="1/sandbox-secret-code")
        yield b24pysdk.Client(webhook)


def test_the_fast_list(sdk: Any, large: Portal) -> None:
    assert list(sdk.crm.lead.list(select=SELECT).as_list_fast().result) == large.leads()


def test_the_counted_list(sdk: Any, large: Portal) -> None:
    assert list(sdk.crm.lead.list(select=SELECT).as_list().result) == large.leads()


def test_a_window_of_time(sdk: Any, large: Portal) -> None:
    since = "2026-06-01T00:00:00+03:00"
    found = list(sdk.crm.lead.list(select=SELECT, filter={">=DATE_MODIFY": since}).as_list_fast().result)
    assert found == [lead for lead in large.leads() if lead["DATE_MODIFY"] >= since]


def test_one_lead_and_the_dictionaries(sdk: Any, large: Portal) -> None:
    first = large.leads()[0]
    assert sdk.crm.lead.get(bitrix_id=int(first["ID"])).result == first
    assert sdk.crm.lead.fields().result == large.lead_fields()
    assert sdk.crm.status.list().result == large.statuses()
    assert sdk.user.get().result == large.users()
