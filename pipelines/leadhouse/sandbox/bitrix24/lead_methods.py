"""The classic methods ``crm.lead.*`` (reference: bitrix24 sections 5 and 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import listing
from .answers import Answer, Page, Single
from .errors import Refusal, domain
from .fields import MULTIFIELDS, TYPES, kind
from .filters import NO_ROWS, Condition, Query, compile_query, split_key
from .selection import normal_select, row_encoder

if TYPE_CHECKING:
    from collections.abc import Callable

    from .portal import Portal
    from .store import Row


def _argument(params: php.Params, name: str) -> Any:
    value = php.pick(params, name, name.upper(), name.capitalize(), f"ar{name.capitalize()}")
    if value is not None and not php.is_array(value):
        raise Refusal(400, "", f"Parameter '{name}' must be array.")
    return value


def _kind(portal: Portal, name: str) -> Any:
    if name in MULTIFIELDS:
        return "string"
    if name in portal.userfield_map:
        return portal.userfield_map[name].kind
    return kind(name) if name in TYPES else None


def classic_query(portal: Portal, wanted: Any) -> Query:
    """Compile the filter of ``crm.lead.list``; unknown keys are dropped without a word."""
    conditions = []
    for key, value in php.entries(wanted or {}):
        operator, name = split_key(key)
        found = _kind(portal, name)
        if found is None or (name in MULTIFIELDS and operator != "="):
            continue
        if name == "ID" and php.is_array(value) and operator in {">", ">=", "<", "<="} and not portal.quirks.array_cast:
            return NO_ROWS
        conditions.append(Condition(name, found, operator, value))
    return compile_query(conditions, portal.zone, repr(conditions))


def classic_order(portal: Portal, wanted: Any) -> tuple[listing.Sorting, ...]:
    """Return the keys of an order; unknown fields are dropped, any direction but ASC is descending."""
    order = []
    for name, direction in php.entries(wanted or {}):
        found = _kind(portal, name)
        if found is None or name in MULTIFIELDS:
            continue
        ranks: tuple[tuple[str, int], ...] = ()
        if name == "STATUS_ID":
            stages = [row for row in portal.statuses() if row["ENTITY_ID"] == "STATUS"]
            ranks = tuple((row["STATUS_ID"], int(row["SORT"])) for row in stages)
        order.append(listing.Sorting(name, found, str(direction).upper() != "ASC", ranks))
    return tuple(order)


def find(portal: Portal, query: Query, order: tuple[listing.Sorting, ...], start: int) -> tuple[list[Row], int, int]:
    """Return a page from a position on, the position and the total; a negative start does not count."""
    store = portal.store
    if start < 0 and (not order or (order[0].field == "ID" and not order[0].descending)):
        return listing.first_page(store, query), 0, 0
    ids = listing.ordered(store, query, order)
    total = len(ids)
    if portal.quirks.total_cap is not None:
        total = min(total, portal.quirks.total_cap)
    begin = max(0, start) // listing.PAGE * listing.PAGE
    return [store.rows[id_] for id_ in ids[begin : begin + listing.PAGE]], begin, total


def lead_list(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.list``."""
    query = classic_query(portal, _argument(params, "filter"))
    order = classic_order(portal, _argument(params, "order"))
    encode_row = row_encoder(portal, normal_select(_argument(params, "select")))
    start = php.integer(php.pick(params, "start", "START"))
    rows, begin, total = find(portal, query, order, start)
    if start < 0:
        return Answer(Page(rows, encode_row), total=0)
    if begin >= total:
        rows, begin, total = find(portal, query, order, 0)
    following = begin + listing.PAGE
    return Answer(Page(rows[: total - begin], encode_row), total, following if following < total else None)


def lead_id(params: php.Params) -> int:
    """Return the id a call names."""
    value = php.pick(params, "id", "ID", "Id")
    id_ = php.integer(value) if not php.is_array(value) else 0
    if id_ <= 0 or (isinstance(value, str) and not value.strip().isdigit()):
        raise domain("ID is not defined or invalid.")
    return id_


def readable(portal: Portal, id_: int, missing: str = "Not found") -> Row:
    """Return the row of a lead that the webhook's user may see."""
    if id_ in portal.store.hidden:
        raise domain("Access denied.")
    if id_ not in portal.store.rows:
        raise domain(missing)
    return portal.store.rows[id_]


_WHOLE = frozenset({"*", "UF_*", *MULTIFIELDS})


def lead_get(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.get``."""
    row = readable(portal, lead_id(params))
    return Answer(Single([row], row_encoder(portal, _WHOLE)))


def _fields(params: php.Params) -> dict[str, Any]:
    fields = php.pick(params, "fields", "FIELDS")
    if fields is not None and not php.is_array(fields):
        raise Refusal(400, "", "Parameter 'fields' must be array.")
    return dict(php.entries(fields or {}))


def lead_add(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.add``."""
    return Answer(portal.add_lead(_fields(params)))


def lead_update(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.update``."""
    id_ = lead_id(params)
    readable(portal, id_)
    portal.update_lead(id_, _fields(params))
    return Answer(True)


def lead_delete(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.delete``."""
    id_ = lead_id(params)
    readable(portal, id_)
    portal.delete_lead(id_)
    return Answer(True)


def lead_fields(portal: Portal, _: php.Params) -> Answer:
    """``crm.lead.fields``."""
    return Answer(portal.lead_fields())


def contact_items(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.contact.items.get``."""
    id_ = lead_id(params)
    if id_ not in portal.store.rows:
        raise Refusal(400, "NOT_FOUND", "Not found")
    return Answer(
        [
            {"CONTACT_ID": contact, "SORT": 10 * (position + 1), "ROLE_ID": 0, "IS_PRIMARY": "N" if position else "Y"}
            for position, contact in enumerate(portal.contacts_of(id_))
        ]
    )


def productrows(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.productrows.get``."""
    id_ = php.integer(php.pick(params, "id", "ID"))
    if id_ <= 0:
        raise domain("The parameter id is invalid or not defined.")
    readable(portal, id_)
    return Answer(portal.productrows.get(id_, []))


_FILTERS = frozenset(
    {
        "ID", "FIELD_NAME", "USER_TYPE_ID", "XML_ID", "SORT", "MULTIPLE", "MANDATORY", "SHOW_FILTER", "SHOW_IN_LIST",
        "EDIT_IN_LIST", "IS_SEARCHABLE",
    }
)  # fmt: skip


def userfield_list(portal: Portal, params: php.Params) -> Answer:
    """``crm.lead.userfield.list``: all rows at once; labels for ``filter.LANG`` only."""
    wanted = dict(php.entries(_argument(params, "filter") or {}))
    lang = wanted.pop("LANG", None)
    rows = [field.row(str(lang) if lang else None) for field in portal.userfield_map.values()]
    for key, value in wanted.items():
        if key in _FILTERS:
            rows = [row for row in rows if str(row[key]) in {str(entry) for entry in php.values(value)}]
    order = php.entries(_argument(params, "order") or {"SORT": "ASC", "ID": "ASC"})
    for key, direction in reversed(order):
        if key in _FILTERS:
            rows.sort(key=lambda row: _sortable(row[key]), reverse=str(direction).upper() != "ASC")
    return Answer(rows, total=len(rows))


def _sortable(value: Any) -> tuple[int, str]:
    return (int(value), "") if str(value).isdigit() else (0, str(value))


METHODS: dict[str, Callable[[Portal, php.Params], Answer]] = {
    "crm.lead.list": lead_list,
    "crm.lead.get": lead_get,
    "crm.lead.add": lead_add,
    "crm.lead.update": lead_update,
    "crm.lead.delete": lead_delete,
    "crm.lead.fields": lead_fields,
    "crm.lead.contact.items.get": contact_items,
    "crm.lead.productrows.get": productrows,
    "crm.lead.userfield.list": userfield_list,
}
