"""Life on the portal, its clock, and the people it invents (reference: bitrix24 sections 6, 11 and 16.7)."""

from __future__ import annotations

import collections
import threading
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest

from leadhouse.sandbox.bitrix24 import Clock, Portal

if TYPE_CHECKING:
    from sandbox.conftest import Client


def script(text: str) -> set[str]:
    return {unicodedata.name(char, "?").split()[0] for char in text if char.isalpha()}


def test_the_same_seed_invents_the_same_portal(clock: Clock) -> None:
    one, two = Portal(leads=60, seed=5, clock=clock), Portal(leads=60, seed=5, clock=clock)
    assert one.leads() == two.leads()
    assert one.stage_history() == two.stage_history()
    assert Portal(leads=60, seed=6, clock=clock).leads() != one.leads()


def test_invented_leads_are_as_varied_as_real_ones(clock: Clock) -> None:
    leads = Portal(leads=3000, seed=2, clock=clock).leads()
    ids = [int(lead["ID"]) for lead in leads]
    assert ids == sorted(set(ids))
    assert ids[-1] > 3300
    assert all(lead["DATE_CREATE"] <= lead["MOVED_TIME"] <= lead["DATE_MODIFY"] for lead in leads)
    assert leads[0]["DATE_CREATE"] < "2024-11-25"
    assert all(lead["DATE_MODIFY"] <= "2026-11-21T03:00:00+03:00" for lead in leads)
    phones = [len(lead.get("PHONE", ())) for lead in leads]
    assert set(phones) == {0, 1, 2, 3}
    assert 0.9 < sum(phones) / len(phones) < 1.3
    assert {kind for lead in leads for kind in ("PHONE", "EMAIL", "WEB", "IM", "LINK") if kind in lead} >= {
        "IM",
        "WEB",
        "LINK",
    }
    assert any(not ({"PHONE", "EMAIL", "WEB", "IM", "LINK"} & lead.keys()) for lead in leads)
    seconds = collections.Counter(lead["DATE_CREATE"] for lead in leads)
    assert max(seconds.values()) > 1
    stages = {lead["STATUS_ID"]: lead for lead in leads}
    assert {"NEW", "JUNK", "CONVERTED", "IN_PROCESS"} <= stages.keys()
    assert stages["JUNK"]["DATE_CLOSED"]
    assert stages["JUNK"]["STATUS_SEMANTIC_ID"] == "F"
    assert {lead["COMPANY_ID"] for lead in leads} >= {"0", None}
    assert {lead["NAME"] == "" for lead in leads} == {True, False}
    names = "".join(f"{lead['NAME'] or ''}{lead['COMMENTS'] or ''}" for lead in leads)
    assert script(names) >= {
        "CYRILLIC",
        "LATIN",
        "GREEK",
        "ARABIC",
        "HEBREW",
        "CJK",
        "HIRAGANA",
        "DEVANAGARI",
        "GEORGIAN",
    }
    assert all(sign in names for sign in ('"', "\\", "\n", "🙂"))
    values = [entry["ID"] for lead in leads for kind in ("PHONE", "EMAIL", "IM") for entry in lead.get(kind, ())]
    assert len(values) == len(set(values))


def test_edits_stamp_the_whole_second_of_the_portal_clock(portal: Portal, clock: Clock) -> None:
    first, second = portal.store.ids[:2]
    clock.set("2026-11-21T12:00:05.900+03:00")
    assert portal.update_lead(first, {"TITLE": "a"})
    assert portal.lead(first)["DATE_MODIFY"] == "2026-11-21T12:00:05+03:00"
    before = portal.lead(second)
    portal.update_lead(second, {"TITLE": "unseen"}, touch=False)
    assert portal.lead(second) == before | {"TITLE": "unseen"}


def test_stage_changes_close_and_reopen(portal: Portal, clock: Clock) -> None:
    id_ = portal.add_lead()
    clock.advance(30)
    portal.update_lead(id_, {"STATUS_ID": "CONVERTED"}, by=5)
    lead = portal.lead(id_)
    assert (lead["STATUS_SEMANTIC_ID"], lead["MOVED_BY_ID"], lead["MODIFY_BY_ID"]) == ("S", "5", "5")
    assert lead["DATE_CLOSED"] == lead["MOVED_TIME"] == "2026-11-21T12:00:30+03:00"
    portal.update_lead(id_, {"STATUS_ID": "NEW"})
    assert portal.lead(id_)["DATE_CLOSED"] == ""
    portal.add_stage("UC_WAIT", "Waiting")
    portal.update_lead(id_, {"STATUS_ID": "UC_WAIT"})
    assert portal.lead(id_)["STATUS_ID"] == "UC_WAIT"


def test_restored_leads_have_a_new_id_and_old_dates(portal: Portal, clock: Clock) -> None:
    id_ = portal.store.ids[7]
    before = portal.lead(id_)
    clock.advance(3600)
    portal.delete_lead(id_)
    new = portal.restore_lead(id_)
    after = portal.lead(new)
    assert new > id_
    dates = ("DATE_CREATE", "DATE_MODIFY", "MOVED_TIME", "TITLE", "STATUS_ID")
    assert {name: after[name] for name in dates} == {name: before[name] for name in dates}
    with pytest.raises(KeyError):
        portal.lead(id_)


def test_imports_have_past_dates_and_storms_one_second(portal: Portal, clock: Clock) -> None:
    imported = portal.import_leads(3, "2025-06-01T00:00:00Z")
    assert {portal.lead(id_)["DATE_MODIFY"] for id_ in imported} == {"2025-06-01T03:00:00+03:00"}
    assert min(imported) > max(portal.store.ids[:-3])
    clock.advance(10)
    portal.storm(portal.store.ids, {"POST": "storm"})
    assert {lead["DATE_MODIFY"] for lead in portal.leads()} == {"2026-11-21T12:00:10+03:00"}


def test_live_tells_what_it_did(portal: Portal, clock: Clock) -> None:
    before = {int(lead["ID"]): lead for lead in portal.leads()}
    clock.advance(60)
    changes = portal.live(create=3, edit=4, delete=2, phone_add=2, phone_remove=2, stage=3, seed=9)
    after = {int(lead["ID"]): lead for lead in portal.leads()}
    assert after.keys() - before.keys() == set(changes.created)
    assert before.keys() - after.keys() == set(changes.deleted)
    changed = {id_ for id_ in before.keys() & after.keys() if before[id_] != after[id_]}
    assert changed == {*changes.edited, *changes.phone_added, *changes.phone_removed, *changes.stage_moved}
    assert [len(ids) for ids in (changes.edited, changes.phone_added, changes.phone_removed, changes.stage_moved)] == [
        4,
        2,
        2,
        3,
    ]
    for id_ in changes.phone_added:
        assert len(after[id_]["PHONE"]) == len(before[id_].get("PHONE", ())) + 1
    for id_ in changes.phone_removed:
        assert len(after[id_].get("PHONE", ())) == len(before[id_]["PHONE"]) - 1
    assert all(before[id_]["STATUS_ID"] != after[id_]["STATUS_ID"] for id_ in changes.stage_moved)


def test_the_offset_follows_daylight_saving(clock: Clock) -> None:
    clock.set("2026-03-29T00:59:59Z")
    portal = Portal(clock=clock, timezone="Europe/Berlin")
    winter = portal.add_lead({"UF_CRM_1730000000002": "2026-07-01", "BIRTHDATE": "1990-02-03"})
    clock.advance(1)
    summer = portal.add_lead()
    assert portal.lead(winter)["DATE_CREATE"] == "2026-03-29T01:59:59+01:00"
    assert portal.lead(winter)["UF_CRM_1730000000002"] == "2026-07-01T02:00:00+02:00"
    assert portal.lead(winter)["BIRTHDATE"] == "1990-02-03T01:00:00+01:00"
    assert portal.lead(summer)["DATE_CREATE"] == "2026-03-29T03:00:00+02:00"
    portal.set_timezone("Asia/Tokyo")
    assert portal.lead(winter)["DATE_CREATE"] == "2026-03-29T09:59:59+09:00"
    assert portal.lead(winter)["BIRTHDATE"] == "1990-02-03T09:00:00+09:00"


def test_a_running_clock_can_be_set_and_a_naive_time_is_refused() -> None:
    clock = Clock()
    clock.set("2030-01-01T00:00:00Z")
    assert clock.now().year == 2030
    clock.freeze()
    stopped = clock.timestamp()
    clock.advance(-5)
    assert clock.timestamp() == stopped - 5
    with pytest.raises(ValueError, match="offset"):
        clock.set("2030-01-01T00:00:00")


def test_distorted_values_reach_both_families(client: Client, portal: Portal) -> None:
    id_ = portal.store.ids[0]
    portal.distort_lead(id_, {"DATE_CLOSED": b"{}", "OPPORTUNITY": b'"1e3"', "COMMENTS": rb'"\ud800"'})
    raw = client.raw("crm.lead.list", json={"filter": {"ID": id_}, "select": ["*"]}).data
    assert b'"DATE_CLOSED":{}' in raw
    assert rb'"COMMENTS":"\ud800"' in raw
    raw = client.raw("crm.item.get", json={"entityTypeId": 1, "id": id_}).data
    assert b'"opportunity":"1e3"' in raw
    assert b'"dateClosed":{}' in raw


def test_large_ids_and_values(client: Client, portal: Portal) -> None:
    big = 2**53 + 1
    many = [{"VALUE": f"+44 7700 {900000 + number}"} for number in range(3000)]
    portal.add_lead({"COMMENTS": "ж" * 1_000_000, "PHONE": many}, id=big)
    lead = client.result("crm.lead.get", {"id": big})
    assert (lead["ID"], len(lead["COMMENTS"]), len(lead["PHONE"])) == (str(big), 1_000_000, 3000)


def test_life_from_another_thread_while_it_serves(client: Client, portal: Portal) -> None:
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            portal.live(create=1, edit=2, stage=1, seed=len(portal))

    worker = threading.Thread(target=busy)
    worker.start()
    answers: list[Any] = [client.post("crm.lead.list", {"select": ["*", "PHONE"]}) for _ in range(20)]
    stop.set()
    worker.join()
    assert all(status == 200 and len(answer["result"]) == 50 for status, answer in answers)
    assert len(portal.leads()) == len(portal)
