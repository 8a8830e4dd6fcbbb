"""A lead as ``crm.item`` shows it (reference: bitrix24 sections 7.2 and 7.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from leadhouse.sandbox import php

from .fields import CLASSIC_NAMES, ITEM_NAMES, MULTIFIELDS, kind
from .store import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from .portal import Portal
    from .store import Lead, Row
    from .userfields import UserField

ENTITY_TYPE_ID = 1
_FLAT = {
    "phoneMobile": ("PHONE", "MOBILE"),
    "phoneWork": ("PHONE", "WORK"),
    "phoneMailing": ("PHONE", "MAILING"),
    "emailHome": ("EMAIL", "HOME"),
    "emailWork": ("EMAIL", "WORK"),
    "emailMailing": ("EMAIL", "MAILING"),
}
_DISABLED = ("dateCreateShort", "dateModifyShort", "isConvert", "productId", "shortName", "address", "login")
_ZERO_IS_NONE = frozenset({"COMPANY_ID", "CONTACT_ID"})

_COLUMNS = tuple((name, shown, kind(name)) for name, shown in ITEM_NAMES.items() if name != "ID")


def number(text: str) -> Any:
    """Return a JSON number of exactly the digits of a decimal text: ``19000``, ``999.9``."""
    plain = text.rstrip("0").rstrip(".") if "." in text else text
    return msgspec.Raw((plain or "0").encode())


def _standard(name: str, field_kind: str, value: Any) -> Any:
    if name == "OPPORTUNITY":
        return number(value or "0")
    if field_kind == "integer":
        return int(value) if value else 0 if name in _ZERO_IS_NONE else None
    if field_kind in {"datetime", "date"}:
        return value or None
    return value


def _custom(portal: Portal, field: UserField, value: Any) -> Any:
    if value is None:
        return None
    if field.multiple:
        return [_custom_one(portal, field, entry) for entry in value or ()]
    return _custom_one(portal, field, value)


def _custom_one(portal: Portal, field: UserField, value: Any) -> Any:
    if field.user_type == "boolean":
        style = portal.quirks.item_boolean_uf
        return bool(value) if style == "json" else int(bool(value)) if style == "digits" else "Y" if value else "N"
    if value is None or value == "" or value is False:
        return None
    if field.user_type == "file":
        return {"id": value["id"], "url": value["showUrl"], "urlMachine": value["downloadUrl"]}
    if field.kind == "integer":
        return int(value)
    if field.kind == "number":
        return number(value)
    return value


def item_of(portal: Portal, row: Row, original_names: bool) -> dict[str, Any]:
    """Return the whole item of a lead; user fields under their original names on wish."""
    lead: Lead = portal.current(row).lead()
    item: dict[str, Any] = {"id": row.id, "entityTypeId": ENTITY_TYPE_ID}
    item |= {shown: _standard(name, field_kind, lead[name]) for name, shown, field_kind in _COLUMNS}
    item |= dict.fromkeys(_DISABLED)
    item |= {"webformId": 0, "searchContent": _search_content(lead), "skype": None, "icq": None}
    values = {kind_: lead.get(kind_, []) for kind_ in MULTIFIELDS}
    for shown, (kind_, value_type) in _FLAT.items():
        item[shown] = next((entry["VALUE"] for entry in values[kind_] if entry["VALUE_TYPE"] == value_type), "")
    item["imol"] = next((entry["VALUE"] for entry in values["IM"] if entry["VALUE_TYPE"] == "OPENLINE"), "")
    item["email"] = values["EMAIL"][0]["VALUE"] if values["EMAIL"] else ""
    item["phone"] = values["PHONE"][0]["VALUE"] if values["PHONE"] else ""
    fm = [
        {"id": int(v["ID"]), "typeId": v["TYPE_ID"], "valueType": v["VALUE_TYPE"], "value": v["VALUE"]}
        for kind_ in MULTIFIELDS
        for v in values[kind_]
    ]
    item["fm"] = sorted(fm, key=lambda entry: int(entry["id"]))
    for field in portal.userfield_map.values():
        item[field.name if original_names else field.item_name] = _custom(portal, field, lead[field.name])
    own = [item["contactId"]] if item["contactId"] else []
    item |= {"observers": [], "contactIds": portal.contacts.get(row.id, own)}
    for name, fragment in portal.oddities.get(row.id, {}).items():
        custom = portal.userfield_map.get(name)
        shown_name = custom.item_name if custom and not original_names else ITEM_NAMES.get(name, name)
        item[shown_name] = msgspec.Raw(fragment)
    return item


def _search_content(lead: Lead) -> str:
    words = (lead["ID"], lead["TITLE"], lead["NAME"], lead["LAST_NAME"], lead["COMPANY_TITLE"])
    return " ".join(word for word in words if word).upper()


def item_encoder(portal: Portal, select: Any, original_names: bool) -> Callable[[Row], bytes]:
    """Return the function that encodes a lead as an item of the selected fields; unknown names are dropped."""
    names = frozenset(str(name) for name in php.values(select)) if select else frozenset()
    whole = not names or "*" in names
    if not whole and original_names and portal.quirks.original_uf_names_bug:
        names = frozenset(names & portal.userfield_map.keys())
    elif not whole:
        names = (names - {"fm", "observers", "contactIds"}) | {"id"}
    style = (portal.quirks.item_boolean_uf, portal.schema_version, original_names)
    cached = portal.store.encoding(("item", names, style))

    def encode_row(row: Row) -> bytes:
        present = portal.store.holds(row)
        found = cached.get(row.id) if present else None
        if found is None:
            item = item_of(portal, row, original_names)
            found = encode(item if whole else {name: value for name, value in item.items() if name in names})
            if present:
                cached[row.id] = found
        return found

    return encode_row


def classic_fields(portal: Portal, fields: dict[str, Any]) -> dict[str, Any]:
    """Translate the fields of an item edit; unknown names are dropped."""
    customs = {field.item_name: name for name, field in portal.userfield_map.items()}
    classic: dict[str, Any] = {}
    for name, value in fields.items():
        known = CLASSIC_NAMES.get(name) or customs.get(name) or (name if name in portal.userfield_map else None)
        if known:
            classic[known] = value
    for key, entry in php.entries(fields.get("fm") or {}):
        if not isinstance(entry, dict):
            continue
        edit = {"VALUE": entry.get("value"), "VALUE_TYPE": entry.get("valueType")}
        if not key.startswith("n"):
            edit["ID"] = key
        classic.setdefault(str(entry.get("typeId")), []).append(edit)
    return classic
