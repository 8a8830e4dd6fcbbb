"""What the doctor looks at in a Bitrix24 portal."""

import time
from datetime import datetime
from typing import Any

import msgspec

from leadhouse.bitrix24.client import Batch, Bitrix24Client, Command, Limits
from leadhouse.bitrix24.codes import CODES
from leadhouse.bitrix24.families import FAMILIES
from leadhouse.bitrix24.settings import Application, Bitrix24Settings
from leadhouse.doctor_portal import clock, tokens
from leadhouse.errors import LeadhouseError, PortalFaultError
from leadhouse.findings import OPERATOR, TRANSIENT, Findings
from leadhouse.token_file import Tokens

_SCOPES = ("crm", "user")
_OPERATING_S = 480.0
_REST = ("rights", "clock", "time zone", "limits")


class _Asking(Bitrix24Client):
    """Asks once and never renews tokens: a renewal would change the token file."""

    def _expired(self, problem: LeadhouseError) -> bool:  # noqa: ARG002 - whatever it is
        return False


def address(found: Findings, settings: Bitrix24Settings) -> str | None:
    """Return the portal's address, None where only the first renewal of an application's tokens tells it."""
    access = settings.access
    if isinstance(access, str):
        return access
    held = found.check("tokens", lambda: _held(found, access))
    return held.client_endpoint if held else None


def examine(found: Findings, settings: Bitrix24Settings) -> None:
    """Ask the portal, in one request, who we are and what we may."""
    access = settings.access
    if isinstance(access, Application):
        held = _tokens_of(access)
        if held is None or held.expires_at <= time.time() + 60:
            found.unknown("credentials", *_REST, why="the access token has ended; the next run renews it")
            return
    limits = Limits(drain=settings.requests_per_second, burst=settings.burst, attempts=1, patience_s=0.0)
    client = _Asking(access, limits=limits)
    family = FAMILIES["item" if settings.api == "item" else "lead"]
    commands = {
        "scope": Command("scope"),
        "profile": Command("profile"),
        "time": Command("server.time"),
        "leads": family.newest(None, None),
    }
    try:
        asked = time.time()
        batch = found.check("credentials", lambda: client.batch(commands, halt=False, once=True))
        if batch is None:
            found.unknown(*_REST, why="the portal refused to answer")
            return
        found.ok(
            "credentials", f"{client.portal} accepts the {'webhook' if isinstance(access, str) else 'application'}"
        )
        found.check("rights", lambda: _rights(found, batch, application=isinstance(access, Application)))
        found.check("clock", lambda: _clock(found, batch, (asked + time.time()) / 2))
        _limits(found, client, settings)
    finally:
        client.close()


def _rights(found: Findings, batch: Batch, *, application: bool) -> None:
    scopes = _told(batch, "scope")
    lacking = [name for name in _SCOPES if isinstance(scopes, list) and not _granted(name, scopes)]
    if lacking:
        problem = CODES["INSUFFICIENT_SCOPE"].problem(portal="", method="", code="", application=application)
        found.add("scopes", OPERATOR, f"{' and '.join(lacking)} missing: {problem}")
    else:
        found.ok("scopes", "crm and user")
    profile = _told(batch, "profile")
    admin = profile.get("ADMIN") if isinstance(profile, dict) else None
    if admin:
        found.ok("rights", f"user {profile['ID']} is an administrator")
    else:
        found.add(
            "rights", OPERATOR,
            "the user is no administrator: leads that he may not read are missing, and nothing tells which; use an "
            "administrator's access",
        )  # fmt: skip
    if "leads" in batch.errors:
        found.refused("leads", batch.errors["leads"])
    else:
        found.ok("leads", "can be read")


def _granted(name: str, scopes: list[Any]) -> bool:
    return name in scopes or (name == "user" and any(str(scope).startswith("user_") for scope in scopes))


def _clock(found: Findings, batch: Batch, asked: float) -> None:
    told = _told(batch, "time")
    now = datetime.fromisoformat(told) if isinstance(told, str) else batch.started_at
    if now is None or now.tzinfo is None:
        raise PortalFaultError("the portal tells no time")
    clock(found, now, asked)
    offset = f"{now:%z}"
    found.ok("time zone", f"the portal's time is UTC{offset[:3]}:{offset[3:5]} now")


def _limits(found: Findings, client: Bitrix24Client, settings: Bitrix24Settings) -> None:
    used = client.operating
    pace = f"{settings.requests_per_second:g} requests a second, {settings.burst:g} at once"
    if not used:
        found.ok("limits", f"the portal tells no operating time; {pace}")
        return
    method = max(used, key=lambda name: used[name])
    text = f"{method} has used {used[method]:,.1f} of {_OPERATING_S:g} working seconds in ten minutes; {pace}"
    if used[method] >= 0.8 * _OPERATING_S:
        found.add("limits", TRANSIENT, f"{text}; runs wait until it has gone down, stop what else uses the portal")
    else:
        found.ok("limits", text)


def _told(batch: Batch, key: str) -> Any:
    return msgspec.json.decode(batch.results[key]) if key in batch.results else None


def _tokens_of(access: Application) -> Tokens | None:
    return tokens(access.client_id, access.client_secret, access.refresh_token)


def _held(found: Findings, access: Application) -> Tokens | None:
    held = _tokens_of(access)
    found.ok(
        "tokens", "none yet: the first run spends refresh_token" if held is None else "the stored tokens can be read"
    )
    return held
