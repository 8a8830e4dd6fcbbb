"""A client that is not ours, dlt's own REST source, reads the account whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dlt.sources.rest_api import rest_api_source

from leadhouse.sandbox.kommo import Account, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from leadhouse.sandbox.kommo import Clock

CARDS = ("leads", "contacts", "companies", "events")


@pytest.fixture
def large(clock: Clock) -> Account:
    return Account(leads=620, seed=8, clock=clock)


@pytest.fixture
def source(large: Account) -> Iterator[Any]:
    resources = [
        {
            "name": name.rpartition("/")[2],
            "endpoint": {
                "path": name,
                "data_selector": f"_embedded.{name.rpartition('/')[2]}",
                "params": {"limit": 250, "order[id]": "asc"},
                "paginator": {"type": "json_link", "next_url_path": "_links.next.href"},
            },
        }
        for name in (*CARDS, "users", "leads/pipelines", "leads/loss_reasons", "leads/custom_fields")
    ]
    with serve(large) as sandbox:
        client = {"base_url": f"{sandbox.url}/api/v4/", "auth": {"type": "bearer", "token": large.token}}
        config: Any = {"client": client, "resources": resources}
        yield rest_api_source(config)


def test_leads_contacts_companies_and_events(source: Any, large: Account) -> None:
    for name in CARDS:
        found, truth = list(source.resources[name]), getattr(large, name)()
        assert sorted(row["id"] for row in found) == sorted(row["id"] for row in truth)
    for row in source.resources["leads"]:
        whole = large.lead(row["id"])
        assert all(row[name] == whole[name] for name in row.keys() - {"_links", "_embedded"})


def test_settings(source: Any, large: Account) -> None:
    assert list(source.resources["users"]) == large.users()
    assert list(source.resources["pipelines"]) == large.pipelines()
    assert list(source.resources["loss_reasons"]) == large.loss_reasons()
    assert list(source.resources["custom_fields"]) == large.custom_fields("leads")
