"""What the doctor looks at in a Kommo or amoCRM account."""

import base64
import time
from contextlib import suppress
from typing import Any

import msgspec

from leadhouse.doctor_portal import clock, tokens
from leadhouse.errors import LeadhouseError, PermissionDeniedError, PortalFaultError
from leadhouse.findings import OPERATOR, Findings
from leadhouse.kommo.access import Application
from leadhouse.kommo.account import zone_of
from leadhouse.kommo.client import KommoClient, Limits, Reply
from leadhouse.kommo.settings import KommoSettings

_REST = ("rights", "clock", "time zone", "limits")
_LAST_DAYS = 14


class _Asking(KommoClient):
    """Asks once and never renews tokens: a renewal would change the token file."""

    def _expired(self, problem: LeadhouseError) -> bool:  # noqa: ARG002 - whatever it is
        return False


def address(found: Findings, settings: KommoSettings) -> str:
    """Return the account's address; look at the token or the tokens by the way."""
    access = settings.access
    if isinstance(access, Application):
        held = found.check("tokens", lambda: [tokens(access.client_id, access.client_secret, access.refresh_token)])
        if held:
            told = "the stored tokens can be read" if held[0] else "none yet: the first run spends refresh_token"
            found.ok("tokens", told)
    else:
        _lifetime(found, access)
    return settings.base_url


def examine(found: Findings, settings: KommoSettings) -> None:
    """Ask the account who we are and what we may."""
    access = settings.access
    if isinstance(access, Application):
        held = tokens(access.client_id, access.client_secret, access.refresh_token)
        if held is None or held.expires_at <= time.time() + 60:
            found.unknown("credentials", *_REST, why="the access token has ended; the next run renews it")
            return
    limits = Limits(requests_per_second=settings.requests_per_second, attempts=1, patience_s=0.0)
    client = _Asking(settings.base_url, access, limits=limits)
    try:
        asked = time.time()
        reply = found.check("credentials", lambda: client.get(
            "account", [("with", "datetime_settings,is_api_filter_enabled")]))  # fmt: skip
        answered = time.time()
        if reply is None:
            found.unknown(*_REST, why="the account refused to answer")
            return
        account = _object(reply)
        kind = "integration" if isinstance(access, Application) else "token"
        found.ok("credentials", f"{client.portal} accepts the {kind}")
        found.check("rights", lambda: _rights(found, client, account))
        found.check("clock", lambda: _clock(found, reply, (asked + answered) / 2))
        _zone(found, account)
        pace = f"{settings.requests_per_second:g} requests a second are sent, the vendor blocks who passes 7"
        found.ok("limits", f"the account does not tell what is left; {pace}")
    finally:
        client.close()


def _rights(found: Findings, client: KommoClient, account: dict[str, Any]) -> None:
    if account.get("is_api_filter_enabled") is False:
        found.add("filters", OPERATOR, "the account ignores filters; ask its support to switch the API's filters on")
    else:
        found.ok("filters", "the API's filters are on")
    user, admin = account.get("current_user_id"), False
    with suppress(PermissionDeniedError):
        rights = _object(client.get(f"users/{user}")).get("rights")
        admin = bool(rights.get("is_admin")) if isinstance(rights, dict) else False
    if admin:
        found.ok("rights", f"user {user} is an administrator")
    else:
        found.add(
            "rights", OPERATOR,
            f"user {user} is no administrator: leads that he may not read are missing, and nothing tells which; let an "
            "administrator make the token",
        )  # fmt: skip
    if found.check("leads", lambda: client.get("leads", [("limit", "1")])):
        found.ok("leads", "can be read")
    told = "can be read"
    try:
        client.get("events", [("limit", "1")])
    except PermissionDeniedError:
        told = "are not given to this token: deletions are found by `leadhouse reconcile` alone"
    found.ok("events", told)


def _clock(found: Findings, reply: Reply, asked: float) -> None:
    if reply.at is None:
        raise PortalFaultError("the account tells no time (no Date header)")
    clock(found, reply.at, asked)


def _zone(found: Findings, account: dict[str, Any]) -> None:
    embedded = account.get("_embedded")
    settings = embedded.get("datetime_settings") if isinstance(embedded, dict) else None
    names = [settings.get(name) for name in ("timezone", "timezone_offset")] if isinstance(settings, dict) else []
    known = [name for name in names if isinstance(name, str) and zone_of(name) is not None]
    found.ok(
        "time zone", f"the account's is {known[0]}" if known else "the account tells none; its dates are read as UTC's"
    )


def _lifetime(found: Findings, token: str) -> None:
    """Look when a long-lived token ends: it is a JSON Web Token, which says so itself."""
    claims: Any = None
    with suppress(ValueError, IndexError, msgspec.MsgspecError):
        part = token.strip().split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    ends = claims.get("exp") if isinstance(claims, dict) else None
    if not isinstance(ends, int | float):
        found.unknown("token", why="it does not tell when it ends")
        return
    days = int((ends - time.time()) // 86400)
    if days < _LAST_DAYS:
        end = f"ends in {days} days" if days >= 0 else "has ended"
        found.add("token", OPERATOR, f"the long-lived token {end}; make a new one and set access_token")
    else:
        found.ok("token", f"the long-lived token is good for {days} days")


def _object(reply: Reply) -> dict[str, Any]:
    told: Any = msgspec.json.decode(reply.body) if reply.status != 204 else None
    return told if isinstance(told, dict) else {}
