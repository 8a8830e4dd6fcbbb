"""Events and their types (reference: kommo section 11)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import filters, listing
from .card_lists import EMPTY
from .events import TYPES
from .problems import Problem, forbidden

if TYPE_CHECKING:
    from .account import Account
    from .card_lists import Answer
    from .events import Event
    from .request import Request

_MOST = 10


def list_events(account: Account, request: Request) -> Answer:
    """Answer a page of events."""
    switches = account.switches
    if switches.events_forbidden:
        raise forbidden()
    page = listing.page_number(request.params)
    limit = listing.page_limit(request.params, switches, switches.events_limit)
    if switches.early_204_at_page == page:
        if switches.early_204 == "once":
            switches.early_204_at_page = None
        return EMPTY
    wanted = request.params.get("filter")
    found = _found(account, wanted if isinstance(wanted, dict) and not request.struck_by("filter_ignored") else {})
    if switches.events_order == "desc":
        found.reverse()
    elif switches.events_order == "mixed":
        random.Random(1).shuffle(found)
    shown = found[(page - 1) * limit : page * limit]
    if not shown:
        return EMPTY
    more = len(found) > page * limit or (switches.next_on_exact_multiple and len(found) == page * limit)
    rows = [event.row(account.account_id, request.base) for event in shown]
    links = listing.links(request.url, request.pairs, page, limit, more=more)
    return 200, {"_page": page, "_links": links, "_embedded": {"events": rows}}


def _csv(value: Any) -> set[str]:
    return {name for item in php.values(value) for name in str(item).split(",") if name}


def _found(account: Account, wanted: dict[str, Any]) -> list[Event]:
    bounds = account.switches.bounds
    times = wanted.get("created_at")
    low, high = filters.bounds_of(times, bounds)
    if times is not None and not isinstance(times, dict):
        low, high = (None if low is None else low + 1), None
    found = account.log_of_events.between(low, high)
    for name, read in (
        ("id", lambda event: event.id()),
        ("created_by", lambda event: str(event.by)),
        ("entity", lambda event: event.entity),
        ("entity_id", lambda event: str(event.entity_id)),
    ):
        if name not in wanted:
            continue
        texts = _csv(wanted[name])
        if name in {"created_by", "entity_id"} and len(texts) > _MOST:
            raise Problem(400, f"Filter {name} takes {_MOST} values at most")
        if name == "entity_id" and len(_csv(wanted.get("entity", ""))) != 1:
            raise Problem(400, "Filter entity_id needs exactly one entity")
        found = [event for event in found if read(event) in texts]
    if "type" in wanted:
        types = _csv(wanted["type"])
        found = [event for event in found if event.is_a(types)]
    for name in ("value_before", "value_after"):
        if isinstance(wanted.get(name), dict):
            found = [event for event in found if _valued(getattr(event, name.removeprefix("value_")), wanted[name])]
    return found


def _valued(values: Any, wanted: dict[str, Any]) -> bool:
    pairs = filters.statuses(wanted.get("leads_statuses", []))
    people = _csv(wanted.get("responsible_user_id", ""))
    for value in values:
        status = value.get("lead_status")
        if status and (status["pipeline_id"], status["id"]) in pairs:
            return True
        if str(value.get("responsible_user", {}).get("id")) in people:
            return True
    return False


def event_types(account: Account, request: Request) -> Answer:
    """Answer the types of events."""
    if account.switches.events_forbidden:
        raise forbidden()
    rows = [{"key": key, "type": number, "lang": label} for key, (number, label) in TYPES.items()]
    rows += [
        {"key": f"custom_field_{own.id}_value_changed", "type": 30, "lang": own.name}
        for fields in account.fields.values()
        for own in fields.values()
    ]
    body = {"_total_items": len(rows), "_links": {"self": {"href": request.url}}, "_embedded": {"events_types": rows}}
    return 200, body
