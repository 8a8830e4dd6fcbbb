"""Leads of an invented portal, decoded as the source decodes them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from leadhouse.bitrix24.client import Batch
from leadhouse.bitrix24.decode import LeadBatch
from leadhouse.bitrix24.dictionaries import Dictionaries
from leadhouse.bitrix24.families import LEAD, Family
from leadhouse.bitrix24.lead_pages import LeadPages
from leadhouse.columns import Kind
from unit.scripted import ScriptedTransport, by_method, scripted

USER_TYPES = {
    "UF_CRM_TEXT": "string",
    "UF_CRM_WHOLE": "integer",
    "UF_CRM_DOUBLE": "double",
    "UF_CRM_FLAG": "boolean",
    "UF_CRM_TIME": "datetime",
    "UF_CRM_DATE": "date",
    "UF_CRM_MONEY": "money",
    "UF_CRM_LIST": "enumeration",
    "UF_CRM_FILE": "file",
    "UF_CRM_LINK": "crm",
}
MULTIPLE = {f"{name}S": told for name, told in USER_TYPES.items()}
USERFIELDS = [
    {"FIELD_NAME": name, "USER_TYPE_ID": told, "MULTIPLE": multiple}
    for types, multiple in ((USER_TYPES, "N"), (MULTIPLE, "Y"))
    for name, told in types.items()
]


def wire(name: str) -> str:
    """Return the name that crm.item has for one of these user fields."""
    return "ufCrm" + name.removeprefix("UF_CRM_").capitalize()


def described(family: Family) -> dict[str, Any]:
    """Return the metadata of the portal's fields."""
    if family is LEAD:
        return {"ID": {"type": "integer"}, **{row["FIELD_NAME"]: {"type": row["USER_TYPE_ID"]} for row in USERFIELDS}}
    return {"fields": {"id": {}, **{wire(row["FIELD_NAME"]): {"upperName": row["FIELD_NAME"]} for row in USERFIELDS}}}


class LeadDesk:
    """Decodes leads of the portal in one family; `transport` shows what it was asked."""

    transport: ScriptedTransport

    def __init__(
        self, family: Family = LEAD, *, region: str | None = None, stored: Mapping[str, Kind] | None = None
    ) -> None:
        fields = described(family)
        userfields = {"result": {"userfields0": USERFIELDS}, "result_error": [], "result_next": [], "result_time": []}
        client, self.transport, _ = scripted(by_method({family.fields_method: fields, "batch": userfields}))
        dictionaries = Dictionaries(client)
        dictionaries.take(_batch({"userfields0": USERFIELDS, "statuses0": [], "currencies0": [], "users0": []}))
        self._family = family
        self.pages = LeadPages(
            client,
            family,
            dictionaries,
            msgspec.Raw(json.dumps(fields).encode()),
            region=region,
            stored=stored or {},
        )

    def decode(self, leads: Sequence[Mapping[str, Any]] | bytes) -> LeadBatch:
        """Return leads as tables; bytes are a page's JSON as it came."""
        told = leads if isinstance(leads, bytes) else json.dumps(leads).encode()
        page = told if self._family is LEAD else b'{"items":' + told + b"}"
        return self.pages.decode(self.pages.rows(msgspec.Raw(page)))

    def one(self, lead: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of one lead; the id is given."""
        row: dict[str, Any] = self.decode([{self._family.id_field: "7", **lead}]).leads.to_pylist()[0]
        return row

    def rows(self, table: str, lead: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the child rows of one lead."""
        children = self.decode([{self._family.id_field: "7", **lead}]).children
        found: list[dict[str, Any]] = children[table].to_pylist() if table in children else []
        return found


def _batch(results: Mapping[str, Any]) -> Batch:
    return Batch({key: msgspec.Raw(json.dumps(told).encode()) for key, told in results.items()}, {}, {}, None)
