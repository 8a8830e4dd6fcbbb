"""Custom fields of every type, single and multiple, as both API families send them, in both databases."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

import contents
from leadhouse.sandbox.bitrix24 import serve
from leadhouse.sandbox.bitrix24.userfields import TYPES
from scene import Scene, small_portal

# West of UTC, with half an hour: midnight of a date lies on the day before, by the portal's clock.
ZONE = "America/St_Johns"


@dataclass(frozen=True)
class Sent:
    """A value as the vendor sends it by crm.lead.* and by crm.item.*, and what it is in the warehouse.

    Attributes:
        lead: JSON of crm.lead.list.
        item: JSON of crm.item.list.
        held: the value of the column.
        text: the same as a row of lead_custom_values.
        currency: of money.
    """

    lead: Any
    item: Any
    held: Any
    text: str
    currency: str | None = None


def same(told: str) -> Sent:
    """Text that both families send alike, and that is kept as it is."""
    return Sent(told, told, told, told)


FILE = {"id": "77", "showUrl": "/show?auth=x", "downloadUrl": "/load?auth=x"}
AN_INSTANT = datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
VALUES: dict[str, list[Sent]] = {
    "string": [same("a | b; «c»"), same("0")],
    "integer": [Sent("7", 7, 7, "7"), Sent("0", 0, 0, "0"), Sent("-12", -12, -12, "-12")],
    "double": [Sent("0.5", 0.5, 0.5, "0.5"), Sent("0", 0, 0.0, "0")],
    "boolean": [
        Sent("1", True, True, "true"),
        Sent("0", False, False, "false"),
        Sent(True, "Y", True, "true"),
        Sent("N", "N", False, "false"),
    ],
    "datetime": [Sent("2026-03-01T10:00:00-03:30", "2026-03-01T10:00:00-03:30", AN_INSTANT, AN_INSTANT.isoformat())],
    "date": [
        Sent("2000-02-28T20:30:00-03:30", "2000-02-28T20:30:00-03:30", date(2000, 2, 29), "2000-02-29"),
        Sent("2000-02-29T00:00:00-03:30", "2000-02-29T00:00:00-03:30", date(2000, 2, 29), "2000-02-29"),
    ],
    "money": [
        Sent("300|RUB", "300|RUB", Decimal("300.00"), "300|RUB", "RUB"),
        Sent("0.10|EUR", "0.10|EUR", Decimal("0.10"), "0.10|EUR", "EUR"),
        Sent("300|", "300|", Decimal("300.00"), "300|"),
        Sent("0|RUB", "0|RUB", Decimal("0.00"), "0|RUB", "RUB"),
    ],
    "url": [same("https://example.com/?a=1|2")],
    "address": [same("1 Fleet Street, London|51.514;-0.107"), same("Somewhere")],
    "enumeration": [Sent("45", 45, 45, "45")],
    "file": [Sent(FILE, {"id": 77, "url": "/x", "urlMachine": "/y"}, 77, "77")],
    "employee": [Sent("7", 7, 7, "7"), Sent("0", 0, 0, "0")],  # 0 is the system
    "crm_status": [same("CALL"), same("0")],
    "iblock_section": [Sent("3", 3, 3, "3")],
    "iblock_element": [Sent("4", 4, 4, "4")],
    "crm": [same("L_4"), same("CO_3"), same("T80_6"), Sent("17", "17", "17", "17")],
    "resourcebooking": [Sent("12", 12, "12", "12")],
}
# What portals send for "no value", whatever the type; a flag that is false is a value.
NOTHING: list[Any] = [None, "", []]
NO_ID = ["0", 0]
IDS = ("enumeration", "iblock_section", "iblock_element", "file", "crm")


def nothings(told: str) -> list[Any]:
    """Return what means "empty" in a single field of a type."""
    more: list[Any] = [] if told == "boolean" else [False]
    return [*NOTHING, *more, *(NO_ID if told in IDS else ()), *(["|"] if told == "money" else ())]


def single(told: str) -> str:
    return f"UF_CRM_ONE_{told.upper()}"


def multiple(told: str) -> str:
    return f"UF_CRM_MANY_{told.upper()}"


@dataclass(frozen=True)
class Synced:
    """A warehouse, and which leads hold what.

    Attributes:
        leads: rows by id.
        values: rows of lead_custom_values by lead and field.
        drift: rows of schema_drift.
        valued: leads with the values of a type, in the order of VALUES.
        empty: leads without, in the order of `nothings`.
        many: the lead with all values of each type in its multiple fields.
        none: leads whose multiple fields are empty.
    """

    api: str
    leads: dict[int, contents.Row]
    values: dict[tuple[int, str], list[str]]
    drift: list[contents.Row]
    valued: dict[str, list[int]]
    empty: dict[str, list[int]]
    many: int
    none: list[int]


@pytest.fixture(scope="module", params=["duckdb-lead", "duckdb-item", "postgres-lead", "postgres-item"])
def synced(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    kind, _, api = request.param.partition("-")
    folder = tmp_path_factory.mktemp("types")
    to = f"duckdb:{folder / 'leads.duckdb'}" if kind == "duckdb" else request.getfixturevalue("postgres_server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLT_DATA_DIR", str(folder / "dlt"))
        portal = small_portal(30, timezone=ZONE)
        ids = [int(lead["ID"]) for lead in portal.leads()]
        raw: dict[int, dict[str, bytes]] = {number: {} for number in ids}
        valued, empty = {}, {}
        many, none = ids[0], ids[1:5]
        for told in TYPES:
            options = [(45, "Retail")] if told == "enumeration" else []
            portal.add_userfield(single(told), told, options=options)
            portal.add_userfield(multiple(told), told, multiple=True, options=options)
            sent = [getattr(value, api) for value in VALUES[told]]
            for number, value in zip(ids, [*sent, *nothings(told)], strict=False):
                raw[number][single(told)] = json.dumps(value).encode()
            valued[told] = ids[: len(sent)]
            empty[told] = ids[len(sent) : len(sent) + len(nothings(told))]
            raw[many][multiple(told)] = json.dumps(sent).encode()
            for number, value in zip(none, (False, [], None, ""), strict=True):
                raw[number][multiple(told)] = json.dumps(value).encode()
        for number, fragments in raw.items():
            portal.distort_lead(number, fragments)
        with serve(portal) as served:
            scene = Scene(portal, served.url, to, dataset=f"types_{api}", api=api)
            scene.sync()
            values: dict[tuple[int, str], list[str]] = {}
            for row in scene.rows("SELECT * FROM {lead_custom_values} ORDER BY lead_id, field, position"):
                values.setdefault((row["lead_id"], row["field"]), []).append(row["value"])
            leads = {row["id"]: row for row in scene.rows("SELECT * FROM {leads}")}
            drift = scene.rows("SELECT * FROM {schema_drift}")
            yield Synced(api, leads, values, drift, valued, empty, many, none)


def test_every_type_of_the_portal_is_tried() -> None:
    assert VALUES.keys() == set(TYPES)


@pytest.mark.parametrize("told", TYPES)
def test_a_single_field_is_a_column_of_its_type(synced: Synced, told: str) -> None:
    column = single(told).lower()
    for number, sent in zip(synced.valued[told], VALUES[told], strict=True):
        held = synced.leads[number][column]
        assert (held, type(held)) == (sent.held, type(sent.held))
        if told == "money":
            assert synced.leads[number][f"{column}_currency"] == sent.currency
    assert [row for row in synced.drift if row["field"] == column] == []


@pytest.mark.parametrize("told", TYPES)
def test_what_means_nothing_is_null_and_a_flag_that_is_false_is_false(synced: Synced, told: str) -> None:
    column = single(told).lower()
    assert len(synced.empty[told]) == len(nothings(told))
    assert [synced.leads[number][column] for number in synced.empty[told]] == [None] * len(synced.empty[told])
    if told == "boolean":
        assert False in [synced.leads[number][column] for number in synced.valued[told]]


@pytest.mark.parametrize("told", TYPES)
def test_a_multiple_field_is_a_row_a_value_in_the_portals_order(synced: Synced, told: str) -> None:
    field = multiple(told).lower()
    assert synced.values[synced.many, field] == [sent.text for sent in VALUES[told]]
    assert all((number, field) not in synced.values for number in synced.none)
    assert field not in synced.leads[synced.many]
