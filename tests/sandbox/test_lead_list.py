"""``crm.lead.list``: select, filter, order, start (reference: bitrix24 section 5)."""

from __future__ import annotations

from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Clock, Portal
    from sandbox.conftest import Client

EVERYTHING = ["*", "UF_*", "PHONE", "EMAIL", "WEB", "IM", "LINK"]
MULTIFIELDS = {"PHONE", "EMAIL", "WEB", "IM", "LINK"}


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["ID"]) for row in rows]


def listed(client: Client, wanted: Any) -> list[int]:
    return ids(client.result("crm.lead.list", {"filter": wanted, "order": {"ID": "ASC"}, "select": ["ID"]}))


def test_masks_of_select(client: Client, portal: Portal) -> None:
    truth = portal.leads()[:50]
    base = {"order": {"ID": "ASC"}}
    assert client.result("crm.lead.list", base | {"select": EVERYTHING}) == truth
    plain = client.result("crm.lead.list", base)
    assert plain == client.result("crm.lead.list", base | {"select": ["*"]})
    assert len(plain[0]) == 51
    custom = client.result("crm.lead.list", base | {"select": ["UF_*"]})
    assert list(custom[0]) == ["ID", *(name for name in truth[0] if name.startswith("UF_"))]
    phones = client.result("crm.lead.list", base | {"select": ["PHONE", "phone", "NO_SUCH"]})
    assert phones == [{k: v for k, v in lead.items() if k in {"ID", "PHONE"}} for lead in truth]
    assert any("PHONE" not in row for row in phones)
    assert client.result("crm.lead.list", base | {"select": ["ID", "DATE_MODIFY"]})[3] == {
        "ID": truth[3]["ID"], "DATE_MODIFY": truth[3]["DATE_MODIFY"],
    }  # fmt: skip


def test_the_page_example(client: Client, portal: Portal) -> None:
    for _ in range(60):
        portal.add_lead({"OPPORTUNITY": 15000, "STATUS_ID": "CONVERTED"})
    params = {"select": ["*", "UF_*"], "start": 50, "filter": {"=OPPORTUNITY": 15000}, "order": {"STATUS_ID": "ASC"}}
    status, answer = client.post("crm.lead.list", params)
    assert status == 200
    assert list(answer) == ["result", "total", "time"]
    assert answer["total"] == 60
    assert len(answer["result"]) == 10
    row = answer["result"][0]
    assert (row["OPPORTUNITY"], row["STATUS_SEMANTIC_ID"], row["COMPANY_ID"]) == ("15000.00", "S", "0")
    assert row["DATE_CLOSED"] == "2026-11-21T12:00:00+03:00"
    assert row["UF_CRM_1704817278"] is None
    assert row["UF_CRM_1708952993785"] is False


def test_pages_by_start(client: Client, portal: Portal) -> None:
    truth = ids(portal.leads())
    seen: list[int] = []
    start: int | None = 0
    while start is not None:
        _, answer = client.post("crm.lead.list", {"start": start, "order": {"ID": "ASC"}, "select": ["ID"]})
        assert answer["total"] == 180
        seen += ids(answer["result"])
        start = answer.get("next")
    assert seen == truth
    rounded = client.post("crm.lead.list", {"start": 99, "order": {"ID": "ASC"}})[1]
    assert (ids(rounded["result"]), rounded["next"]) == (truth[50:100], 100)
    past = client.post("crm.lead.list", {"start": 5000, "order": {"ID": "ASC"}})[1]
    assert (ids(past["result"]), past["next"]) == (truth[:50], 50)
    uncounted = client.post("crm.lead.list", {"start": -1, "order": {"ID": "DESC"}})[1]
    assert (ids(uncounted["result"]), uncounted["total"]) == (truth[:-51:-1], 0)
    assert "next" not in uncounted


def test_counting_can_be_capped(client: Client, portal: Portal) -> None:
    portal.quirks.total_cap = 70
    answer = client.post("crm.lead.list", {"start": 50, "order": {"ID": "ASC"}})[1]
    assert (answer["total"], len(answer["result"])) == (70, 20)
    assert "next" not in answer


@pytest.mark.parametrize("operator", ["", "=", "!", "!=", ">", ">=", "<", "<="])
def test_comparisons_of_ids_and_amounts(client: Client, portal: Portal, operator: str) -> None:
    compare = {"": eq, "=": eq, "!": ne, "!=": ne, ">": gt, ">=": ge, "<": lt, "<=": le}[operator]
    leads = portal.leads()
    pivot = leads[90]
    expected = [int(lead["ID"]) for lead in leads if compare(int(lead["ID"]), int(pivot["ID"]))]
    assert listed(client, {f"{operator}ID": pivot["ID"]}) == expected[:50]
    amount = float(pivot["OPPORTUNITY"])
    expected = [int(lead["ID"]) for lead in leads if compare(float(lead["OPPORTUNITY"]), amount)]
    assert listed(client, {f"{operator}OPPORTUNITY": pivot["OPPORTUNITY"]}) == expected[:50]


def test_lists_masks_and_emptiness(client: Client, portal: Portal) -> None:
    a = portal.add_lead({"TITLE": "100% Обмен Ёлок", "COMMENTS": "", "SOURCE_ID": "CALL"})
    b = portal.add_lead({"TITLE": "обмен ёлок", "POST": "инженер"})
    c = portal.add_lead({"TITLE": "Third", "STATUS_ID": "JUNK", "UF_CRM_1708952993785": "1"})
    mine = {">=ID": a}
    assert listed(client, {"@ID": [a, c, 10**9]}) == [a, c]
    assert listed(client, {"ID": [a, c]}) == [a, c]
    assert listed(client, {**mine, "!@ID": [a]}) == [b, c]
    assert listed(client, {**mine, "@STATUS_ID": ["JUNK", "CONVERTED"]}) == [c]
    assert listed(client, {**mine, "!STATUS_ID": ["JUNK"]}) == [a, b]
    assert listed(client, {**mine, "%TITLE": "обмен Ё"}) == [a, b]
    assert listed(client, {**mine, "!%TITLE": "обмен"}) == [c]
    assert listed(client, {**mine, "=%TITLE": "обмен%"}) == [b]
    assert listed(client, {**mine, "%=TITLE": "%ок"}) == [a, b]
    assert listed(client, {**mine, "!=%TITLE": "обмен%"}) == [a, c]
    assert listed(client, {**mine, "COMMENTS": ""}) == [a, b, c]
    assert listed(client, {**mine, "POST": "^%^"}) == [b]
    assert listed(client, {**mine, "POST": "^&^"}) == [a, c]
    assert listed(client, {**mine, "!SOURCE_ID": "CALL"}) == [b, c]
    assert listed(client, {**mine, "CONTACT_ID": 0}) == [a, b, c]
    assert listed(client, {**mine, "UF_CRM_1708952993785": 1}) == [c]
    assert listed(client, {**mine, "UF_CRM_1708952993785": 0}) == [a, b]
    assert listed(client, {**mine, "%STATUS_ID": "JUN"}) == []


def test_unknown_keys_bring_the_whole_table(client: Client) -> None:
    for wanted in ({">id": 100}, {"&gt;ID": 100}, {"NO_SUCH": 1}, {">PHONE": "1"}):
        assert client.post("crm.lead.list", {"filter": wanted})[1]["total"] == 180
    status, answer = client.post("crm.lead.list", {"filter": "ID=5"})
    assert (status, answer) == (400, {"error": "", "error_description": "Parameter 'filter' must be array."})


def test_datetimes_in_filters(client: Client, portal: Portal, clock: Clock) -> None:
    a = portal.add_lead()
    clock.advance(1)
    b = portal.add_lead()
    for text in ("2026-11-21T12:00:01+03:00", "2026-11-21T09:00:01Z", "2026-11-21T12:00:01", "2026-11-21 12:00:01.9",
                 "2026-11-21T14:30:01+05:30", "21.11.2026 12:00:01"):  # fmt: skip
        assert listed(client, {">=DATE_MODIFY": text}) == [b], text
        assert listed(client, {"<DATE_MODIFY": text, ">=ID": a}) == [a], text
        assert listed(client, {"DATE_MODIFY": text}) == [b], text
        assert listed(client, {">DATE_MODIFY": text}) == [], text
        assert listed(client, {">=DATE_CREATE": text}) == [b], text
    for text in ("2026-11-21T12:00:01 03:00", "yesterday-ish", "0000-00-00", ""):
        assert listed(client, {">=DATE_MODIFY": text}) == [], text


def test_order(client: Client, portal: Portal) -> None:
    truth = portal.leads()
    by_date = sorted(truth, key=lambda lead: (lead["DATE_MODIFY"], int(lead["ID"])))
    rows = client.result("crm.lead.list", {"order": {"DATE_MODIFY": "asc", "ID": "ASC"}, "select": ["ID"]})
    assert ids(rows) == ids(by_date)[:50]
    down = client.result("crm.lead.list", {"order": {"ID": "sideways"}, "select": ["ID"]})
    assert ids(down) == ids(truth)[:-51:-1]
    assert client.result("crm.lead.list", {"order": {"NO_SUCH": "ASC"}, "select": ["ID"]}) == [
        {"ID": lead["ID"]} for lead in truth[:50]
    ]
    stages = {row["STATUS_ID"]: int(row["SORT"]) for row in portal.statuses() if row["ENTITY_ID"] == "STATUS"}
    rows = client.result("crm.lead.list", {"order": {"STATUS_ID": "DESC", "ID": "ASC"}, "select": ["STATUS_ID"]})
    ranks = [stages[row["STATUS_ID"]] for row in rows]
    assert ranks == sorted(ranks, reverse=True)


def test_spellings_of_parameters(client: Client, portal: Portal) -> None:
    wanted = {"@ID": portal.store.ids[:3]}
    for name in ("filter", "FILTER", "Filter", "arFilter"):
        assert client.post("crm.lead.list", {name: wanted})[1]["total"] == 3


def test_hidden_leads_are_left_out(client: Client, portal: Portal) -> None:
    hidden = portal.store.ids[10:20]
    portal.hide_lead(*hidden)
    portal.update_lead(hidden[0], {"TITLE": "out of sight"})
    answer = client.post("crm.lead.list", {"order": {"ID": "ASC"}})[1]
    assert answer["total"] == 170
    assert not set(hidden) & set(ids(answer["result"]))
    portal.reveal_lead(*hidden)
    assert client.post("crm.lead.list")[1]["total"] == 180


def test_encodings_by_quirk(client: Client, portal: Portal) -> None:
    fields = {"UF_CRM_1708952993785": True, "UF_CRM_1730000000002": "2026-02-03", "UF_CRM_SIZES": [4, 5]}
    id_ = portal.add_lead(fields)
    plain = portal.add_lead()
    portal.quirks.boolean_uf = "digits"
    portal.quirks.empty_multiple = "list"
    portal.quirks.integers_as_numbers = True
    portal.quirks.short_offsets = True
    odd = client.result("crm.lead.get", {"id": id_})
    assert (odd["ID"], odd["UF_CRM_1708952993785"], odd["UF_CRM_SIZES"]) == (id_, "1", [4, 5])
    assert (odd["DATE_MODIFY"], odd["UF_CRM_1730000000002"]) == ("2026-11-21T12:00:00+0300", "2026-02-03T03:00:00+0300")
    empty = client.result("crm.lead.get", {"id": plain})
    assert (empty["UF_CRM_1708952993785"], empty["UF_CRM_SIZES"], empty["CONTACT_ID"]) == ("0", [], None)
