"""Pages of leads, contacts and companies: links, 204s, limits, orders, short pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import pytest

from leadhouse.sandbox.kommo import Account, serve
from sandbox.kommo.conftest import EVERYTHING, Client

if TYPE_CHECKING:
    import urllib3

    from leadhouse.sandbox.kommo import Clock


def test_a_walk_along_next_links_brings_every_lead_once_in_order_of_updates(client: Client, account: Account) -> None:
    pages = list(client.walk("leads?limit=50"))
    rows = [row for page in pages for row in page["_embedded"]["leads"]]
    assert [page["_page"] for page in pages] == [1, 2, 3, 4]
    assert all("_total_items" not in page and "_page_count" not in page for page in pages)
    assert [(row["updated_at"], row["id"]) for row in rows] == sorted(
        (row["updated_at"], row["id"]) for row in account.leads()
    )


@pytest.mark.parametrize("entity", ["contacts", "companies"])
def test_contacts_and_companies_are_paged_alike(client: Client, account: Account, entity: str) -> None:
    truth = {row["id"] for row in getattr(account, entity)()}
    rows = client.all(f"{entity}?limit=20&order[id]=asc")
    assert [row["id"] for row in rows] == sorted(truth)
    assert len(rows) == len(truth) > 20


def test_links_keep_all_parameters_and_change_the_page_only(client: Client) -> None:
    sent = [("with", "contacts,source_id"), ("limit", "7"), ("page", "2"), ("order[updated_at]", "asc"), ("odd", "ü &")]
    query = "with=contacts%2Csource_id&limit=7&page=2&order%5Bupdated_at%5D=asc&odd=%C3%BC%20%26"
    links = client.get(f"leads?{query}")["_links"]
    assert set(links) == {"self", "next", "first", "prev"}
    for name, page in (("self", "2"), ("next", "3"), ("first", "1"), ("prev", "1")):
        href = urlsplit(links[name]["href"])
        assert f"{href.scheme}://{href.netloc}{href.path}" == f"{client.url}/api/v4/leads"
        assert parse_qsl(href.query) == [(key, page if key == "page" else value) for key, value in sent]


def test_the_first_page_has_no_way_back_and_the_last_one_no_next(client: Client) -> None:
    assert set(client.get("leads")["_links"]) == {"self", "next"}
    assert set(client.get("leads?page=4")["_links"]) == {"self", "first", "prev"}
    assert len(client.ids("leads")) == 50


@pytest.mark.parametrize(("count", "pages"), [(0, []), (1, [1]), (9, [9]), (10, [10]), (11, [10, 1]), (20, [10, 10])])
def test_any_number_of_leads_fills_its_pages(
    count: int, pages: list[int], clock: Clock, http: urllib3.PoolManager
) -> None:
    account = Account(leads=count, clock=clock)
    with serve(account) as sandbox:
        client = Client(sandbox.url, http, account.token)
        found = [len(page["_embedded"]["leads"]) for page in client.walk("leads?limit=10")]
        assert found == pages
        assert client.get(f"leads?limit=10&page={len(pages) + 1}") is None
        http.clear()


def test_next_on_an_exact_multiple_leads_to_a_204(client: Client, account: Account) -> None:
    assert "next" not in client.get("leads?limit=60&page=3")["_links"]
    account.switches.next_on_exact_multiple = True
    assert client.get(client.get("leads?limit=60&page=3")["_links"]["next"]["href"]) is None


def test_short_pages_hold_fewer_rows_and_lose_none(client: Client, account: Account) -> None:
    account.switches.short_pages = True
    pages = list(client.walk("leads?limit=50"))
    assert all(len(page["_embedded"]["leads"]) < 50 and "next" in page["_links"] for page in pages[:-1])
    assert sum(len(page["_embedded"]["leads"]) for page in pages) == 180


def test_an_early_204_comes_once_or_always(client: Client, account: Account) -> None:
    account.switches.early_204_at_page = 2
    assert [client.get("leads?page=2") is None for _ in range(2)] == [True, False]
    account.switches.early_204_at_page, account.switches.early_204 = 2, "always"
    assert [client.get("leads?page=2") is None for _ in range(2)] == [True, True]
    assert client.get("leads?page=1") is not None


def test_a_limit_over_250(clock: Clock, http: urllib3.PoolManager) -> None:
    account = Account(leads=260, clock=clock)
    with serve(account) as sandbox:
        client = Client(sandbox.url, http, account.token)
        assert len(client.ids("leads?limit=500")) == 250
        account.switches.limit_over_250 = "reset50"
        assert len(client.ids("leads?limit=500")) == 50
        account.switches.limit_over_250 = "422"
        answer = client.raw("leads?limit=251")
        assert (answer.status, answer.json()["detail"]) == (422, "Limit 250 per page")
        assert len(client.ids("leads?limit=250")) == 250
        http.clear()


@pytest.mark.parametrize("name", ["updated_at", "created_at", "id"])
def test_orders(client: Client, account: Account, name: str) -> None:
    def key(row: dict[str, int]) -> tuple[int, int]:
        return row[name], row["id"]

    ascending = client.all(f"leads?limit=77&order[{name}]=asc")
    assert [key(row) for row in ascending] == sorted(key(row) for row in account.leads())
    assert client.all(f"leads?limit=77&order[{name}]=desc&with={EVERYTHING}")[-1]["id"] == ascending[0]["id"]
    assert client.ids(f"leads?limit=250&order[{name}]=desc") == [row["id"] for row in reversed(ascending)]


def test_an_order_that_is_none_is_ignored_and_the_default_is_a_switch(client: Client, account: Account) -> None:
    default = client.ids("leads")
    assert client.ids("leads?order=created_at") == client.ids("leads?order[price]=desc") == default
    assert client.ids("leads?order[id]=sideways") == default
    account.switches.default_order = "id"
    assert client.ids("leads") == [row["id"] for row in account.leads()][:50] != default


def test_pages_and_limits_that_are_no_numbers_are_ignored(client: Client) -> None:
    default = client.ids("leads")
    assert client.ids("leads?page=0&limit=0") == client.ids("leads?page=-2&limit=many") == default
