"""The truth of a Kommo account, computed a second time: what a warehouse must hold for it, and what it holds.

Nothing of the product's decoder is used here: rows are made in plain Python from the account's own methods (cards as
`GET /leads/{id}` answers them) and the reviewed contract in `schemas/kommo/tables.toml`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from contents import Row, Tables, actual, contract, report
from difference import Family, differing
from leadhouse.sandbox.kommo import Account
from oracle import e164

LEADS = Family(
    "leads",
    (
        "lead_custom_values",
        "lead_tags",
        "lead_contacts",
        "lead_companies",
        "lead_catalog_elements",
        "schema_drift",
    ),
    "lead_id",
)
CONTACTS = Family(
    "contacts",
    (
        "contact_phones",
        "contact_emails",
        "contact_ims",
        "contact_custom_values",
        "contact_tags",
        "contact_schema_drift",
    ),
    "contact_id",
)
COMPANIES = Family("companies", ("company_custom_values", "company_tags", "company_schema_drift"), "company_id")
FAMILIES = (LEADS, CONTACTS, COMPANIES)
DICTIONARIES = ("account", "pipelines", "statuses", "loss_reasons", "users", "custom_fields", "custom_field_options")
# Variants that the account dropped stay explained.
KEPT = ("custom_fields", "custom_field_options")
_COMMUNICATIONS = {"PHONE": "contact_phones", "EMAIL": "contact_emails", "IM": "contact_ims"}
_APART = {"_links", "_embedded", "custom_fields_values"}
_CENT = Decimal("0.01")


def _instant(value: Any) -> datetime:
    """Return a time told as Unix seconds or as ISO 8601."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else datetime.fromisoformat(value)


def _decimal(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(_CENT)


# How a value that is there reads, by the type of its column.
_READ: Mapping[str, Callable[[Any], Any]] = {
    "bigint": int,
    "text": str,
    "boolean": bool,
    "decimal": _decimal,
    "double": float,
    "timestamp": _instant,
}


def expected(account: Account, *, region: str | None = None) -> Tables:
    """Return what the warehouse must hold: tables, rows by key (a tuple), columns without service columns.

    Args:
        account: the account.
        region: the phone region that the sync was given.
    """
    made: Tables = {name: {} for family in FAMILIES for name in (family.root, *family.children)}
    leads = account.leads()
    beyond = _beyond(leads)
    for lead in leads:
        number, held = lead["id"], lead["_embedded"]
        reasons, source = _listed(held["loss_reason"]), held["source"]
        made["leads"][number,] = _standard("leads", lead) | {
            "loss_reason_name": reasons[0]["name"] if reasons else None,
            "source_name": (source["name"] or None) if source else None,
            **{column: read(lead.get(name)) for name, (column, read) in beyond.items()},
        }
        for place, told in enumerate(held["contacts"]):
            row: Row = {"contact_id": told["id"], "is_main": told["is_main"]}
            made["lead_contacts"][number, place] = {"lead_id": number, "position": place, **row}
        for place, told in enumerate(held["companies"]):
            row = {"company_id": told["id"]}
            made["lead_companies"][number, place] = {"lead_id": number, "position": place, **row}
        for place, told in enumerate(held["catalog_elements"]):
            made["lead_catalog_elements"][number, place] = {"lead_id": number, "position": place, **_element(told)}
    for contact in account.contacts():
        companies = contact["_embedded"]["companies"]
        row = {"company_id": companies[0]["id"] if companies else None}
        made["contacts"][contact["id"],] = _standard("contacts", contact) | row
    for company in account.companies():
        made["companies"][company["id"],] = _standard("companies", company)
    for family, cards in ((LEADS, leads), (CONTACTS, account.contacts()), (COMPANIES, account.companies())):
        for card in cards:
            _tag(made, family, card)
            _customise(made, family, card, account.zone, region)
    return made


def _listed(told: Any) -> list[Any]:
    return told if isinstance(told, list) else [told] if told else []


def _standard(table: str, card: Mapping[str, Any]) -> Row:
    row: Row = {}
    for column, about in contract("kommo")[table]["columns"].items():
        if "field" in about and not about["field"].startswith("_embedded"):
            value = _member(card, about["field"])
            row[column] = None if value in (None, "") else _READ[about["type"]](value)
    return row


def _member(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _beyond(leads: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, Callable[[Any], Any]]]:
    """Return column and reader of each member of leads that the contract does not know; they are of one type each."""
    known = {about.get("field") for about in contract("kommo")["leads"]["columns"].values()} | _APART
    found: dict[str, tuple[str, Callable[[Any], Any]]] = {}
    for lead in leads:
        for name in lead.keys() - known:
            if lead[name] not in (None, "", [], {}):
                plain = isinstance(lead[name], int)
                found[name] = (name.lower(), _as_is if plain else _text)
    return found


def _as_is(value: Any) -> Any:
    return value


def _text(value: Any) -> str | None:
    """Return a value as text: a string as it is, anything else as compact JSON; None for nothing."""
    if value in (None, "", [], {}):
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _tag(made: Tables, family: Family, card: Mapping[str, Any]) -> None:
    for place, tag in enumerate(card["_embedded"]["tags"]):
        made[f"{_singular(family)}_tags"][card["id"], place] = {
            family.parent: card["id"],
            "position": place,
            "tag_id": tag["id"],
            "name": tag["name"] or None,
            "color": tag.get("color"),
        }


def _singular(family: Family) -> str:
    return family.parent.removesuffix("_id")


def _element(told: Mapping[str, Any]) -> Row:
    link = told["metadata"]
    return {
        "catalog_element_id": told["id"],
        "catalog_id": link["catalog_id"],
        "quantity": float(link["quantity"]),
        "price_id": link["price_id"],
        "metadata": _text(link),
    }


def _customise(made: Tables, family: Family, card: Mapping[str, Any], zone: ZoneInfo, region: str | None) -> None:
    number, communications = card["id"], _COMMUNICATIONS if family is CONTACTS else {}
    for field in card["custom_fields_values"] or ():
        code = field["field_code"]
        for position, item in enumerate(field["values"]):
            value = _custom(field["field_type"], item, zone)
            key = (number, field["field_id"], position)
            row: Row = {family.parent: number, "field_id": field["field_id"], "position": position, "value": value}
            enum_code = item.get("enum_code", item.get("enum"))
            row["enum_id"] = item.get("enum_id")
            if code in communications:
                row["value_type"] = enum_code
                if code == "PHONE":
                    row["e164"] = e164(value, region) if value else None
                made[communications[code]][key] = row
            else:
                row |= {"code": code, "name": field["field_name"], "type": field["field_type"], "enum_code": enum_code}
                made[f"{_singular(family)}_custom_values"][key] = row


def _custom(kind: str, item: Mapping[str, Any], zone: ZoneInfo) -> str | None:
    value = item.get("value", item)
    if value in (None, "") or value == {}:
        return None
    if kind in {"date", "birthday"}:
        return (
            value
            if isinstance(value, str) and len(value) == 10
            else _instant(value).astimezone(zone).date().isoformat()
        )
    if kind == "date_time":
        return _instant(value).astimezone(UTC).isoformat()
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def dictionaries(account: Account) -> Tables:
    """Return what the dictionary tables must hold; `users` only where the token is an administrator's."""
    rows: dict[str, list[Row]] = {
        "account": [
            {
                "id": account.account_id,
                "name": "Acme Demo",
                "subdomain": account.subdomain,
                "country": "GB",
                "currency": "GBP",
                "timezone": account.zone.key,
                "current_user_id": account.user_id,
            }
        ],
        "pipelines": [_standard("pipelines", row) for row in account.pipelines()],
        "statuses": [
            _standard("statuses", status) | {"kind": {142: "won", 143: "lost"}.get(status["id"], "open")}
            for row in account.pipelines()
            for status in row["_embedded"]["statuses"]
        ],
        "loss_reasons": [_standard("loss_reasons", row) for row in account.loss_reasons()],
        "custom_fields": [_standard("custom_fields", row) for row in _fields(account)],
        "custom_field_options": [
            _standard("custom_field_options", option) | {"entity_type": row["entity_type"], "field_id": row["id"]}
            for row in _fields(account)
            for option in row["enums"] or ()
        ],
    }
    if not account.switches.non_admin:
        rows["users"] = [_standard("users", row) for row in account.users()]
    return {
        name: {tuple(row[column] for column in contract("kommo")[name]["key"]): row for row in found}
        for name, found in rows.items()
    }


def _fields(account: Account) -> Iterator[Row]:
    for entity in ("leads", "contacts", "companies"):
        yield from account.custom_fields(entity)


def differences(wanted: Tables, held: Tables, *, ignoring_deleted: bool = True) -> list[str]:
    """Return what differs, a line each: rows that lack, rows too many, values that are others."""
    return differing("kommo", FAMILIES, wanted, held, ignoring_deleted=ignoring_deleted, kept=KEPT)


def assert_equal(
    account: Account,
    to: str,
    dataset: str = "kommo",
    ignoring_deleted: bool = True,
    *,
    told: bool = True,
    region: str | None = None,
) -> None:
    """Fail, with a line for each difference, unless the warehouse holds exactly what the account has.

    Args:
        account: the account, quiet.
        to: the warehouse as `--to` names it.
        dataset: the schema.
        ignoring_deleted: rows that left the account may still be there; else only those marked deleted may.
        told: also the dictionaries are compared.
        region: the phone region that the sync was given.
    """
    wanted = expected(account, region=region) | (dictionaries(account) if told else {})
    lines = differences(wanted, actual(to, dataset, "kommo"), ignoring_deleted=ignoring_deleted)
    assert not lines, report("the warehouse differs from the account", lines)
