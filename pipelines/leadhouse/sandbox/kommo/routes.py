"""Which path answers what."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import card_lists, event_lists, settings_lists, writes
from .problems import Problem, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .account import Account
    from .card_lists import Answer
    from .request import Request

    Route = Callable[[Account, Request], Answer]


def _reading(path: str, route: Route, one: Route | None = None) -> dict[str, Mapping[str, Route]]:
    found: dict[str, Mapping[str, Route]] = {path: {"GET": route}}
    return found | ({f"{path}/{{id}}": {"GET": one}} if one else {})


_API = "/api/v4"
ROUTES: dict[str, Mapping[str, Route]] = {
    **_reading(f"{_API}/account", settings_lists.account_itself),
    **_reading(f"{_API}/users", settings_lists.users, settings_lists.users),
    **_reading(f"{_API}/leads/pipelines", settings_lists.pipelines, settings_lists.pipelines),
    **_reading(f"{_API}/leads/pipelines/{{id}}/statuses", settings_lists.statuses, settings_lists.statuses),
    **_reading(f"{_API}/leads/loss_reasons", settings_lists.loss_reasons, settings_lists.loss_reasons),
    **_reading(f"{_API}/leads/tags", settings_lists.tags),
    **_reading(f"{_API}/leads/{{id}}/links", card_lists.lead_links),
    **_reading(f"{_API}/events", event_lists.list_events),
    **_reading(f"{_API}/events/types", event_lists.event_types),
}
for _entity in ("leads", "contacts", "companies"):
    _path = f"{_API}/{_entity}"
    _list, _one = (partial(answer, entity=_entity) for answer in (card_lists.list_cards, card_lists.one_card))
    _fields = partial(settings_lists.custom_fields, entity=_entity)
    ROUTES |= _reading(_path, _list, _one) | _reading(f"{_path}/custom_fields", _fields, _fields)
ROUTES[f"{_API}/leads"] = {**ROUTES[f"{_API}/leads"], "POST": writes.create, "PATCH": writes.update}
ROUTES[f"{_API}/leads/{{id}}"] = {**ROUTES[f"{_API}/leads/{{id}}"], "PATCH": writes.update_one}
ROUTES[f"{_API}/leads/complex"] = {"POST": writes.create_complex}
LISTS = frozenset({*(f"{_API}/{name}" for name in ("leads", "contacts", "companies", "events"))})


def routed(request: Request) -> Route:
    """Return what answers a request; Problem 404 for an unknown path, 405 for a verb it does not take."""
    found = ROUTES.get(request.name)
    if found is None:
        raise not_found(request.verb, f"{request.url}?{request.query}" if request.query else request.url)
    if request.verb not in found:
        raise Problem(405, f"Method {request.verb} is not allowed")
    return found[request.verb]
