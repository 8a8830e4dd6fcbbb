"""Filters of lists: AND between them, OR within one, bounds, and accounts where they do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from leadhouse.sandbox.kommo import Account
    from sandbox.kommo.conftest import Client

    Test = Callable[[dict[str, Any]], bool]


def _expected(account: Account, test: Test) -> set[int]:
    return {lead["id"] for lead in account.leads() if test(lead)}


def _found(client: Client, query: str) -> set[int]:
    return set(client.ids(f"leads?limit=250&{query}"))


def test_single_and_multiple_values(client: Client, account: Account) -> None:
    ids = [lead["id"] for lead in account.leads()]
    assert _found(client, f"filter[id]={ids[3]}") == {ids[3]}
    assert _found(client, f"filter[id][]={ids[3]}&filter[id][]={ids[9]}&filter[id][]=5") == {ids[3], ids[9]}
    assert _found(client, f"filter%5Bid%5D%5B0%5D={ids[3]}&filter%5Bid%5D%5B1%5D={ids[4]}") == {ids[3], ids[4]}
    name = account.lead(ids[7])["name"]
    account.update_lead(ids[8], {"name": "Ökonom & Söhne"})
    assert ids[7] in _found(client, f"filter[name]={name}".replace("#", "%23").replace("№", "%E2%84%96"))
    assert _found(client, "filter[name][]=%C3%96konom+%26+S%C3%B6hne&filter[name][]=none") == {ids[8]}


@pytest.mark.parametrize("name", ["created_by", "updated_by", "responsible_user_id", "pipeline_id"])
def test_numbers(client: Client, account: Account, name: str) -> None:
    values = sorted({lead[name] for lead in account.leads()})[:2]
    query = "&".join(f"filter[{name}][]={value}" for value in values)
    assert _found(client, query) == _expected(account, lambda lead: lead[name] in values)
    single = _expected(account, lambda lead: lead[name] == values[0])
    assert _found(client, f"filter[{name}]={values[0]}") == single != set()


def test_statuses_are_pairs_and_half_ones_are_ignored(client: Client, account: Account) -> None:
    pairs = {(7_100_901, 143), (7_100_902, 142)}
    whole = "&".join(
        f"filter[statuses][{at}][pipeline_id]={pipeline}&filter[statuses][{at}][status_id]={status}"
        for at, (pipeline, status) in enumerate(sorted(pairs))
    )
    expected = _expected(account, lambda lead: (lead["pipeline_id"], lead["status_id"]) in pairs)
    assert _found(client, whole) == expected != set()
    assert len(_found(client, "filter[statuses][0][status_id]=143")) == 180


def test_filters_hold_together(client: Client, account: Account) -> None:
    def both(lead: dict[str, Any]) -> bool:
        return bool(lead["pipeline_id"] == 7_100_901 and lead["price"] >= 1_000)

    assert _found(client, "filter[pipeline_id]=7100901&filter[price][from]=1000") == _expected(account, both) != set()


@pytest.mark.parametrize("name", ["created_at", "updated_at", "closed_at", "closest_task_at"])
@pytest.mark.parametrize("bounds", ["inclusive", "exclusive"])
def test_ranges_of_time(client: Client, account: Account, name: str, bounds: str) -> None:
    account.switches.bounds = "inclusive" if bounds == "inclusive" else "exclusive"
    times = sorted(lead[name] for lead in account.leads() if lead[name] is not None)
    low, high, off = times[len(times) // 3], times[len(times) // 2], int(bounds == "exclusive")

    def within(lead: dict[str, Any]) -> bool:
        return lead[name] is not None and low + off <= lead[name] <= high - off

    assert _found(client, f"filter[{name}][from]={low}&filter[{name}][to]={high}") == _expected(account, within)
    since = _expected(account, lambda lead: lead[name] is not None and lead[name] >= low + off)
    assert _found(client, f"filter[{name}][from]={low}") == since != set()
    until = _expected(account, lambda lead: lead[name] is not None and lead[name] <= low - off)
    assert _found(client, f"filter[{name}][to]={low}") == until


def test_a_time_without_bounds_is_that_second(client: Client, account: Account) -> None:
    lead = account.leads()[40]
    assert lead["id"] in _found(client, f"filter[updated_at]={lead['updated_at']}")
    assert _found(client, f"filter[updated_at]={lead['updated_at'] + 86_400 * 900}") == set()


def test_custom_fields_by_value_choice_and_range(client: Client, account: Account) -> None:
    ids = [lead["id"] for lead in account.leads()]
    area = account.add_custom_field("leads", "Rooms", "numeric")
    choice = account.add_custom_field("leads", "Colour", "select", enums=("red", "green"))
    green = next(row for row in account.custom_fields("leads") if row["id"] == choice)["enums"][1]["id"]
    for at, id_ in enumerate(ids[:4]):
        account.update_lead(id_, {"custom_fields_values": [{"field_id": area, "values": [{"value": at}]}]})
    account.update_lead(ids[5], {"custom_fields_values": [{"field_id": choice, "values": [{"enum_id": green}]}]})
    field = f"filter[custom_fields_values][{area}]"
    assert _found(client, f"{field}[]=1&{field}[]=3") == {ids[1], ids[3]}
    assert _found(client, f"{field}[from]=1&{field}[to]=2") == {ids[1], ids[2]}
    assert _found(client, f"filter[custom_fields_values][{choice}]={green}") == {ids[5]}
    assert _found(client, f"filter[custom_fields_values][{choice}]=green") == {ids[5]}


def test_a_query_looks_into_all_that_is_filled(client: Client, account: Account) -> None:
    contact = account.add_contact(
        {"name": "Ida Test", "custom_fields_values": [{"field_code": "PHONE", "values": [{"value": "+447700900999"}]}]}
    )
    assert client.ids("contacts?query=7700900999") == [contact]
    lead = account.add_lead({"name": "Only Once Upon A Time"})
    assert client.ids("leads?query=once+upon") == client.ids(f"leads?query={lead}") == [lead]


def test_unknown_and_malformed_filters_are_ignored(client: Client) -> None:
    assert len(_found(client, "filter[colour]=red&filter=all&filter[id][]=x&filter[created_by]=nobody")) == 180


def test_an_account_whose_filters_are_off_answers_everything(client: Client, account: Account) -> None:
    account.switches.filter_enabled = False
    assert client.get("account?with=is_api_filter_enabled")["is_api_filter_enabled"] is False
    assert len(_found(client, "filter[updated_at][from]=1795219200&filter[id]=1")) == 180
    assert len(client.ids("contacts?limit=250&filter[updated_at][from]=1795219200")) == len(account.contacts())
