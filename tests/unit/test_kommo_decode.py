"""Rows of a Kommo account become typed tables; whatever an account sends, nothing is lost."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.columns import Kind
from leadhouse.errors import PortalFaultError
from leadhouse.kommo.entity import COMPANIES, CONTACTS, LEADS, Entity
from leadhouse.kommo.pages import Pages
from unit.fuzz import QUICK

Row = dict[str, Any]
AT = 1_795_000_000
BASE: Row = {"id": 17, "name": "Window order", "price": 1250, "updated_at": AT, "created_at": AT - 60}


def page(rows: Sequence[Row], path: str = "leads", **links: Any) -> bytes:
    """Return a list's answer."""
    return json.dumps({"_page": 1, "_links": links, "_embedded": {path: rows}}).encode()


def decoded(
    *rows: Row, entity: Entity = LEADS, zone: tzinfo = UTC, region: str | None = None, stored: Any = None
) -> tuple[dict[str, list[Row]], int]:
    """Return rows as tables of plain rows, and the count of misfits."""
    pages = Pages(entity, "acme.example.com", zone=zone, region=region, stored=stored or {})
    tables, misfits = pages.decode(pages.page(page(rows, entity.path)).rows)
    pages.close()
    return {name: table.to_pylist() for name, table in tables.items()}, misfits


def field(kind: str, *values: Any, field_id: int = 7, code: str | None = None, name: str = "City") -> Row:
    """Return a custom field as the account sends it."""
    return {"field_id": field_id, "field_name": name, "field_code": code, "field_type": kind, "values": list(values)}


def values(*fields: Row, zone: tzinfo = UTC) -> list[Any]:
    """Return the values that custom fields become."""
    tables, _ = decoded(BASE | {"custom_fields_values": list(fields)}, zone=zone)
    return [row["value"] for row in tables.get("lead_custom_values", [])]


def test_unix_seconds_become_times_and_prices_decimals() -> None:
    row = BASE | {"price_with_minor_units": 1250.5, "closed_at": None, "labor_cost": 3600, "score": 3}
    tables, misfits = decoded(row)
    (lead,) = tables["leads"]
    assert lead["updated_at"] == datetime.fromtimestamp(AT, UTC)
    assert (lead["price"], lead["price_with_minor_units"]) == (Decimal("1250.00"), Decimal("1250.50"))
    assert (lead["closed_at"], lead["labor_cost"], lead["score"], misfits) == (None, 3600, 3, 0)


@pytest.mark.parametrize("told", [AT, str(AT), "2026-11-18T11:06:40+00:00"])
def test_a_time_is_read_however_it_is_told(told: Any) -> None:
    tables, misfits = decoded(BASE | {"closed_at": told})
    assert (tables["leads"][0]["closed_at"], misfits) == (datetime(2026, 11, 18, 11, 6, 40, tzinfo=UTC), 0)


@pytest.mark.parametrize(
    ("name", "value"), [("closed_at", 10**15), ("closed_at", "soon"), ("price", "a lot"), ("score", [1, 2])]
)
def test_a_value_that_fits_no_column_is_kept_and_counted(name: str, value: Any) -> None:
    tables, misfits = decoded(BASE | {name: value})
    (drift,) = tables["schema_drift"]
    kept = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    assert (drift["lead_id"], drift["field"], drift["value"], misfits) == (17, name, kept, 1)
    assert tables["leads"][0][name] is None


EAST, WEST = timezone(timedelta(hours=3)), timezone(timedelta(hours=-5))


@pytest.mark.parametrize(("zone", "midnight"), [(EAST, 1634590800), (WEST, 1634619600), (UTC, 1634601600)])
@pytest.mark.parametrize("kind", ["date", "birthday"])
def test_a_date_is_a_day_in_the_accounts_zone(zone: tzinfo, midnight: int, kind: str) -> None:
    told = (midnight, str(midnight), "2021-10-19", datetime.fromtimestamp(midnight, zone).isoformat())
    assert values(field(kind, *({"value": value} for value in told)), zone=zone) == ["2021-10-19"] * 4


def test_every_type_of_custom_field_has_a_text_that_says_all() -> None:
    legal = {"name": "Acme", "entity_type": 2, "vat_id": "0"}
    chained = {"catalog_id": 3, "catalog_element_id": 4}
    told = [
        field("text", {"value": "Leeds"}),
        field("numeric", {"value": "12.5"}, {"value": 12.50}),
        field("checkbox", {"value": True}, {"value": False}),
        field("select", {"value": "Red", "enum_id": 5, "enum_code": None}),
        field("date_time", {"value": AT}),
        field("legal_entity", {"value": legal}),
        field("chained_list", chained),
        field("a_type_of_tomorrow", {"value": [1, 2]}),
    ]
    assert values(*told) == [
        "Leeds",
        "12.5",
        "12.5",
        "true",
        "false",
        "Red",
        datetime.fromtimestamp(AT, UTC).isoformat(),
        json.dumps(legal, separators=(",", ":")),
        json.dumps(chained, separators=(",", ":")),
        "[1,2]",
    ]


def test_a_custom_value_names_its_field_and_its_place() -> None:
    told = field("multiselect", {"value": "a", "enum_id": 1, "enum_code": "A"}, {"value": "b", "enum_id": 2}, code="C")
    rows = decoded(BASE | {"custom_fields_values": [told]})[0]["lead_custom_values"]
    assert rows[0] == {
        "lead_id": 17,
        "field_id": 7,
        "code": "C",
        "name": "City",
        "type": "multiselect",
        "position": 0,
        "value": "a",
        "enum_id": 1,
        "enum_code": "A",
    }
    assert (rows[1]["position"], rows[1]["enum_id"], rows[1]["enum_code"]) == (1, 2, None)


@pytest.mark.parametrize("empty", [None, [], False])
def test_no_custom_fields_are_told_in_several_ways(empty: Any) -> None:
    tables, misfits = decoded(BASE | {"custom_fields_values": empty})
    assert (list(tables), misfits) == (["leads"], 0)


@pytest.mark.parametrize(
    ("told", "where"),
    [
        ({"custom_fields_values": "text"}, "custom_fields_values"),
        ({"custom_fields_values": ["text"]}, "custom_fields_values"),
        ({"custom_fields_values": [field("text", {"value": "a", "unit": "kg"})]}, "custom_fields_values.7.unit"),
        ({"custom_fields_values": [field("text", {"value": "a"}) | {"rank": 1}]}, "custom_fields_values.7.rank"),
        ({"_embedded": {"customers": [{"id": 1}]}}, "_embedded.customers"),
        ({"_embedded": {"tags": [{"name": "no id"}]}}, "_embedded.tags"),
        ({"_embedded": {"contacts": ["five"]}}, "_embedded.contacts"),
        ({"_embedded": {"contacts": [{"id": 5, "is_main": "so"}]}}, "_embedded.contacts.is_main"),
        ({"_embedded": "text"}, "_embedded"),
    ],
)
def test_what_no_table_is_for_is_kept(told: Row, where: str) -> None:
    tables, misfits = decoded(BASE | told)
    assert ([row["field"] for row in tables["schema_drift"]], misfits) == ([where], 1)


@pytest.mark.parametrize("reason", [[{"id": 9, "name": "Too expensive"}], {"id": 9, "name": "Too expensive"}])
def test_a_loss_reason_is_a_list_or_an_object(reason: Any) -> None:
    told = {"_embedded": {"loss_reason": reason, "source": {"id": 1, "name": "Fair"}}, "loss_reason_id": 9}
    (lead,) = decoded(BASE | told)[0]["leads"]
    assert (lead["loss_reason_name"], lead["source_name"]) == ("Too expensive", "Fair")


def test_links_of_a_lead_become_rows() -> None:
    embedded = {
        "tags": [{"id": 1, "name": "web", "color": None}, {"id": 2, "name": "hot", "color": "FF0000"}],
        "companies": [{"id": 55}],
        "contacts": [{"id": 5, "is_main": False}, {"id": 6, "is_main": True}],
        "catalog_elements": [{"id": 8, "metadata": {"quantity": 2.5, "catalog_id": 3}}],
    }
    tables, misfits = decoded(BASE | {"_embedded": embedded})
    assert misfits == 0
    assert [(row["tag_id"], row["color"]) for row in tables["lead_tags"]] == [(1, None), (2, "FF0000")]
    assert [(row["contact_id"], row["is_main"]) for row in tables["lead_contacts"]] == [(5, False), (6, True)]
    assert [row["company_id"] for row in tables["lead_companies"]] == [55]
    (element,) = tables["lead_catalog_elements"]
    assert (element["catalog_element_id"], element["catalog_id"], element["quantity"]) == (8, 3, 2.5)
    assert json.loads(element["metadata"]) == {"quantity": "2.5", "catalog_id": 3}


def test_a_contacts_phones_mails_and_messengers_have_tables_of_their_own() -> None:
    told = [
        field("multitext", {"value": "07700 900123", "enum_id": 1, "enum_code": "MOB"}, field_id=1, code="PHONE"),
        field("multitext", {"value": "mia@example.com", "enum": "WORK"}, field_id=2, code="EMAIL"),
        field("multitext", {"value": "@mia"}, field_id=3, code="IM"),
        field("text", {"value": "Buyer"}, field_id=4, code="POSITION"),
    ]
    row = {"id": 5, "updated_at": AT, "custom_fields_values": told, "_embedded": {"companies": [{"id": 55}]}}
    tables, misfits = decoded(row, entity=CONTACTS, region="GB")
    assert misfits == 0
    (phone,) = tables["contact_phones"]
    assert (phone["value"], phone["e164"], phone["value_type"]) == ("07700 900123", "+447700900123", "MOB")
    assert (tables["contact_emails"][0]["value"], tables["contact_emails"][0]["value_type"]) == (
        "mia@example.com",
        "WORK",
    )
    assert tables["contact_ims"][0]["value"] == "@mia"
    assert [row["code"] for row in tables["contact_custom_values"]] == ["POSITION"]
    assert tables["contacts"][0]["company_id"] == 55


def test_a_company_is_decoded_too() -> None:
    tables, misfits = decoded({"id": 55, "name": "Acme", "updated_at": AT}, entity=COMPANIES)
    assert (tables["companies"][0]["name"], misfits) == ("Acme", 0)


def test_fields_of_tomorrow_become_columns_of_the_kind_of_their_first_value() -> None:
    pages = Pages(LEADS, "acme.example.com", zone=UTC, region=None, stored={})
    rows = pages.page(page([BASE | {"heat": None, "rank": 3, "vip": True, "note": "n", "more": {"a": 1}}])).rows
    (lead,) = pages.decode(rows)[0]["leads"].to_pylist()
    assert (lead["rank"], lead["vip"], lead["note"], lead["more"]) == (3, True, "n", '{"a":1}')
    assert dict(pages.extra_columns()) == {
        "rank": Kind.BIGINT,
        "vip": Kind.BOOLEAN,
        "note": Kind.TEXT,
        "more": Kind.TEXT,
    }
    later = pages.page(page([BASE | {"heat": 7, "rank": "high"}])).rows
    tables, misfits = pages.decode(later)
    (lead,) = tables["leads"].to_pylist()
    assert (lead["heat"], lead["rank"], misfits) == (7, None, 1)
    assert tables["schema_drift"].to_pylist()[0]["value"] == "high"
    pages.close()


def test_a_column_in_the_warehouse_keeps_its_kind() -> None:
    tables, misfits = decoded(BASE | {"rank": 3}, stored={"rank": Kind.TEXT})
    assert (tables["leads"][0]["rank"], misfits) == ("3", 0)


def test_a_field_named_like_a_service_column_does_not_touch_it() -> None:
    (lead,) = decoded(BASE | {"deleted_at": "never", "_fingerprint": 1})[0]["leads"]
    assert lead["deleted_at"] is None
    assert lead["deleted_at_2"] == "never"


@pytest.mark.parametrize(
    "body",
    [
        b'{"_embedded": {}}',
        b'{"_embedded": {"leads": [{"id": "x", "updated_at": 1}]}}',
        b'{"_embedded": {"leads": [{"id": 1, "updated_at": "x"}]}}',
        b'{"_embedded": {"leads": {"id": 1}}}',
        b'{"_embedded": [1]}',
        b"[]",
        b'{"_embedded": {"leads": [1]}}',
    ],
)
def test_an_answer_of_another_shape_is_a_fault_of_the_portal(body: bytes) -> None:
    pages = Pages(LEADS, "acme.example.com", zone=UTC, region=None, stored={})
    with pytest.raises(PortalFaultError, match="another shape"):
        pages.page(body)
    pages.close()


def test_the_next_page_is_the_links() -> None:
    pages = Pages(LEADS, "acme.example.com", zone=UTC, region=None, stored={})
    assert pages.page(page([BASE], next={"href": "https://acme.example.com/2"})).next == "https://acme.example.com/2"
    assert pages.page(page([BASE])).next is None
    pages.close()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["price", "closed_at", "score", "name", "is_deleted", "custom_fields_values", "_embedded", "new"]
)


@settings(QUICK, max_examples=200)
@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_whatever_an_account_sends_a_lead_comes_out_and_what_fits_nowhere_is_counted(told: Row) -> None:
    tables, misfits = decoded(BASE | told)
    assert [row["id"] for row in tables["leads"]] == [17]
    assert len(tables.get("schema_drift", ())) == misfits


def test_dates_before_1970_and_far_ones_are_dates() -> None:
    assert values(field("birthday", {"value": -86_400})) == [date(1969, 12, 31).isoformat()]
    assert values(field("date", {"value": 10**30})) == ["1" + "0" * 30]
