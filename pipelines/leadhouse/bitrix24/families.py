"""The two API families that read leads, `crm.lead.*` and its successor `crm.item.*`, seen as one.

Only what differs on the wire stands here: names, the shape of a page, and how a command points to an earlier page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from leadhouse.bitrix24.client import PAGE_ROWS, Command

FamilyName = Literal["lead", "item"]

MULTIFIELDS: Mapping[str, str] = {
    "PHONE": "lead_phones",
    "EMAIL": "lead_emails",
    "IM": "lead_ims",
    "WEB": "lead_webs",
    "LINK": "lead_links",
}

# Classic names that crm.item.* spells otherwise than by lower-camel case (reference: field map of crm.item).
_RENAMED: Mapping[str, str] = {
    "stageId": "STATUS_ID",
    "stageSemanticId": "STATUS_SEMANTIC_ID",
    "createdBy": "CREATED_BY_ID",
    "updatedBy": "MODIFY_BY_ID",
    "movedBy": "MOVED_BY_ID",
    "createdTime": "DATE_CREATE",
    "updatedTime": "DATE_MODIFY",
}

# What crm.item.* adds to a lead and crm.lead.* does not have: derived, disabled or other objects' rows.
ITEM_ONLY = frozenset(
    (
        *("entityTypeId", "dateCreateShort", "dateModifyShort", "isConvert", "productId", "shortName", "login"),
        *("phone", "phoneMobile", "phoneWork", "phoneMailing", "email", "emailHome", "emailWork", "emailMailing"),
        *("skype", "icq", "imol", "webformId", "searchContent", "observers", "contactIds", "contacts", "address"),
    )
)

# Standard fields that crm.lead.fields describes and crm.lead.list never returns.
NOT_LISTED = frozenset(("CONTACT_IDS", "CONTACTS"))


@dataclass(frozen=True, slots=True)
class Family:
    """One of the two families; `id_field`, `modified_field` and `list_method` as they stand on the wire."""

    name: FamilyName
    list_method: str
    fields_method: str
    id_field: str
    modified_field: str

    def page(self, after: str, lower: datetime | None, until: datetime | None) -> Command:
        """Return the command for the 50 leads that follow id `after` (a number or a reference)."""
        params = self._filters(lower, until)
        params.append((f"filter[>{self.id_field}]", after))
        params.append((f"order[{self.id_field}]", "ASC"))
        return self._listing(params, full=True)

    def newest(self, lower: datetime | None, until: datetime | None) -> Command:
        """Return the command for the ids of the last 50 leads of the window: tells whether a page was its end."""
        params = self._filters(lower, until)
        params.append((f"order[{self.id_field}]", "DESC"))
        return self._listing(params, full=False)

    def recent(self) -> Command:
        """Return the command for ids and times of the 50 leads modified last, whatever the window."""
        return self._listing([(f"order[{self.modified_field}]", "DESC")], full=False)

    def ids(self, after: str, through: int | None = None) -> Command:
        """Return the command for ids and times of the 50 leads that follow id `after` (a number or a reference)."""
        return self._listing([*self._between(after, through), (f"order[{self.id_field}]", "ASC")], full=False)

    def remaining(self, after: int, lower: datetime | None, until: datetime | None) -> Command:
        """Return the command that counts the leads of a window with ids above `after`."""
        params = [*self._filters(lower, until), *self._between(str(after), None), (f"order[{self.id_field}]", "ASC")]
        return self._listing(params, full=False, start=0)

    def count(self, after: int, through: int) -> Command:
        """Return the command that counts the leads with `after` < id <= `through`, and lists the first 50 ids."""
        params = [*self._between(str(after), through), (f"order[{self.id_field}]", "ASC")]
        return self._listing(params, full=False, start=0)

    def some(self, ids: Sequence[int], *, full: bool) -> Command:
        """Return the command for up to 50 leads by their ids, whole or ids and times only."""
        params = [(f"filter[@{self.id_field}][]", str(number)) for number in ids]
        return self._listing([*params, (f"order[{self.id_field}]", "ASC")], full=full)

    def one(self, number: int) -> Command:
        """Return the command for one lead; it tells leads that are gone from leads that are out of sight."""
        if self.name == "item":
            return Command("crm.item.get", [("entityTypeId", "1"), ("id", str(number))])
        return Command("crm.lead.get", [("id", str(number))])

    def _between(self, after: str, through: int | None) -> list[tuple[str, str]]:
        last = [] if through is None else [(f"filter[<={self.id_field}]", str(through))]
        return [(f"filter[>{self.id_field}]", after), *last]

    def _filters(self, lower: datetime | None, until: datetime | None) -> list[tuple[str, str]]:
        """Times as ISO 8601 in the portal's own offset: the form that every portal reads alike."""
        bounds = ((">=", lower), ("<", until))
        return [(f"filter[{sign}{self.modified_field}]", at.isoformat()) for sign, at in bounds if at is not None]

    def _listing(self, params: list[tuple[str, str]], *, full: bool, start: int = -1) -> Command:
        if self.name == "item":
            select = ["*"] if full else [self.id_field, self.modified_field]
            params.append(("entityTypeId", "1"))
        else:
            select = ["*", "UF_*", *MULTIFIELDS] if full else [self.id_field, self.modified_field]
        params.extend(("select[]", name) for name in select)
        params.append(("start", str(start)))
        return Command(self.list_method, params)

    def last_id_of(self, key: str) -> str:
        """Return the reference to the id of the 50th lead of page `key`."""
        items = "[items]" if self.name == "item" else ""
        return f"$result[{key}]{items}[{PAGE_ROWS - 1}][{self.id_field}]"

    def describe(self) -> Command:
        """Return the command for the fields' metadata."""
        return Command(self.fields_method, [("entityTypeId", "1")] if self.name == "item" else [])

    def rows(self, result: msgspec.Raw) -> msgspec.Raw:
        """Return the JSON list of leads in a page's result.

        Raises:
            msgspec.MsgspecError: the result has another shape.
        """
        return msgspec.json.decode(result, type=_Items).items if self.name == "item" else result

    def as_page(self, result: msgspec.Raw) -> msgspec.Raw:
        """Return the answer for one lead as a page of one.

        Raises:
            msgspec.MsgspecError: the result has another shape.
        """
        if self.name == "lead":
            return msgspec.Raw(b"[" + bytes(result) + b"]")
        return msgspec.Raw(b'{"items":[' + bytes(msgspec.json.decode(result, type=_Item).item) + b"]}")

    def descriptions(self, result: msgspec.Raw) -> dict[str, dict[str, Any]]:
        """Return the fields' metadata by wire name.

        Raises:
            msgspec.MsgspecError: the result has another shape.
        """
        if self.name == "item":
            return msgspec.json.decode(result, type=_Described).fields
        return msgspec.json.decode(result, type=dict[str, dict[str, Any]])

    def classic_name(self, wire: str, description: Mapping[str, Any]) -> str:
        """Return the classic name (crm.lead.*) of a field as this family calls it."""
        if self.name == "lead":
            return wire
        upper = description.get("upperName")
        if wire.startswith(("uf", "UF")) and isinstance(upper, str) and upper:
            return upper
        return _RENAMED.get(wire) or classic(wire)


class _Items(msgspec.Struct):
    items: msgspec.Raw


class _Item(msgspec.Struct):
    item: msgspec.Raw


class _Described(msgspec.Struct):
    fields: dict[str, dict[str, Any]]


def classic(camel: str) -> str:
    """`lastActivityTime` is LAST_ACTIVITY_TIME, `parentId1222` PARENT_ID_1222, `ufCrm_17` UF_CRM_17."""
    out: list[str] = []
    for at, char in enumerate(camel):
        word_begins = char.isupper() or (char.isdigit() and not camel[at - 1].isdigit())
        if at and word_begins and camel[at - 1] != "_":
            out.append("_")
        out.append(char.upper())
    return "".join(out)


LEAD = Family("lead", "crm.lead.list", "crm.lead.fields", "ID", "DATE_MODIFY")
ITEM = Family("item", "crm.item.list", "crm.item.fields", "id", "updatedTime")
FAMILIES: Mapping[FamilyName, Family] = {"lead": LEAD, "item": ITEM}
