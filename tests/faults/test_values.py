"""Values that no well-kept portal holds, through a whole sync: each is in its column, or whole in `schema_drift`."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from leadhouse.sandbox.bitrix24 import Portal, serve
from scene import NOON, Scene, small_portal

_HUGE_ID = 2**53 + 1
_COMMENT = "Ω" * 5_000_000  # 10 MB
_CONTROLS = "".join(map(chr, range(1, 32))) + "\x7f\x85\u2028\ufeff"
_BROKEN = "👩‍👩‍👧‍👦 ❤️ 🇰🇿 e\u0301 \u202e \ufffd \U0010ffff"

# Raw JSON of a field, and what its column holds; None where the drift holds it.
_ODD: dict[str, tuple[bytes, str, Any]] = {
    "NAME": (b'"a\\u0000b"', "name", "a\0b"),
    "LAST_NAME": (b'"cut \\ud83d here"', "last_name", "cut \ufffd here"),
    "SECOND_NAME": (b'"\\udc00\\ud83d"', "second_name", "\ufffd\ufffd"),
    "BIRTHDATE": (b'"0000-00-00"', "birthdate", None),
    "DATE_CLOSED": (b'"0000-00-00T00:00:00+03:00"', "date_closed", None),
    "OPPORTUNITY": (b'"9999999999999.99"', "opportunity", Decimal("9999999999999.99")),
    "SOURCE_ID": (b'["WEB","CALL"]', "source_id", None),
    "ASSIGNED_BY_ID": (b"[7]", "assigned_by_id", 7),
    "CURRENCY_ID": (b"{}", "currency_id", None),
    "UF_CRM_SEATS": (b'"1e3"', "uf_crm_seats", 1000),
}
_MORE_MONEY = {"-0.01": Decimal("-0.01"), "1e3": Decimal("1000.00"), "-9999999999999.99": Decimal("-9999999999999.99")}
_DATES = ("0001-01-02", "9999-12-30")


def _odd_portal(item: bool) -> tuple[Portal, dict[str, int]]:
    """A portal of odd leads, and their ids by what is odd."""
    portal = small_portal(leads=5, seed=23)
    ids = {
        "comment": portal.add_lead({"COMMENTS": _COMMENT, "TITLE": _CONTROLS, "ADDRESS": _BROKEN, "POST": _BROKEN}),
        "phones": portal.add_lead({"PHONE": [{"VALUE": f"+7700{at:07}"} for at in range(3_000)]}),
        "odd": portal.add_lead({"TITLE": "odd", "CURRENCY_ID": "KZT"}),
        **{amount: portal.add_lead({"TITLE": amount}) for amount in _MORE_MONEY},
        **{day: portal.add_lead({"TITLE": day}) for day in _DATES},
        "huge": portal.add_lead({"TITLE": "beyond what a float counts", "PHONE": [{"VALUE": "+1"}]}, id=_HUGE_ID),
    }
    portal.distort_lead(ids["odd"], {name: raw for name, (raw, _, _) in _ODD.items()})
    for amount in _MORE_MONEY:
        portal.distort_lead(
            ids[amount], {"OPPORTUNITY": f"{'' if item else chr(34)}{amount}{'' if item else chr(34)}".encode()}
        )
    for day in _DATES:
        portal.distort_lead(
            ids[day], {"BIRTHDATE": b'"%s"' % day.encode(), "DATE_CLOSED": b'"%sT23:59:59+03:00"' % day.encode()}
        )
    return portal, ids


@pytest.mark.parametrize(("kind", "api"), [("duckdb", "lead"), ("postgres", "item")])
def test_no_odd_value_is_lost(tmp_path: Any, request: pytest.FixtureRequest, kind: str, api: str) -> None:
    portal, ids = _odd_portal(api == "item")
    to = request.getfixturevalue("postgres_url") if kind == "postgres" else f"duckdb:{tmp_path / 'leads.duckdb'}"
    with serve(portal) as served:
        scene = Scene(portal, served.url, to, api=api)
        summary = scene.later().sync()
        rows = {row["id"]: row for row in scene.rows("SELECT * FROM {leads}")}
        drift = {(row["lead_id"], row["field"]): row["value"] for row in scene.rows("SELECT * FROM {schema_drift}")}
        assert summary.leads_read == len(rows) == len(portal)
        assert rows[ids["comment"]]["comments"] == _COMMENT
        assert rows[ids["comment"]]["title"] == _CONTROLS
        assert rows[ids["comment"]]["post"] == _BROKEN
        odd = rows[ids["odd"]]
        for name, (raw, column, value) in _ODD.items():
            shown = value.replace("\0", "\u2400") if kind == "postgres" and isinstance(value, str) else value
            assert odd[column] == shown, name
            told = msgspec.json.decode(raw) if value is None else None
            text = told if isinstance(told, str) else msgspec.json.encode(told).decode()
            assert drift.get((ids["odd"], column)) == (text if told else None), name
        assert {amount: rows[ids[amount]]["opportunity"] for amount in _MORE_MONEY} == _MORE_MONEY
        assert [str(rows[ids[day]]["birthdate"]) for day in _DATES] == list(_DATES)
        seconds = scene.rows("SELECT id, CAST(extract(epoch FROM date_closed) AS BIGINT) AS s FROM {leads}")
        assert {row["id"]: row["s"] for row in seconds}[ids["9999-12-30"]] == 253402203599
        mine = f"lead_id = {ids['phones']}"
        phones = scene.rows(f"SELECT value, position FROM {{lead_phones}} WHERE {mine} ORDER BY position")  # noqa: S608
        assert [(row["value"], row["position"]) for row in phones] == [(f"+7700{at:07}", at) for at in range(3_000)]
        assert rows[_HUGE_ID]["title"] == "beyond what a float counts"
        assert scene.one(f"SELECT count(*) FROM {{lead_phones}} WHERE lead_id = {_HUGE_ID}") == 1  # noqa: S608
        verdict = scene.verify()
        assert (verdict.equal, verdict.compared) == (True, len(portal)), verdict.differences
        scene.later().portal.update_lead(_HUGE_ID, {"TITLE": "still found"})
        scene.sync()
        assert scene.lead(_HUGE_ID)["title"] == "still found"


_RESERVED = ("SELECT", "ORDER", "GROUP", "USER", "TABLE", "WHERE", "NULL", "END", "FROM", "LEFT")
_SERVICE = ("SYNCED_AT", "DELETED_AT", "OUT_OF_SIGHT_AT", "_FINGERPRINT", "id", "Id", "_DLT_ID", "LEADS")
_CUSTOM = 900


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
def test_no_field_is_lost_however_many_there_are_and_whatever_they_are_called(
    tmp_path: Any, request: pytest.FixtureRequest, kind: str
) -> None:
    portal = small_portal(leads=4, seed=29)
    for at in range(_CUSTOM):
        portal.add_userfield(f"UF_CRM_F{at}", "string")
    colliding = ("UF_CRM_TWIN", "UF_CRM_Twin", "UF_CRM_TWIN_", "UF_CRM__TWIN", "UF_CRM_TWIN_2", "UF_CRM_ЖЖ", "UF_CRM_Ж")
    for name in colliding:
        portal.add_userfield(name, "string")
    values = {name: f"value of {name}" for name in colliding}
    # A Postgres row holds eight kilobytes of short values.
    filled = {f"UF_CRM_F{at}": f"number {at}" for at in range(0, _CUSTOM, 3)}
    whole = portal.add_lead(values | filled)
    portal.distort_lead(whole, {name: b'"value of %s"' % name.encode() for name in (*_RESERVED, *_SERVICE)})
    values |= {name: f"value of {name}" for name in (*_RESERVED, *_SERVICE)}
    to = request.getfixturevalue("postgres_url") if kind == "postgres" else f"duckdb:{tmp_path / 'leads.duckdb'}"
    with serve(portal) as served:
        scene = Scene(portal, served.url, to)
        scene.sync()
        row = scene.lead(whole)
        assert sorted(str(value) for value in row.values() if str(value).startswith("value of")) == sorted(
            values.values()
        )
        assert {name: row[name.lower()] for name in filled} == filled
        assert sum(name.startswith("uf_crm_f") for name in row) == _CUSTOM
        assert (row["id"], row["deleted_at"], row["out_of_sight_at"]) == (whole, None, None)
        assert scene.verify().equal
        columns = {name: value for name, value in row.items() if str(value).startswith("value of")}
        scene.later().portal.update_lead(whole, {"UF_CRM_Twin": "a newer value"})
        scene.sync()
        newer = {name: value for name, value in scene.lead(whole).items() if name in columns}
        assert [newer[name] for name, value in columns.items() if value == "value of UF_CRM_Twin"] == ["a newer value"]
        assert sum(newer[name] == value for name, value in columns.items()) == len(values) - 1
        assert portal.iso(portal.clock.second()) > NOON
