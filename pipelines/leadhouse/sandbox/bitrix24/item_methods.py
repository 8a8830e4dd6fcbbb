"""The universal methods ``crm.item.*`` for leads, entityTypeId 1 (reference: bitrix24 section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import listing, times
from .answers import Answer, Page, Single
from .errors import Refusal, invalid_argument
from .fields import CLASSIC_NAMES, item_fields, kind
from .filters import Condition, Query, compile_query, split_key, test_of
from .items import ENTITY_TYPE_ID, classic_fields, item_encoder
from .lead_methods import find

if TYPE_CHECKING:
    from collections.abc import Callable

    from .portal import Portal
    from .store import Lead, Row

_ARRAYS_ALLOWED = frozenset({"in", "!in", "=", "!=", "!", "between", "!between"})


def _entity(params: php.Params) -> None:
    if "entityTypeId" not in params:
        raise Refusal(400, 100, "Could not find value for parameter {entityTypeId}")
    if php.integer(params["entityTypeId"]) != ENTITY_TYPE_ID:
        raise Refusal(400, "NOT_FOUND", "Смарт-процесс не найден")


def _known(portal: Portal, name: str) -> tuple[str, Any] | None:
    if name in CLASSIC_NAMES:
        return CLASSIC_NAMES[name], kind(CLASSIC_NAMES[name])
    for field in portal.userfield_map.values():
        if name in (field.item_name, field.name):
            return field.name, field.kind
    return None


@dataclass
class _Group:
    conditions: list[Condition]
    groups: list[_Group]
    any_of: bool = False

    def test(self, portal: Portal) -> Callable[[Lead], bool]:
        tests = [test_of(condition, portal.zone) for condition in self.conditions]
        tests += [group.test(portal) for group in self.groups]
        verdict = any if self.any_of else all
        return lambda lead: verdict(test(lead) for test in tests)


def _shifted(portal: Portal, value: Any) -> Any:
    second = times.parse_datetime(value, portal.zone)
    return value if second is None else portal.iso(second + int(portal.quirks.item_filter_shift * 3600))


def _group(portal: Portal, wanted: Any) -> _Group:
    group = _Group([], [])
    for key, value in php.entries(wanted):
        if key == "logic":
            group.any_of = str(value).upper() == "OR"
            continue
        if key.isdigit() and php.is_array(value):
            group.groups.append(_group(portal, value))
            continue
        operator, name = split_key(key)
        known = _known(portal, name)
        if known is None:
            raise invalid_argument(f"Invalid filter: field '{name}' is not allowed in filter")
        if php.is_array(value) and operator not in _ARRAYS_ALLOWED:
            raise invalid_argument(f"Invalid filter: field '{name}' has invalid value")
        if known[1] == "datetime" and portal.quirks.item_filter_shift and not php.is_array(value):
            value = _shifted(portal, value)  # noqa: PLW2901 - the same condition, read in another zone
        group.conditions.append(Condition(*known, operator, value))
    return group


def item_query(portal: Portal, wanted: Any) -> Query:
    """Compile the filter of ``crm.item.list``; unknown fields and arrays out of place are refused."""
    if wanted is not None and not php.is_array(wanted):
        raise invalid_argument("Invalid filter: filter must be an array")
    group = _group(portal, wanted or {})
    key = ("item", repr(group))
    if group.any_of:
        return Query(key, tests=(group.test(portal),))
    plain = compile_query(group.conditions, portal.zone, key)
    tests = (*plain.tests, *(inner.test(portal) for inner in group.groups))
    return Query(key, plain.low, plain.high, plain.ids, plain.since, plain.until, tests, plain.nothing)


def _order(portal: Portal, wanted: Any) -> tuple[listing.Sorting, ...]:
    order = []
    for name, direction in php.entries(wanted or {}):
        known = _known(portal, name)
        if known is None:
            raise invalid_argument(f"Invalid order: field '{name}' is not allowed in order")
        if str(direction).upper() not in {"ASC", "DESC"}:
            text = f"allowed sort directions are `ASC, DESC`. But got '{direction}' for field '{name}'"
            raise invalid_argument(f"Invalid order: {text}")
        order.append(listing.Sorting(*known, str(direction).upper() == "DESC"))
    return tuple(order)


def _original_names(params: php.Params) -> bool:
    return str(params.get("useOriginalUfNames", "N")).upper() in {"Y", "1", "TRUE"}


def item_list(portal: Portal, params: php.Params) -> Answer:
    """``crm.item.list``."""
    _entity(params)
    query = item_query(portal, params.get("filter"))
    order = _order(portal, params.get("order"))
    encode_row = item_encoder(portal, params.get("select"), _original_names(params))
    start = php.integer(params.get("start"))
    rows, begin, total = find(portal, query, order, start)
    page = Page(rows if start < 0 else rows[: max(0, total - begin)], encode_row, item=True)
    if start < 0:
        return Answer(page)
    following = begin + listing.PAGE
    return Answer(page, total, following if following < total else None)


def _row(portal: Portal, params: php.Params) -> Row:
    _entity(params)
    if "id" not in params:
        raise Refusal(400, 100, "Could not find value for parameter {id}")
    id_ = php.integer(params["id"])
    if id_ in portal.store.hidden:
        raise Refusal(400, "ACCESS_DENIED", "Доступ запрещён")
    if id_ not in portal.store.rows:
        raise Refusal(400, "NOT_FOUND", "Элемент не найден")
    return portal.store.rows[id_]


def _single(portal: Portal, row: Row, params: php.Params) -> Answer:
    return Answer(Single([row], item_encoder(portal, None, _original_names(params)), item=True))


def item_get(portal: Portal, params: php.Params) -> Answer:
    """``crm.item.get``."""
    return _single(portal, _row(portal, params), params)


def item_add(portal: Portal, params: php.Params) -> Answer:
    """``crm.item.add``."""
    _entity(params)
    id_ = portal.add_lead(classic_fields(portal, dict(php.entries(params.get("fields") or {}))))
    return _single(portal, portal.store.rows[id_], params)


def item_update(portal: Portal, params: php.Params) -> Answer:
    """``crm.item.update``."""
    row = _row(portal, params)
    portal.update_lead(row.id, classic_fields(portal, dict(php.entries(params.get("fields") or {}))))
    return _single(portal, portal.store.rows[row.id], params)


def item_delete(portal: Portal, params: php.Params) -> Answer:
    """``crm.item.delete``."""
    portal.delete_lead(_row(portal, params).id)
    return Answer([])


def item_field_list(portal: Portal, params: php.Params) -> Answer:
    """``crm.item.fields``."""
    _entity(params)
    fields = item_fields()
    original = _original_names(params)
    for name, field in portal.userfield_map.items():
        fields[name if original else field.item_name] = field.meta(item=True)
    return Answer({"fields": fields})


METHODS: dict[str, Callable[[Portal, php.Params], Answer]] = {
    "crm.item.list": item_list,
    "crm.item.get": item_get,
    "crm.item.add": item_add,
    "crm.item.update": item_update,
    "crm.item.delete": item_delete,
    "crm.item.fields": item_field_list,
}
