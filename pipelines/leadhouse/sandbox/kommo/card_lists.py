"""Leads, contacts and companies: lists and single ones (reference: kommo sections 4, 7, 9 and 10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import filters, listing
from .shape import View

if TYPE_CHECKING:
    from .account import Account
    from .listing import Ids, Keys
    from .request import Request
    from .store import Card

Answer = tuple[int, Any]
EMPTY: Answer = (204, None)
_SELECTING = ("filter", "order", "query")


def list_cards(account: Account, request: Request, entity: str) -> Answer:
    """Answer a list of cards."""
    switches = account.switches
    page = listing.page_number(request.params)
    limit = listing.page_limit(request.params, switches)
    if switches.early_204_at_page == page:
        if switches.early_204 == "once":
            switches.early_204_at_page = None
        return EMPTY
    binned = entity == "leads" and "only_deleted" in request.wanted
    found = _found(account, request, entity, binned=binned)
    size = max(1, limit - max(1, limit // 10)) if switches.short_pages else limit
    shown = page - 1 if request.struck_by("repeated_page") and page > 1 else page
    ids = found.page((shown - 1) * size, size)
    if not ids:
        return EMPTY
    more = len(found) > page * size or (switches.next_on_exact_multiple and len(found) == page * size)
    links = listing.links(request.url, request.pairs, page, limit, more=more)
    if request.struck_by("foreign_next") and "next" in links and request.fault:
        to = str(request.fault.details.get("to", "https://elsewhere.example.net")).rstrip("/")
        links["next"] = {"href": to + links["next"]["href"].removeprefix(request.base)}
    query = f"?{listing.query_text(request.pairs, page, limit)}" if switches.query_in_self_links else ""
    view = View(account, request.base, entity, request.wanted, query)
    store = account.stores[entity]
    rows: list[Card] = [view.deleted(store.bin[id_]) if binned else view.show(store.rows[id_]) for id_ in ids]
    return 200, {"_page": page, "_links": links, "_embedded": {entity: rows}}


def _found(account: Account, request: Request, entity: str, *, binned: bool) -> Keys | Ids:
    switches, params = account.switches, request.params
    filtered = switches.filter_enabled and not request.struck_by("filter_ignored")
    if binned and not switches.only_deleted_filtered:
        params, filtered = {}, False
    query = filters.read(params, switches.bounds, switches.default_order, filtered=filtered)
    if request.struck_by("wrong_order"):
        query.descending = not query.descending
    if binned:
        return listing.Ids(listing.deleted(account.stores[entity], query))
    asked = repr([params.get(name) for name in _SELECTING])
    narrowed = entity == "leads" and switches.non_admin
    key = (asked, switches.bounds, filtered, query.order, query.descending, narrowed)
    return listing.select(account.stores[entity], query, key, account.readable if narrowed else None)


def one_card(account: Account, request: Request, entity: str) -> Answer:
    """Answer a card by id; 204 when there is none that may be read."""
    id_, store = request.ids[0], account.stores[entity]
    view = View(account, request.base, entity, request.wanted)
    if entity == "leads" and "only_deleted" in request.wanted:
        return (200, view.deleted(store.bin[id_])) if id_ in store.bin else EMPTY
    row = store.visible(id_)
    if row is None or (entity == "leads" and not account.readable(row)):
        return EMPTY
    return 200, view.show(row)


def lead_links(account: Account, request: Request) -> Answer:
    """Answer what a lead is linked to."""
    row = account.stores["leads"].visible(request.ids[0])
    if row is None:
        return EMPTY
    held = row.card()["_embedded"]
    rows: list[dict[str, Any]] = [
        {"to_entity_id": item["id"], "to_entity_type": "contacts", "metadata": {"main_contact": item["is_main"]}}
        for item in held["contacts"]
    ]
    rows += [
        {"to_entity_id": item["id"], "to_entity_type": "companies", "metadata": None} for item in held["companies"]
    ]
    rows += [
        {"to_entity_id": item["id"], "to_entity_type": "catalog_elements", "metadata": item["metadata"]}
        for item in held["catalog_elements"]
    ]
    wanted = request.params.get("filter") if isinstance(request.params.get("filter"), dict) else {}
    for name in ("to_entity_id", "to_entity_type"):
        if wanted and name in wanted:
            rows = [row for row in rows if str(row[name]) == str(wanted[name])]
    body = {"_total_items": len(rows), "_links": {"self": {"href": request.url}}, "_embedded": {"links": rows}}
    return (200, body) if rows else EMPTY
