"""``batch``: encodings, references and their traps (reference: bitrix24 section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from leadhouse.sandbox.bitrix24 import Portal
    from sandbox.conftest import Client

MEMBERS = ["result", "result_error", "result_total", "result_next", "result_time"]


def chain(pages: int, after: int = 0, extra: str = "") -> dict[str, str]:
    """Return commands that walk the leads by id, each from the last id of the one before."""
    commands = {}
    for page in range(pages):
        last = after if page == 0 else f"$result[p{page - 1}][49][ID]"
        commands[f"p{page}"] = f"crm.lead.list?order[ID]=ASC&filter[%3EID]={last}&select[]=ID&start=-1{extra}"
    return commands


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return [int(row["ID"]) for row in rows]


def test_a_chain_walks_the_table_and_then_starts_again(client: Client, portal: Portal) -> None:
    truth = ids(portal.leads())
    answer = client.batch(chain(6), halt=1)
    assert list(answer) == MEMBERS
    pages = [ids(answer["result"][f"p{page}"]) for page in range(6)]
    assert pages[0] + pages[1] + pages[2] + pages[3] == truth
    # 180 leads: p3 has 30 rows, so [49] of it leads nowhere, the array is cast to 1, and p4 is the beginning again.
    assert pages[4] == [id_ for id_ in truth if id_ > 1][:50]
    assert answer["result_total"] == dict.fromkeys(answer["result"], 0)
    assert answer["result_next"] == []
    assert answer["result_error"] == []
    assert set(answer["result_time"]["p0"]) >= {"start", "finish", "duration", "processing"}


def test_a_chain_can_end_in_empty_pages(client: Client, portal: Portal) -> None:
    portal.quirks.array_cast = False
    answer = client.batch(chain(6))
    assert [len(answer["result"][f"p{page}"]) for page in range(6)] == [50, 50, 50, 30, 0, 0]


def test_a_chain_of_items_fails_behind_its_end(client: Client, portal: Portal) -> None:
    commands = {}
    for page in range(5):
        last = 0 if page == 0 else f"$result[p{page - 1}][items][49][id]"
        commands[f"p{page}"] = f"crm.item.list?entityTypeId=1&order[id]=ASC&filter[%3Eid]={last}&select[]=id&start=-1"
    answer = client.batch(commands)
    assert [row["id"] for page in answer["result"].values() for row in page["items"]] == ids(portal.leads())
    refusal = {"error": "INVALID_ARG_VALUE", "error_description": "Invalid filter: field 'id' has invalid value"}
    assert answer["result_error"] == {"p4": refusal}
    assert answer["result_total"] == []


def test_members_are_lists_for_keys_in_order_and_empty_ones_always(client: Client, portal: Portal) -> None:
    answer = client.batch(["server.time", "crm.lead.list"])
    assert isinstance(answer["result"], list)
    assert isinstance(answer["result_time"], list)
    assert answer["result_total"] == {"1": 180}
    assert answer["result_next"] == {"1": 50}
    assert answer["result_error"] == []
    assert isinstance(client.batch({"0": "server.time", "1": "server.time"})["result"], list)
    assert isinstance(client.batch({"1": "server.time", "0": "server.time"})["result"], dict)
    portal.quirks.batch_lists = False
    answer = client.batch(["server.time", "server.time"])
    assert list(answer["result"]) == ["0", "1"]
    assert answer["result_error"] == []
    assert client.batch({}) == {name: [] for name in MEMBERS}


def test_no_more_than_fifty_commands(client: Client) -> None:
    answer = client.batch({f"c{number}": "server.time" for number in range(52)})
    assert len(answer["result"]) == 50
    assert answer["result_error"] == {
        key: {"error": "ERROR_BATCH_LENGTH_EXCEEDED", "error_description": "Max batch length exceeded"}
        for key in ("c50", "c51")
    }


def test_nested_batches_are_refused_and_halt_stops(client: Client) -> None:
    commands = {"a": "server.time", "b": "batch?cmd[x]=server.time", "c": "server.time"}
    answer = client.batch(commands)
    assert list(answer["result"]) == ["a", "c"]
    assert answer["result_error"]["b"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    halted = client.batch(commands, halt=1)
    assert list(halted["result"]) == ["a"]
    assert "c" not in halted["result_time"]
    text = client.result("batch", {"halt": "false", "cmd": commands})
    assert list(text["result"]) == ["a"]


def test_commands_are_url_decoded(client: Client, portal: Portal) -> None:
    id_ = portal.add_lead({"TITLE": "A & B + 100% #1"})
    good = f"crm.lead.list?filter[TITLE]={quote('A & B + 100% #1', safe='')}&select[]=ID"
    raw_plus = "crm.lead.list?filter[%3E%3DDATE_MODIFY]=2026-11-21T12:00:00+03:00"
    safe_plus = "crm.lead.list?filter[%3E%3DDATE_MODIFY]=2026-11-21T12:00:00%2B03:00&select[]=ID"
    answer = client.batch({"good": good, "raw": raw_plus, "safe": safe_plus})
    assert answer["result"] == {"good": [{"ID": str(id_)}], "raw": [], "safe": [{"ID": str(id_)}]}


def test_a_form_encoded_batch_is_encoded_twice(client: Client, portal: Portal) -> None:
    id_ = portal.add_lead({"TITLE": "Ёлка & Co"})
    command = f"crm.lead.list?filter[TITLE]={quote('Ёлка & Co', safe='')}&select[]=ID"
    body = f"halt=0&cmd[p0]={quote(command, safe='')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.raw("batch", body=body, headers=headers).json()
    assert answer["result"]["result"] == {"p0": [{"ID": str(id_)}]}


def test_references_reach_values_totals_and_arrays(client: Client, portal: Portal) -> None:
    answer = client.batch(
        {
            "add": "crm.lead.add?fields[TITLE]=one",
            "get": "crm.lead.get?id=$result[add]",
            "again": "crm.lead.list?filter[TITLE]=$result[get][TITLE]&select[]=TITLE",
            "copy": "crm.lead.add?fields[TITLE]=$result[again][0][TITLE]&fields[COMMENTS]=$total[again]",
            "user": "user.get?ID=$result[get][ASSIGNED_BY_ID]",
        }
    )
    assert answer["result_error"] == []
    copy = portal.lead(answer["result"]["copy"])
    assert (copy["TITLE"], copy["COMMENTS"]) == ("one", "1")
    assert answer["result"]["user"][0]["ID"] == "1"


def test_life_between_two_pages(client: Client, portal: Portal) -> None:
    behind, ahead = portal.store.ids[10], portal.store.ids[120]
    seen: list[str] = []

    def hook(method: str, params: dict[str, Any], hooked: Portal) -> None:
        seen.append(method)
        if len(seen) == 3:
            assert params["filter"][">ID"] == str(hooked.store.ids[49])
            hooked.delete_lead(behind)
            hooked.update_lead(ahead, {"TITLE": "changed ahead"})
            hooked.storm(hooked.store.ids[20:60], {"POST": "storm"})

    portal.before_command.append(hook)
    before = ids(portal.leads())
    answer = client.batch(chain(4, extra="&select[]=TITLE"))
    assert seen == ["batch", *["crm.lead.list"] * 4]
    rows = {int(row["ID"]): row["TITLE"] for page in answer["result"].values() for row in page}
    assert list(rows) == before
    assert rows[ahead] == "changed ahead"
    assert len({lead["DATE_MODIFY"] for lead in portal.leads() if lead["POST"] == "storm"}) == 1
