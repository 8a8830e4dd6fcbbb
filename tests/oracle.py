"""The truth, computed a second time: what a warehouse must hold for a portal, and what it holds.

Nothing of the product's decoder is used here: rows are made in plain Python from `portal.leads()` (the answers of
`crm.lead.get`), the portal's field metadata and the reviewed contract in `schemas/bitrix24/tables.toml`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import phonenumbers

from contents import Key, Row, Tables, actual, columns, contract, execute, query, report
from difference import Family, differing
from leadhouse.sandbox.bitrix24 import Portal

__all__ = ["Key", "Row", "Tables", "actual", "assert_equal", "columns", "contract", "execute", "expected", "query"]

MULTIFIELD_TABLES = {
    "PHONE": "lead_phones",
    "EMAIL": "lead_emails",
    "IM": "lead_ims",
    "WEB": "lead_webs",
    "LINK": "lead_links",
}
CHILD_TABLES = (*MULTIFIELD_TABLES.values(), "lead_custom_values", "schema_drift")
ADDRESS_COLUMNS = (
    "address",
    "address_2",
    "address_city",
    "address_postal_code",
    "address_region",
    "address_province",
    "address_country",
    "address_country_code",
    "address_loc_addr_id",
)
# Columns of user fields that the portal dropped may stay.
_DROPPED_FIELD = re.compile(r"leads\.uf_(?!\w*__)\w+ is a column that the contract does not know")
# Columns that leadhouse adds and that say nothing about the portal.
SERVICE_COLUMNS = frozenset({"synced_at", "deleted_at", "out_of_sight_at", "_fingerprint"})


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _day(text: str) -> date:
    return (_instant(text) + timedelta(hours=12)).date()


def _flag(value: Any) -> bool:
    return value in {True, "Y", "1"}


# How a value that is there reads, by the type of its column.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "bigint": int,
    "text": str,
    "boolean": _flag,
    "decimal": Decimal,
    "double": float,
    "date": _day,
    "timestamp": _instant,
}
_CUSTOM_TYPES = {
    "integer": "bigint",
    "employee": "bigint",
    "enumeration": "bigint",
    "iblock_section": "bigint",
    "iblock_element": "bigint",
    "file": "bigint",
    "double": "double",
    "boolean": "boolean",
    "datetime": "timestamp",
    "date": "date",
    "money": "decimal",
}


def custom_columns(portal: Portal) -> dict[str, str]:
    """Return the columns of `leads` that the portal's user fields make, with their types in the contract's words."""
    columns = {}
    for field in portal.userfields():
        if field["MULTIPLE"] == "Y":
            continue
        name = field["FIELD_NAME"].lower()
        columns[name] = _CUSTOM_TYPES.get(field["USER_TYPE_ID"], "text")
        if field["USER_TYPE_ID"] == "money":
            columns[f"{name}_currency"] = "text"
    return columns


def expected(
    portal: Portal, *, addresses: bool = True, region: str | None = None, renamed: Mapping[str, str] | None = None
) -> Tables:
    """Return what the warehouse must hold: tables, rows by key (a tuple), columns without service columns.

    Args:
        portal: the portal.
        addresses: False where the rows came over crm.item.*, which has none.
        region: the phone region that the sync was given.
        renamed: columns of user fields that are not called as the field is, since it had another type before.
    """
    made: Tables = {name: {} for name in ("leads", *CHILD_TABLES, "lead_stage_history")}
    fields = portal.userfields()
    for lead in portal.leads():
        number = int(lead["ID"])
        row = _standard(lead, addresses=addresses)
        for field in fields:
            value = lead.get(field["FIELD_NAME"])
            column = (renamed or {}).get(field["FIELD_NAME"], field["FIELD_NAME"].lower())
            if field["MULTIPLE"] == "Y":
                _spread(made["lead_custom_values"], number, field["USER_TYPE_ID"], column, value)
            else:
                row |= _custom(field["USER_TYPE_ID"], column, value)
        made["leads"][number,] = row
        for kind, table in MULTIFIELD_TABLES.items():
            for position, entry in enumerate(lead.get(kind, ())):
                made[table][int(entry["ID"]),] = _communication(kind, number, position, entry, region)
    for event in portal.stage_history():
        made["lead_stage_history"][int(event["ID"]),] = {
            "id": int(event["ID"]),
            "lead_id": int(event["OWNER_ID"]),
            "type_id": int(event["TYPE_ID"]),
            "created_time": _instant(event["CREATED_TIME"]),
            "status_semantic_id": event["STATUS_SEMANTIC_ID"],
            "status_id": event["STATUS_ID"],
        }
    return made


def _standard(lead: Mapping[str, Any], *, addresses: bool) -> Row:
    row: Row = {}
    for column, about in contract()["leads"]["columns"].items():
        if "field" not in about:
            continue
        value = lead.get(about["field"])
        absent = value in (None, "") or value in about.get("none", ())
        hidden = column in ADDRESS_COLUMNS and not addresses
        row[column] = None if absent or hidden else _READ[about["type"]](value)
    return row


def _custom(user_type: str, column: str, value: Any) -> Row:
    kind = _CUSTOM_TYPES.get(user_type, "text")
    if user_type == "money":
        amount, _, currency = (value or "").partition("|")
        return {column: Decimal(amount) if amount else None, f"{column}_currency": currency or None}
    if user_type == "file":
        return {column: int(value["id"]) if value else None}
    if value is None or value == "" or (value is False and kind != "boolean"):
        return {column: None}
    return {column: _READ[kind](value)}


def _spread(table: dict[Key, Row], lead_id: int, user_type: str, column: str, value: Any) -> None:
    for position, entry in enumerate(value or ()):
        if user_type == "file":
            text = str(entry["id"])
        elif user_type == "datetime":
            text = _instant(entry).isoformat()
        elif user_type == "date":
            text = _day(entry).isoformat()
        else:
            text = str(entry)
        table[lead_id, column, position] = {"lead_id": lead_id, "field": column, "position": position, "value": text}


def _communication(kind: str, lead_id: int, position: int, entry: Row, region: str | None) -> Row:
    row = {
        "id": int(entry["ID"]),
        "lead_id": lead_id,
        "position": position,
        "value": entry["VALUE"] or None,
        "value_type": entry["VALUE_TYPE"] or None,
    }
    if kind == "PHONE":
        row["e164"] = e164(entry["VALUE"], region)
    return row


def e164(text: str, region: str | None) -> str | None:
    """Return a phone number in E.164 form, None where it is none."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    possible = phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else None


def differences(wanted: Tables, held: Tables, *, ignoring_deleted: bool = True) -> list[str]:
    """Return what differs, a line each: rows that lack, rows too many, values that are others."""
    family = Family("leads", tuple(name for name in wanted if name != "leads"), "lead_id")
    lines = differing("bitrix24", [family], wanted, held, ignoring_deleted=ignoring_deleted)
    return [line for line in lines if not _DROPPED_FIELD.fullmatch(line)]


def assert_equal(
    portal: Portal,
    to: str,
    dataset: str = "bitrix24",
    ignoring_deleted: bool = True,
    *,
    addresses: bool = True,
    region: str | None = None,
) -> None:
    """Fail, with a line for each difference, unless the warehouse holds exactly what the portal has.

    Args:
        portal: the portal, quiet.
        to: the warehouse as `--to` names it.
        dataset: the schema.
        ignoring_deleted: leads that left the portal may still be there; else only those marked deleted may.
        addresses: False where the rows came over crm.item.*.
        region: the phone region that the sync was given.
    """
    wanted = expected(portal, addresses=addresses, region=region)
    lines = differences(wanted, actual(to, dataset), ignoring_deleted=ignoring_deleted)
    assert not lines, report("the warehouse differs from the portal", lines)
