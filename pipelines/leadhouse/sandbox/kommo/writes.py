"""Writing leads (reference: kommo section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .problems import Invalid, Problem, validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from .account import Account
    from .card_lists import Answer
    from .request import Request

_MOST = 250
_MOST_COMPLEX = 50


def _rows(request: Request, most: int) -> list[dict[str, Any]]:
    rows = request.json()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Problem(400, "Request data should be an array of objects")
    if not rows:
        raise Problem(400, "Request data can not be empty")
    if len(rows) > most:
        raise Problem(422, f"Limit {most} per page")
    return rows


def _each(rows: list[dict[str, Any]], write: Callable[[dict[str, Any], str], dict[str, Any]]) -> list[dict[str, Any]]:
    written, errors = [], []
    for position, row in enumerate(rows):
        request_id = str(row.get("request_id", position))
        try:
            written.append(write(row, request_id))
        except Invalid as problem:
            errors.append((request_id, problem.error))
    if errors:
        raise validation(errors)
    return written


def _envelope(request: Request, written: list[dict[str, Any]]) -> Answer:
    return 200, {"_links": {"self": {"href": request.url}}, "_embedded": {"leads": written}}


def _item(account: Account, request: Request, id_: int, **more: Any) -> dict[str, Any]:
    del account
    return {"id": id_, **more, "_links": {"self": {"href": f"{request.base}/api/v4/leads/{id_}"}}}


def create(account: Account, request: Request) -> Answer:
    """Create leads."""

    def write(row: dict[str, Any], request_id: str) -> dict[str, Any]:
        row = {key: value for key, value in row.items() if key != "id"}
        return _item(account, request, account.add_lead(row), request_id=request_id)

    return _envelope(request, _each(_rows(request, _MOST), write))


def _update(account: Account, request: Request, id_: Any, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    if not isinstance(id_, int) or account.stores["leads"].visible(id_) is None:
        raise Invalid("EntityNotFound", "id", "Entity not found")
    account.update_lead(id_, row)
    return _item(account, request, id_, updated_at=account.stores["leads"].rows[id_].updated, **more)


def update(account: Account, request: Request) -> Answer:
    """Edit leads."""

    def write(row: dict[str, Any], request_id: str) -> dict[str, Any]:
        return _update(account, request, row.get("id"), row, request_id=request_id)

    return _envelope(request, _each(_rows(request, _MOST), write))


def update_one(account: Account, request: Request) -> Answer:
    """Edit a lead."""
    row = request.json()
    if not isinstance(row, dict):
        raise Problem(400, "Request data should be an object")
    [item] = _each([row], lambda fields, _: _update(account, request, request.ids[0], fields))
    return 200, item


def create_complex(account: Account, request: Request) -> Answer:
    """Create leads, each with a contact and a company that may be new."""

    def write(row: dict[str, Any], request_id: str) -> dict[str, Any]:
        embedded = dict(row.get("_embedded") or {})
        linked: dict[str, int | None] = {"contacts": None, "companies": None}
        adders = {"contacts": account.add_contact, "companies": account.add_company}
        for kind, add in adders.items():
            for given in (embedded.get(kind) or ())[:1]:
                id_ = given.get("id") or add({key: value for key, value in given.items() if key != "is_main"})
                linked[kind] = id_
                embedded[kind] = [{"id": id_}]
        id_ = account.add_lead({**row, "_embedded": embedded})
        found = {"id": id_, "contact_id": linked["contacts"], "company_id": linked["companies"]}
        return {**found, "request_id": [request_id], "merged": False}

    return 200, _each(_rows(request, _MOST_COMPLEX), write)
