"""The ten questions of docs/questions.md are answered as the portal's own data says, in DuckDB and in Postgres."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import pytest

import documents
import oracle
from contents import Row, query
from kommo_scene import KommoScene
from leadhouse.sandbox import kommo
from leadhouse.sandbox.bitrix24 import Portal, serve
from leadhouse.sandbox.kommo import Account
from portrait import Portrait
from scene import Scene

_TEXT = documents.read("docs/questions.md")
QUESTIONS = documents.runnable(_TEXT)


@pytest.fixture
def asked(portal: Portal, to: str) -> Iterator[Scene]:
    """A portal on which life happened, duplicates and other messengers included, and the warehouse that follows it."""
    ids = [int(lead["ID"]) for lead in portal.leads()]
    for lead_id, number in zip(ids[:3], ("+44 20 7946 0123", "+442079460123", "0044 (20) 7946-0123"), strict=True):
        portal.update_lead(lead_id, {"PHONE": [{"VALUE": number, "VALUE_TYPE": "WORK"}]})
    for lead_id in ids[3:6]:
        portal.update_lead(lead_id, {"IM": [{"VALUE": f"imol|telegrambot|2|{lead_id}|7", "VALUE_TYPE": "OPENLINE"}]})
    portal.update_lead(ids[6], {"STATUS_ID": "CONVERTED"})
    portal.clock.advance(13 * 3600)
    with serve(portal) as served:
        scene = Scene(portal, served.url, to)
        scene.sync()
        scene.later()
        portal.live(create=3, edit=4, stage=5, seed=2)
        scene.later()
        scene.sync()
        yield scene


def _month(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


def _conversion(told: Portrait, rows: list[Row]) -> None:
    leads, won = Counter[Any](), Counter[Any]()
    for lead in told.leads.values():
        key = _month(lead["date_create"]), told.sources.get(lead["source_id"], lead["source_id"])
        leads[key] += 1
        won[key] += lead["status_semantic_id"] == "S"
    assert {(row["month"], row["source"]): (int(row["leads"]), int(row["won"])) for row in rows} == {
        key: (count, won[key]) for key, count in leads.items()
    }
    for row in rows:
        assert float(row["percent"]) == pytest.approx(100 * int(row["won"]) / int(row["leads"]))


def _first_move(told: Portrait, rows: list[Row]) -> None:
    waits: dict[str, list[float]] = defaultdict(list)
    leads = Counter[str]()
    for entries in told.history().values():
        stage = told.stages[entries[0]["status_id"]]
        leads[stage] += 1
        if len(entries) > 1:
            waits[stage].append((entries[1]["created_time"] - entries[0]["created_time"]) / timedelta(hours=1))
    assert {row["first_stage"]: (row["leads"], row["moved"]) for row in rows} == {
        stage: (count, len(waits[stage])) for stage, count in leads.items()
    }
    for row in rows:
        hours = waits[row["first_stage"]]
        assert row["median_hours"] == (pytest.approx(median(hours)) if hours else None)
        assert row["longest_hours"] == (pytest.approx(max(hours)) if hours else None)


def _without_contact(told: Portrait, rows: list[Row]) -> None:
    bare = [number for number, lead in told.raw.items() if not any(lead.get(kind) for kind in ("PHONE", "EMAIL", "IM"))]
    by_user = Counter(told.user(told.leads[number]["assigned_by_id"]) for number in bare)
    still_open = Counter(
        told.user(told.leads[number]["assigned_by_id"]) for number in bare if told.kind(number) == "open"
    )
    assert bare
    assert {row["responsible"]: (row["leads"], row["open"]) for row in rows} == {
        user: (count, still_open[user]) for user, count in by_user.items()
    }


def _duplicates(told: Portrait, rows: list[Row]) -> None:
    leads, spellings = defaultdict(set), defaultdict(set)
    for row in told.tables["lead_phones"].values():
        if row["e164"]:
            leads[row["e164"]].add(row["lead_id"])
            spellings[row["e164"]].add(row["value"])
    assert len(leads["+442079460123"]) == 3
    assert {row["e164"]: (row["leads"], row["spellings"], row["lead_ids"]) for row in rows} == {
        number: (len(ids), len(spellings[number]), sorted(ids)) for number, ids in leads.items() if len(ids) > 1
    }


def _open_lines(told: Portrait, rows: list[Row]) -> None:
    leads, won = Counter[str](), Counter[str]()
    for number, lead in told.raw.items():
        lines = [entry["VALUE"].split("|")[1] for entry in lead.get("IM", ()) if entry["VALUE"].startswith("imol|")]
        for line in lines[:1]:
            leads[line] += 1
            won[line] += told.kind(number) == "won"
    assert {"livechat", "telegrambot"} <= leads.keys()
    assert {row["open_line"]: (row["leads"], row["won"]) for row in rows} == {
        line: (count, won[line]) for line, count in leads.items()
    }


def _revenue(told: Portrait, rows: list[Row]) -> None:
    won = defaultdict(list)
    for number, lead in told.leads.items():
        if told.kind(number) == "won":
            won[lead["currency_id"]].append(lead["opportunity"])
    about = {row["CURRENCY"]: row for row in told.portal.currencies()}
    assert won
    assert {row["currency"]: (row["currency_name"], row["won"], row["revenue"]) for row in rows} == {
        code: (about[code]["FULL_NAME"], len(amounts), sum(amounts)) for code, amounts in won.items()
    }
    for row in rows:
        rate = float(about[row["currency"]]["AMOUNT"]) / int(about[row["currency"]]["AMOUNT_CNT"])
        assert row["in_base_currency"] == pytest.approx(float(row["revenue"]) * rate)


def _stale(told: Portrait, rows: list[Row]) -> None:
    limit = datetime.now(UTC) - timedelta(days=30)
    stale = [
        (lead["moved_time"], number)
        for number, lead in told.leads.items()
        if told.kind(number) == "open" and lead["moved_time"] < limit
    ]
    assert len(stale) > 100
    assert [(row["since"], row["id"]) for row in rows] == sorted(stale)[:100]
    for row in rows:
        lead = told.leads[row["id"]]
        assert row["responsible"] == told.user(lead["assigned_by_id"])
        assert (row["stage"], row["amount"]) == (told.stages[lead["status_id"]], lead["opportunity"])


def _last_night(told: Portrait, rows: list[Row]) -> None:
    began = told.portal.clock.second() - 12 * 3600
    happened = {}
    for number, lead in told.leads.items():
        if lead["date_modify"].timestamp() >= began:
            edited = "edited"
            if lead["moved_time"].timestamp() >= began:
                edited = f"moved to {told.stages[lead['status_id']]}"
            what = "created" if lead["date_create"].timestamp() >= began else edited
            happened[number] = (what, told.user(lead["modify_by_id"]), lead["date_modify"])
    kinds = {what.partition(" to ")[0] for what, _, _ in happened.values()}
    assert kinds == {"created", "moved", "edited"}
    found = {row["id"]: (row["what"], row["who"], row["at_time"]) for row in rows if row["what"] != "deleted"}
    assert found == happened


def _mix(told: Portrait, rows: list[Row]) -> None:
    mix: dict[str | None, list[Any]] = defaultdict(lambda: [0, 0, 0, None])
    for number in told.raw:
        row = mix[told.chosen(number, "UF_CRM_1704817278")]
        row[0] += 1
        row[1] += told.kind(number) == "won"
        row[2] += "Windows" in (told.chosen(number, "UF_CRM_1724077760") or ())
        amount, currency = (told.leads[number][f"uf_crm_budget{tail}"] for tail in ("", "_currency"))
        if currency == "RUB" and amount is not None:
            row[3] = (row[3] or Decimal(0)) + amount
    assert sum(row[2] for row in mix.values())
    assert {row["Segment"]: [row["leads"], row["won"], row["want_windows"], row["budget_rub"]] for row in rows} == mix


_CHECKS: dict[int, Callable[[Portrait, list[Row]], None]] = {
    1: _conversion, 2: _first_move, 3: _without_contact, 4: _duplicates, 5: _open_lines, 6: _revenue, 7: _stale,
    8: _last_night, 10: _mix,
}  # fmt: skip


def test_the_questions_are_answered_as_the_portal_would(asked: Scene) -> None:
    assert len(QUESTIONS) == 10
    told = Portrait(asked.portal)

    for number, check in _CHECKS.items():
        check(told, query(asked.to, QUESTIONS[number - 1].text.rstrip().rstrip(";")))


def test_deleted_leads_are_told_by_the_questions_about_them(asked: Scene) -> None:
    created = {
        int(lead["ID"]): oracle.expected(asked.portal)["leads"][int(lead["ID"]),] for lead in asked.portal.leads()
    }
    gone = asked.ids()[10:14]
    for lead_id in gone:
        asked.delete(lead_id)
    asked.later()
    asked.reconcile()

    night = query(asked.to, QUESTIONS[7].text.rstrip().rstrip(";"))
    assert sorted(row["id"] for row in night if row["what"] == "deleted") == gone
    leads = Counter(_month(lead["date_create"]) for lead in created.values())
    deleted = Counter(_month(created[number]["date_create"]) for number in gone)
    rate = query(asked.to, QUESTIONS[8].text.rstrip().rstrip(";"))
    assert {row["month"]: (row["leads"], row["deleted"]) for row in rate} == {
        month: (count, deleted[month]) for month, count in leads.items()
    }
    assert all(float(row["percent"]) == pytest.approx(100 * row["deleted"] / row["leads"]) for row in rate)


def test_an_account_of_kommo_is_asked_as_the_page_says(account: Account, to: str) -> None:
    (revenue,) = re.findall(r"`(SELECT [^`]+)`", _TEXT)
    one, three, nine = (QUESTIONS[number - 1].text.rstrip().rstrip(";") for number in (1, 3, 9))
    for lead in account.leads()[:2]:
        account.update_lead(lead["id"], {"status_id": 142})
    with kommo.serve(account) as served:
        scene = KommoScene(account, served.url, to)
        scene.sync()

    def answers(question: str) -> list[Row]:
        return query(to, question.replace("bitrix24.", "kommo.").replace("date_create", "created_at"))

    leads = account.leads()
    won = [lead["price"] for lead in leads if lead["status_id"] == 142]
    assert sum(row["leads"] for row in answers(one)) == len(leads)
    assert sum(row["won"] for row in answers(one)) == len(won) > 1
    without = scene.one("SELECT count(*) FROM kommo.data_quality WHERE problem = 'no contact'")
    assert sum(row["leads"] for row in answers(three)) == without > 0
    assert answers(" ".join(revenue.split())) == [{"currency": "GBP", "revenue": sum(won)}]
    assert sum(row["leads"] for row in answers(nine)) == len(leads)
