"""What the views of a dataset answer, compared with what the portal's own data says."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contents import Row
from kommo_scene import KommoScene
from portrait import Portrait
from scene import Scene


@pytest.fixture
def size() -> int:
    """How many leads a portal has."""
    return 80


def _in_order(scene: Scene, view: str) -> dict[int, Row]:
    return {row["lead_id"]: row for row in scene.rows(f"SELECT * FROM bitrix24.{view}")}  # noqa: S608


def test_contacts_come_in_the_portals_order(both_scene: Scene) -> None:
    portal = both_scene.portal
    portal.update_lead(
        1,
        {
            "PHONE": [{"VALUE": number, "VALUE_TYPE": "WORK"} for number in ("ask for Wanda", "+44 20 7946 0123")],
            "IM": [
                {"VALUE": "@wanda", "VALUE_TYPE": "TELEGRAM"},
                {"VALUE": "imol|viber|3|77|7", "VALUE_TYPE": "OPENLINE"},
            ],
        },
    )
    both_scene.sync()

    told, rows = Portrait(portal), _in_order(both_scene, "lead_contacts_flat")

    assert rows.keys() == told.leads.keys()
    for number, row in rows.items():
        phones, emails, ims = (told.values(name, number) for name in ("lead_phones", "lead_emails", "lead_ims"))
        assert row["phones"] == ([phone["value"] for phone in phones] or None)
        assert row["phones_e164"] == ([phone["e164"] for phone in phones] or None)
        assert row["emails"] == ([email["value"] for email in emails] or None)
        assert row["messengers"] == ([one["value"] for one in ims] or None)
        assert row["messenger_kinds"] == ([one["value_type"] for one in ims] or None)
        assert (row["phone"], row["email"]) == (
            phones[0]["value"] if phones else None,
            emails[0]["value"] if emails else None,
        )
        assert row["messenger_kind"] == (ims[0]["value_type"] if ims else None)
    assert rows[1]["open_line"] == (
        "livechat" if told.values("lead_ims", 1)[0]["value"].startswith("imol") else "viber"
    )


def test_stays_and_days_of_stages_are_those_of_the_history(both_scene: Scene) -> None:
    both_scene.sync()
    for hours in (3, 40):
        both_scene.later(hours).life(seed=hours, stage=30)
    both_scene.delete(both_scene.ids()[3])
    both_scene.sync(reconcile=True)

    told = Portrait(both_scene.portal)
    stays: dict[int, Any] = {}
    days: dict[Any, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for lead, entries in told.history().items():
        for number, entry in enumerate(entries):
            left = entries[number + 1]["created_time"] if number + 1 < len(entries) else None
            stays[entry["id"]] = (lead, told.stages[entry["status_id"]], number + 1, entry["created_time"], left)
        for day, stage in {(one["created_time"].astimezone(UTC).date(), one["status_id"]) for one in entries}:
            on_it = [
                one for one in entries if (one["created_time"].astimezone(UTC).date(), one["status_id"]) == (day, stage)
            ]
            counts = days[day, stage]
            counts[0] += 1
            counts[1] += any(one["type_id"] == 1 for one in on_it)
            counts[2] += on_it[0]["status_semantic_id"] == "S"
            counts[3] += on_it[0]["status_semantic_id"] == "F"
    rows = both_scene.rows("SELECT * FROM bitrix24.stage_durations")
    assert {
        row["entry_id"]: (row["lead_id"], row["stage"], row["number"], row["entered_at"], row["left_at"])
        for row in rows
    } == stays
    assert any(row["left_at"] for row in rows)
    for row in rows:
        hours_there = row["left_at"] and (row["left_at"] - row["entered_at"]) / timedelta(hours=1)
        assert row["hours"] == (None if hours_there is None else pytest.approx(hours_there))
    funnel = both_scene.rows("SELECT * FROM bitrix24.funnel_daily")
    names = ("entered", "created", "won", "lost")
    assert {(row["day"], row["stage_id"]): [row[name] for name in names] for row in funnel} == days
    assert all(sum(row[name] for row in funnel) for name in names)


def test_sources_are_counted_by_month_and_currency(scene: Scene) -> None:
    scene.sync()

    told = Portrait(scene.portal)
    counted: dict[Any, Row] = defaultdict(
        lambda: {"leads": 0, "won": 0, "lost": 0, "open": 0, "amount": None, "won_amount": None}
    )
    for number, lead in told.leads.items():
        row = counted[lead["date_create"].astimezone(UTC).date().replace(day=1), lead["source_id"], lead["currency_id"]]
        row["leads"] += 1
        row[told.kind(number)] += 1
        if lead["opportunity"] is not None:
            row["amount"] = (row["amount"] or 0) + lead["opportunity"]
            if told.kind(number) == "won":
                row["won_amount"] = (row["won_amount"] or 0) + lead["opportunity"]
    rows = scene.rows("SELECT * FROM bitrix24.lead_sources_monthly")
    assert {
        (row["month"], row["source_id"], row["currency"]): {
            name: row[name] for name in counted[row["month"], row["source_id"], row["currency"]]
        }
        for row in rows
    } == counted
    assert len(rows) == len(counted)
    assert all(row["conversion"] == pytest.approx(row["won"] / row["leads"]) for row in rows)
    assert {row["source"] for row in rows} == {told.sources.get(code, code) for _, code, _ in counted}


def test_a_sum_that_is_too_great_is_no_value_and_no_error(either_scene: Scene) -> None:
    ids = either_scene.ids()[:3]
    for lead_id, currency in zip(ids, ("USD", "USD", "EUR"), strict=True):
        changed = {"OPPORTUNITY": "9999999999999999.99", "CURRENCY_ID": currency, "STATUS_ID": "CONVERTED"}
        either_scene.portal.update_lead(lead_id, changed)
    either_scene.sync()
    together = "SET date_create = '2001-01-01T00:00:00Z', source_id = 'CALL'"
    either_scene.change(f"UPDATE {{leads}} {together} WHERE id IN {tuple(ids)}")

    told = either_scene.rows("SELECT * FROM bitrix24.lead_sources_monthly WHERE month = '2001-01-01' ORDER BY currency")

    most = Decimal("9999999999999999.99")
    assert [(row["currency"], row["leads"], row["amount"], row["won_amount"]) for row in told] == [
        ("EUR", 1, most, most),
        ("USD", 2, None, None),
    ]


def test_findings_on_the_data(both_scene: Scene) -> None:
    portal = both_scene.portal
    one, other, third, fourth = both_scene.ids()[:4]
    portal.update_lead(one, {"PHONE": [{"VALUE": "+44 20 7946 0123"}], "EMAIL": [{"VALUE": "Wanda@Example.com"}]})
    portal.update_lead(other, {"PHONE": [{"VALUE": "(+44) 2079460123"}], "EMAIL": [{"VALUE": "wanda@example.com"}]})
    portal.update_lead(third, {"ASSIGNED_BY_ID": "4711", "STATUS_ID": "UC_GONE", "SOURCE_ID": "NO_MORE"})
    bare = portal.add_lead({"TITLE": "nobody to call"}, date_create="2020-01-01T10:00:00+00:00")
    both_scene.sync()
    portal.delete_lead(fourth)
    both_scene.later().sync(reconcile=True)

    told = Portrait(portal)
    found: dict[str, dict[int, Row]] = defaultdict(dict)
    for row in both_scene.rows("SELECT * FROM bitrix24.data_quality"):
        assert row["lead_id"] not in found[row["problem"]]
        found[row["problem"]][row["lead_id"]] = row
    phones, emails = defaultdict(set), defaultdict(set)
    unreadable = Counter[int]()
    for row in told.tables["lead_phones"].values():
        if row["e164"]:
            phones[row["e164"]].add(row["lead_id"])
        else:
            unreadable[row["lead_id"]] += 1
    for row in told.tables["lead_emails"].values():
        emails[row["value"].strip().lower()].add(row["lead_id"])
    assert found["duplicate phone"].keys() == {lead for leads in phones.values() if len(leads) > 1 for lead in leads}
    assert found["duplicate e-mail"].keys() == {lead for leads in emails.values() if len(leads) > 1 for lead in leads}
    assert found["duplicate e-mail"][other]["detail"] == f"in 2 leads, the first is {one}"
    assert {lead: int(row["detail"].split()[0]) for lead, row in found["unreadable phone"].items()} == unreadable
    assert found["no contact"].keys() == {
        lead for lead, raw in told.raw.items() if not any(raw.get(kind) for kind in ("PHONE", "EMAIL", "IM"))
    }
    assert found["no contact"][bare]["detail"] == "no phone, e-mail or messenger"
    limit = datetime.now(UTC) - timedelta(days=30)
    assert {lead: row["since"] for lead, row in found["stale stage"].items()} == {
        lead: row["moved_time"]
        for lead, row in told.leads.items()
        if told.kind(lead) == "open" and row["moved_time"] < limit
    }
    known = {int(user["ID"]) for user in portal.users()}
    assert third in found["unknown user"]
    assert found["unknown user"].keys() == {
        lead for lead, row in told.leads.items() if row["assigned_by_id"] not in known
    }
    assert found["unknown stage"].keys() == {
        lead for lead, row in told.leads.items() if row["status_id"] not in told.stages
    }
    assert found["unknown source"].keys() == {
        lead for lead, row in told.leads.items() if row["source_id"] and row["source_id"] not in told.sources
    }
    values = {row["value"] for name in ("lead_phones", "lead_emails") for row in told.tables[name].values()}
    details = " ".join(row["detail"] for rows in found.values() for row in rows.values())
    assert not [value for value in values if value in details]


def test_findings_need_the_dictionaries(scene: Scene) -> None:
    scene.sync()
    scene.change("DELETE FROM {users}")

    assert scene.one("SELECT count(*) FROM bitrix24.data_quality WHERE problem = 'unknown user'") == 0


def _contacts(scene: KommoScene) -> dict[int, dict[str, list[str]]]:
    """Return what each contact has, by kind."""
    found = {}
    for contact in scene.portal.contacts():
        told: dict[str, list[str]] = {"PHONE": [], "EMAIL": [], "IM": []}
        for field in contact["custom_fields_values"] or ():
            if field["field_code"] in told:
                told[field["field_code"]].extend(str(value["value"]) for value in field["values"])
        found[contact["id"]] = told
    return found


def test_contacts_of_an_account_come_the_main_one_first(kommo_scene: KommoScene) -> None:
    kommo_scene.sync()

    contacts, rows = _contacts(kommo_scene), {}
    for row in kommo_scene.rows("SELECT * FROM kommo.lead_contacts_flat"):
        rows[row["lead_id"]] = row
    several = 0
    for lead in kommo_scene.portal.leads():
        links = sorted(lead["_embedded"]["contacts"], key=lambda link: not link["is_main"])
        several += len(links) > 1
        row = rows.pop(lead["id"])
        assert row["contact_id"] == (links[0]["id"] if links else None)
        for kind, column in (("PHONE", "phones"), ("EMAIL", "emails"), ("IM", "messengers")):
            values = [value for link in links for value in contacts[link["id"]][kind]]
            assert row[column] == (values or None)
            assert row[column.removesuffix("s")] == (values[0] if values else None)
    assert (rows, several > 0) == ({}, True)
    without = {
        row["lead_id"] for row in kommo_scene.rows("SELECT * FROM kommo.data_quality") if row["problem"] == "no contact"
    }
    assert without == {
        lead["id"]
        for lead in kommo_scene.portal.leads()
        if not any(values for link in lead["_embedded"]["contacts"] for values in contacts[link["id"]].values())
    }


def test_sources_of_an_account_are_counted_by_month(kommo_scene: KommoScene) -> None:
    kommo_scene.sync()

    kinds = {142: "won", 143: "lost"}
    counted: dict[Any, Counter[str]] = defaultdict(Counter)
    for lead in kommo_scene.portal.leads():
        month = datetime.fromtimestamp(lead["created_at"], UTC).date().replace(day=1)
        counted[month].update(("leads", kinds.get(lead["status_id"], "open")))
    rows = kommo_scene.rows(
        "SELECT month, sum(leads) AS leads, sum(won) AS won, sum(lost) AS lost, sum(open) AS open "
        "FROM kommo.lead_sources_monthly GROUP BY month"
    )
    assert {row["month"]: {name: int(row[name]) for name in ("leads", "won", "lost", "open")} for row in rows} == {
        month: {name: counts[name] for name in ("leads", "won", "lost", "open")} for month, counts in counted.items()
    }
