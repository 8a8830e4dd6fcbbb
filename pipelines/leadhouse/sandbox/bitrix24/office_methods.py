"""Dictionaries, users, stage history and the portal's own facts (reference: bitrix24 section 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import times
from .answers import Answer
from .errors import Refusal, domain, invalid_argument
from .filters import Condition, split_key, test_of
from .listing import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from .fields import Kind
    from .portal import Portal

_HISTORY_KINDS: dict[str, Kind] = {
    "ID": "integer",
    "TYPE_ID": "integer",
    "OWNER_ID": "integer",
    "CREATED_TIME": "datetime",
    "STATUS_SEMANTIC_ID": "ref",
    "STATUS_ID": "ref",
}
_LEAD = 1


def _paged(rows: list[Any], start: int, wrap: Callable[[list[Any]], Any] = list) -> Answer:
    if start < 0:
        return Answer(wrap(rows[:PAGE]))
    begin = start // PAGE * PAGE
    following = begin + PAGE
    return Answer(wrap(rows[begin:following]), len(rows), following if following < len(rows) else None)


def _sorted(rows: list[dict[str, Any]], order: Any, default: str) -> list[dict[str, Any]]:
    for name, direction in reversed(php.entries(order) if order else [(default, "ASC")]):
        if rows and name in rows[0]:
            rows.sort(key=lambda row: _comparable(row[name]), reverse=str(direction).upper() != "ASC")
    return rows


def _comparable(value: Any) -> tuple[int, str]:
    text = "" if value is None else str(value)
    return (int(text), "") if text.isdigit() else (0, text)


def status_list(portal: Portal, params: php.Params) -> Answer:
    """``crm.status.list``: all rows at once."""
    rows = portal.statuses()
    for key, value in php.entries(php.pick(params, "filter", "FILTER") or {}):
        operator, name = split_key(key)
        if name == "ENTITY_ID" and php.is_array(value):
            raise domain("Filter by ENTITY_ID must be a string")
        if rows and name in rows[0]:
            rows = [row for row in rows if (str(row[name]) == str(value)) == (operator == "=")]
    rows = _sorted(rows, php.pick(params, "order", "ORDER"), "ID")
    return Answer(rows, total=len(rows))


def user_get(portal: Portal, params: php.Params) -> Answer:
    """``user.get``: 50 a page."""
    rows = portal.users()
    wanted = php.pick(params, "FILTER", "filter") or {key: params[key] for key in ("ID", "ACTIVE") if key in params}
    for key, value in php.entries(wanted):
        name = split_key(key)[1].upper()
        if name == "ACTIVE":
            active = str(value).upper() in {"1", "Y", "TRUE"}
            rows = [row for row in rows if row["ACTIVE"] is active]
        elif rows and name in rows[0]:
            allowed = {str(entry) for entry in php.values(value)}
            rows = [row for row in rows if str(row[name]) in allowed]
    return _paged(rows, php.integer(php.pick(params, "start", "START")))


def user_current(portal: Portal, _: php.Params) -> Answer:
    """``user.current``."""
    own = [row for row in portal.users() if row["ID"] == str(portal.user_id)]
    return Answer(own[0] if own else [])


def profile(portal: Portal, _: php.Params) -> Answer:
    """``profile``."""
    own = next((row for row in portal.users() if row["ID"] == str(portal.user_id)), {})
    name, last = own.get("NAME", ""), own.get("LAST_NAME", "")
    return Answer({"ID": str(portal.user_id), "ADMIN": True, "NAME": name, "LAST_NAME": last, "TIME_ZONE": ""})


def currency_list(portal: Portal, params: php.Params) -> Answer:
    """``crm.currency.list``; its total is of no use (0, as seen in the vendor's samples)."""
    return Answer(_sorted(portal.currencies(), php.pick(params, "order", "ORDER"), "SORT"), total=0)


def stage_history(portal: Portal, params: php.Params) -> Answer:
    """``crm.stagehistory.list``."""
    if "entityTypeId" not in params:
        raise Refusal(400, 100, "Could not find value for parameter {entityTypeId}")
    if php.integer(params["entityTypeId"]) != _LEAD:
        raise Refusal(400, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type is not supported")
    conditions = []
    low = 0
    for key, value in php.entries(params.get("filter") or {}):
        operator, name = split_key(key)
        if name not in _HISTORY_KINDS:
            raise invalid_argument(f"Invalid filter: field '{name}' is not allowed in filter")
        if name == "ID" and operator in {">", ">="} and not php.is_array(value):
            low = max(low, php.integer(value) + (operator == ">"))
        else:
            conditions.append(Condition(name, _HISTORY_KINDS[name], operator, value))
    tests = [test_of(condition, portal.zone) for condition in conditions]
    order = php.entries(params.get("order") or {"ID": "ASC"})
    start = php.integer(params.get("start"))
    names = {str(name) for name in php.values(params["select"])} if params.get("select") else {"*"}
    simple = not tests and order[0][0] == "ID" and str(order[0][1]).upper() == "ASC"

    def wrap(rows: list[dict[str, Any]]) -> dict[str, Any]:
        chosen = rows if "*" in names else [{k: v for k, v in row.items() if k in names or k == "ID"} for row in rows]
        return {"items": chosen}

    if simple:
        events = portal.history.page(low, 0 if start < 0 else start // PAGE * PAGE, PAGE)
        rows = [event.row(portal.zone) for event in events]
        total = portal.history.count_from(low)
        following = start // PAGE * PAGE + PAGE
        if start < 0:
            return Answer(wrap(rows))
        return Answer(wrap(rows), total, following if following < total else None)
    found = [row for row in (event.row(portal.zone) for event in portal.history.from_id(low)) if _all(tests, row)]
    return _paged(_sorted(found, dict(order), "ID"), start, wrap)


def _all(tests: list[Callable[[dict[str, Any]], bool]], row: dict[str, Any]) -> bool:
    return all(test(row) for test in tests)


def server_time(portal: Portal, _: php.Params) -> Answer:
    """``server.time``."""
    return Answer(times.iso(portal.clock.second(), portal.zone))


def scope(portal: Portal, _: php.Params) -> Answer:
    """``scope``."""
    return Answer(list(portal.quirks.scopes))


def settings_mode(_: Portal, __: php.Params) -> Answer:
    """``crm.settings.mode.get``: 1, the classic CRM with leads."""
    return Answer(1)


METHODS: dict[str, Callable[[Portal, php.Params], Answer]] = {
    "crm.status.list": status_list,
    "crm.currency.list": currency_list,
    "crm.stagehistory.list": stage_history,
    "crm.settings.mode.get": settings_mode,
    "user.get": user_get,
    "user.current": user_current,
    "profile": profile,
    "server.time": server_time,
    "scope": scope,
}
