"""Settings of an account: pipelines, users, loss reasons, custom fields, tags, the account itself (reference: 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import dictionaries, listing
from .card_lists import EMPTY
from .problems import Problem, forbidden

if TYPE_CHECKING:
    from .account import Account
    from .card_lists import Answer
    from .request import Request


def account_itself(account: Account, request: Request) -> Answer:
    """Answer the account; ``with`` adds settings."""
    wanted = request.wanted
    embedded: dict[str, Any] = {}
    body: dict[str, Any] = {
        "id": account.account_id,
        "name": "Acme Demo",
        "subdomain": account.subdomain,
        "created_at": 1_640_995_200,
        "created_by": 0,
        "updated_at": 1_735_689_600,
        "updated_by": 0,
        "current_user_id": account.user_id,
        "country": "GB",
        "currency": "GBP",
        "currency_symbol": "£",
        "customers_mode": "unavailable",
        "is_unsorted_on": True,
        "mobile_feature_version": 0,
        "is_loss_reason_enabled": True,
        "is_helpbot_enabled": False,
        "is_technical_account": False,
        "contact_name_display_order": 1,
        "_links": {"self": {"href": request.url}},
    }
    asked = {
        "is_api_filter_enabled": account.switches.filter_enabled,
        "amojo_id": "a223c6b3-710f-85df-22e9-377d6c4f7553",
        "version": 11,
        "drive_url": f"{request.base}/drive",
    }
    body |= {name: value for name, value in asked.items() if name in wanted}
    if "datetime_settings" in wanted:
        embedded["datetime_settings"] = _datetime_settings(account)
    if "users_groups" in wanted:
        embedded["users_groups"] = [{"id": 0, "name": "Sales", "uuid": None}, {"id": 512_001, "name": "Wholesale"}]
    if "task_types" in wanted:
        embedded["task_types"] = [{"id": 1, "name": "Follow-up", "color": None, "icon_id": None, "code": "FOLLOW_UP"}]
    return 200, {**body, **({"_embedded": embedded} if embedded else {})}


def _datetime_settings(account: Account) -> dict[str, str]:
    offset = account.clock.now().astimezone(account.zone).strftime("%z")
    return {
        "date_pattern": "d.m.Y H:i",
        "short_date_pattern": "d.m.Y",
        "short_time_pattern": "H:i",
        "date_formant": "d.m.Y",
        "time_format": "H:i:s",
        "timezone": str(account.zone),
        "timezone_offset": f"{offset[:3]}:{offset[3:]}",
    }


def _paged(account: Account, request: Request, name: str, rows: list[dict[str, Any]]) -> Answer:
    page, limit = listing.page_number(request.params), listing.page_limit(request.params, account.switches)
    shown = rows[(page - 1) * limit : page * limit]
    if not shown:
        return EMPTY
    pages = -(-len(rows) // limit)
    links = listing.links(request.url, request.pairs, page, limit, more=page < pages)
    if pages > 1:
        last = listing.query_text(request.pairs, pages, limit)
        links["last"] = {"href": f"{request.url}?{last}"}
    head = {"_total_items": len(rows), "_page": page, "_page_count": pages, "_links": links}
    return 200, {**head, "_embedded": {name: shown}}


def _whole(request: Request, name: str, rows: list[dict[str, Any]]) -> Answer:
    body = {"_total_items": len(rows), "_links": {"self": {"href": request.url}}, "_embedded": {name: rows}}
    return (200, body) if rows else EMPTY


def _pick(rows: list[dict[str, Any]], id_: int) -> dict[str, Any] | None:
    return next((row for row in rows if row["id"] == id_), None)


def _user(row: dict[str, Any], request: Request) -> dict[str, Any]:
    uuid, wanted = f"{row['id']:08x}-0000-4000-8000-000000000000", request.wanted
    asked = {"uuid": uuid, "amojo_id": uuid, "user_rank": "newbie", "phone_number": None}
    row = row | {name: value for name, value in asked.items() if name in wanted}
    embedded = {
        f"{name}s": dictionaries.embedded_of(row, request.base)[f"{name}s"]
        for name in ("role", "group")
        if name in wanted
    }
    return row | ({"_embedded": embedded} if embedded else {})


def users(account: Account, request: Request) -> Answer:
    """Answer users, all or one; for administrators only."""
    if account.switches.non_admin:
        raise forbidden()
    rows = [_user(row, request) for row in account.users(request.base)]
    if request.ids:
        row_of = _pick(rows, request.ids[0])
        return (200, row_of) if row_of else EMPTY
    return _paged(account, request, "users", rows)


def pipelines(account: Account, request: Request) -> Answer:
    """Answer all pipelines with their statuses, or one."""
    rows = account.pipelines(request.base)
    if not request.ids:
        return _whole(request, "pipelines", rows)
    row = _pick(rows, request.ids[0])
    if row is None:
        raise Problem(404, "Pipeline not found")
    return 200, row


def statuses(account: Account, request: Request) -> Answer:
    """Answer the statuses of a pipeline, all or one."""
    row = _pick(account.pipelines(request.base), request.ids[0])
    if row is None:
        raise Problem(404, "Pipeline not found")
    rows: list[dict[str, Any]] = row["_embedded"]["statuses"]
    if "descriptions" in request.wanted:
        rows = [{**status, "descriptions": []} for status in rows]
    if len(request.ids) == 1:
        return _whole(request, "statuses", rows)
    status = _pick(rows, request.ids[1])
    if status is None:
        raise Problem(404, "Status not found")
    return 200, status


def loss_reasons(account: Account, request: Request) -> Answer:
    """Answer all loss reasons, or one."""
    rows = account.loss_reasons(request.base)
    if not request.ids:
        return _whole(request, "loss_reasons", rows)
    row = _pick(rows, request.ids[0])
    if row is None:
        raise Problem(404, "Loss reason not found")
    return 200, row


def custom_fields(account: Account, request: Request, entity: str) -> Answer:
    """Answer the custom fields of an entity, all, of some types, or one."""
    rows = account.custom_fields(entity, request.base)
    if request.ids:
        row = _pick(rows, request.ids[0])
        return (200, row) if row else EMPTY
    wanted = request.params.get("filter")
    if isinstance(wanted, dict) and "type" in wanted:
        types = {str(value) for value in php.values(wanted["type"])}
        rows = [row for row in rows if row["type"] in types]
    order = request.params.get("order")
    for name, direction in php.entries(order) if isinstance(order, dict) else ():
        if name in {"sort", "id"}:
            rows.sort(key=lambda row, name=name: (row[name], row["id"]), reverse=str(direction).lower() == "desc")  # type: ignore[misc]
    return _paged(account, request, "custom_fields", rows)


def tags(account: Account, request: Request) -> Answer:
    """Answer the tags of leads."""
    return _paged(account, request, "tags", [dict(tag) for tag in account.tags])
