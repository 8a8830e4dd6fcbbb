"""Whatever JSON a portal sends for a lead, each value is in a column, in a child table or in schema_drift."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.bitrix24.families import ITEM, LEAD, MULTIFIELDS
from leadhouse.bitrix24.fields import Field, Role
from leadhouse.columns import Kind, as_text, is_empty, storable
from unit.fuzz import QUICK
from unit.portal_leads import LeadDesk

DESKS = {"lead": LeadDesk(LEAD, region="KZ"), "item": LeadDesk(ITEM, region="KZ")}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**66), 2**66)
    | st.decimals(-(10**17), 10**17, places=2).map(float)
    | st.text(max_size=6)
    | st.sampled_from(
        ["Y", "N", "0", "", "300|RUB", "x|y", "45", "12.50", "2026-11-21T12:00:00+03:00", "2000-01-01", "0000-00-00",
         "L_4", "+7 700 000 00 01", "\ud83d", "a\0b"]
    )
)  # fmt: skip
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "0", "1", "a"]), inner, max_size=3)
    ),
    max_leaves=5,
)
TYPES = [*MULTIFIELDS, "PAGER"]
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "ID": st.integers(1, 10**6).map(str) | JSON,
        "VALUE": SCALARS,
        "VALUE_TYPE": st.sampled_from(["WORK", "HOME", None]) | SCALARS,
        "TYPE_ID": st.sampled_from(TYPES),
    },
)
ITEM_ENTRY = ENTRY.map(
    lambda entry: {
        name: entry[key]
        for key, name in (("ID", "id"), ("VALUE", "value"), ("VALUE_TYPE", "valueType"), ("TYPE_ID", "typeId"))
        if key in entry
    }
)


def leads(family: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return a strategy of pages of leads in ascending id, any field of the portal with any value."""
    fields = [field for field in DESKS[family].pages.fields.all if field.wire not in ("ID", "id")]
    wires = [field.wire for field in fields if field.role is not Role.MULTIFIELD]
    entries = st.lists(ENTRY if family == "lead" else ITEM_ENTRY, max_size=3) | JSON
    multifields = {field.wire: entries for field in fields if field.role is Role.MULTIFIELD}
    lead = st.builds(
        lambda plain, many: {**plain, **many},
        st.dictionaries(st.sampled_from(wires), JSON, max_size=6),
        st.fixed_dictionaries({}, optional=multifields),
    )
    key = DESKS[family].pages.fields.family.id_field
    return st.lists(lead, min_size=1, max_size=4).map(
        lambda page: [{**told, key: str(number)} for number, told in enumerate(page, 1)]
    )


def entries_of(told: Any) -> list[Any]:
    """Return what a list, or PHP's object for a list, holds."""
    if is_empty(told):
        return []
    return list(told.values()) if isinstance(told, dict) else told if isinstance(told, list) else [told]


def values_of(field: Field, told: Any) -> list[Any]:
    """Return the values of a multiple field: a file alone is an object with an id; a reference to 0 is none."""
    found = [told] if isinstance(told, dict) and "id" in told else entries_of(told)
    numbers = [value.get("id", value.get("ID", value)) if isinstance(value, dict) else value for value in found]
    return [
        value
        for value, number in zip(found, numbers, strict=True)
        if value is not None and value != "" and str(number) not in field.none
    ]


def check_column(field: Field, told: Any, cells: dict[str, Any], drift: list[str]) -> None:
    """One value is in its column, or whole in the drift, or it was empty."""
    plain = told[0] if isinstance(told, list) and len(told) == 1 else told
    cell = cells[field.column]
    if field.role is Role.FILE and isinstance(plain, dict):
        number = plain.get("id", plain)
        number = number[0] if isinstance(number, list) and len(number) == 1 else number
        assert cell is not None or drift or is_empty(number)
    elif drift:
        assert cell is None
        assert drift == [as_text(told)]
    elif field.role is Role.MONEY and isinstance(told, str):
        amount, _, currency = told.partition("|")
        assert (cell is None) == (amount == "")
        assert (cells[f"{field.column}_currency"] or "") == storable(currency)
    elif cell is None:
        assert is_empty(plain) or str(plain) in field.none
    elif field.kind is Kind.TEXT:
        assert cell == (as_text(plain) if not isinstance(plain, str) else plain)


@pytest.mark.parametrize("family", ["lead", "item"])
def test_no_value_is_lost(family: str) -> None:
    """Told once a family, so that the strategies are built once."""
    desk = DESKS[family]

    @settings(QUICK, max_examples=40)
    @given(leads(family))
    def every_value_is_somewhere(page: list[dict[str, Any]]) -> None:
        told = json.loads(json.dumps(page), parse_float=str)
        batch = desk.decode(json.dumps(page).encode())
        batch.leads.validate(full=True)
        rows = {row["id"]: row for row in batch.leads.to_pylist()}
        children = {name: table.to_pylist() for name, table in batch.children.items()}
        drift = children.pop("schema_drift", [])
        assert batch.misfits == len(drift)
        assert len({(row["lead_id"], row["field"], row["position"]) for row in drift}) == len(drift)
        for lead in told:
            number = int(lead[desk.pages.fields.family.id_field])
            kept: dict[str, list[str]] = {}
            for row in drift:
                if row["lead_id"] == number:
                    kept.setdefault(row["field"], []).append(row["value"])
            mine = {name: [row for row in found if row["lead_id"] == number] for name, found in children.items()}
            entered, placed = 0, sum(len(mine.get(table, [])) for table in MULTIFIELDS.values())
            for field in desk.pages.fields.all:
                value = lead.get(field.wire)
                if field.role is Role.MULTIFIELD:
                    entered += len(entries_of(value))
                    names = (
                        (*MULTIFIELDS.values(), "fm")
                        if family == "item"
                        else (MULTIFIELDS[field.name], field.name.lower())
                    )
                    placed += sum(len(kept.get(name, [])) for name in names)
                elif field.role is Role.VALUES:
                    own = [row for row in mine.get("lead_custom_values", []) if row["field"] == field.column]
                    assert len(own) + len(kept.get(field.column, [])) == len(values_of(field, value)), field
                elif field.role is not Role.IGNORED and field.wire in lead and field.column != "id":
                    check_column(field, value, rows[number], kept.get(field.column, []))
            assert placed == entered

    every_value_is_somewhere()


@settings(QUICK, max_examples=8)
@given(st.dictionaries(st.text("ABcd_9Ж", min_size=1, max_size=6), JSON, min_size=1, max_size=3))
def test_fields_that_nobody_described_are_not_lost_either(fresh: dict[str, Any]) -> None:
    desk = LeadDesk()
    lead = {"ID": "7", **{f"X_{name}": value for name, value in fresh.items()}}
    told = json.loads(json.dumps(lead), parse_float=str)
    batch = desk.decode(json.dumps([lead]).encode())
    (row,) = batch.leads.to_pylist()
    assert row["synced_at"] <= datetime.now(UTC)
    drift = {
        found["field"]: found["value"]
        for found in (batch.children["schema_drift"].to_pylist() if batch.misfits else [])
    }
    columns = {field.wire: field.column for field in desk.pages.fields.all}
    for wire, value in told.items():
        plain = value[0] if isinstance(value, list) and len(value) == 1 else value
        assert is_empty(plain) or row[columns[wire]] is not None or drift[columns[wire]] == as_text(value)
