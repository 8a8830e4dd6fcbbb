"""The OAuth server of a portal: tokens of an hour, renewals that spend them (reference: bitrix24 section 9)."""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Any

from .errors import Refusal

if TYPE_CHECKING:
    from leadhouse.sandbox.clock import Clock
    from leadhouse.sandbox.php import Params

METHOD = "oauth.token"
_ACCESS_SECONDS = 3_600
_REFRESH_SECONDS = 180 * 86_400


class OAuthServer:
    """Tokens of one application for one portal. Thread-safe.

    ``renewals`` counts the pairs given for a refresh token, ``issued`` lists all tokens ever given.
    ``client_endpoint`` is the portal's address as answers tell it, ``server_endpoint`` the server's own; None: where
    the request went to. ``unpaid``: renewals are refused with PAYMENT_REQUIRED.
    """

    def __init__(self, clock: Clock) -> None:
        self.client_id = "local.6502a7d1c40e38.51763904"
        self.client_secret = "sandbox-application-secret"  # noqa: S105 - of an invented application
        self.client_endpoint: str | None = None
        self.server_endpoint: str | None = None
        self.unpaid = False
        self.renewals = 0
        self.issued: list[str] = []
        self._clock = clock
        self._lock = threading.Lock()
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}

    def authorise(self) -> dict[str, str]:
        """Let a person authorise the application; return what it renews its tokens with, by the names of settings."""
        with self._lock:
            _, refresh = self._issue()
        return {"client_id": self.client_id, "client_secret": self.client_secret, "refresh_token": refresh}

    def expire(self) -> None:
        """End all access tokens now."""
        with self._lock:
            self._access = dict.fromkeys(self._access, 0.0)

    def revoke(self) -> None:
        """End all refresh tokens, as uninstalling the application does."""
        with self._lock:
            self._refresh.clear()

    def admit(self, token: str) -> None:
        """Raise Refusal unless an access token is valid."""
        with self._lock:
            until = self._access.get(token)
        if until is None:
            raise Refusal(401, "NO_AUTH_FOUND", "Wrong authorization data")
        if until <= self._clock.timestamp():
            raise Refusal(401, "expired_token", "The access token provided has expired.")

    def renewed(self, params: Params, origin: str) -> dict[str, Any]:
        """Return new tokens for a refresh token, which is good for once; raise Refusal."""
        if params.get("grant_type") != "refresh_token":
            raise Refusal(400, "invalid_request", "Invalid grant type")
        if (params.get("client_id"), params.get("client_secret")) != (self.client_id, self.client_secret):
            raise Refusal(401, "invalid_client", "Client not found")
        if self.unpaid:
            raise Refusal(402, "PAYMENT_REQUIRED", "Payment required")
        with self._lock:
            if self._refresh.pop(str(params.get("refresh_token")), 0.0) <= self._clock.timestamp():
                raise Refusal(400, "invalid_grant", "Invalid refresh token")
            access, refresh = self._issue()
            self.renewals += 1
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": _ACCESS_SECONDS,
            "expires": int(self._clock.timestamp()) + _ACCESS_SECONDS,
            "scope": "crm,user",
            "domain": origin.partition("//")[2],
            "client_endpoint": self.client_endpoint or f"{origin}/rest/",
            "server_endpoint": self.server_endpoint or f"{origin}/rest/",
            "member_id": "a223c6b3710f85df22e9377d6c4f7553",
            "status": "L",
            "user_id": 1,
        }

    def _issue(self) -> tuple[str, str]:
        now = self._clock.timestamp()
        access, refresh = secrets.token_hex(35), secrets.token_hex(35)
        self.issued += [access, refresh]
        self._access[access] = now + _ACCESS_SECONDS
        self._refresh[refresh] = now + _REFRESH_SECONDS
        return access, refresh
