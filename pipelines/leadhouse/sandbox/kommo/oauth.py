"""The token endpoint of an account: access for a day, refresh tokens that rotate (reference: kommo section 2)."""

from __future__ import annotations

import base64
import secrets
import threading
from typing import TYPE_CHECKING, Any

import msgspec

from .store import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from leadhouse.sandbox.clock import Clock

    from .switches import Switches

PATH = "/oauth2/access_token"
_ACCESS_SECONDS = 86_400
_REFRESH_SECONDS = 92 * 86_400
_CODE_SECONDS = 20 * 60


class TokenRefusal(Exception):  # noqa: N818 - the endpoint refuses; nothing is wrong with the sandbox
    """An error of the token endpoint; ``hint`` as it tells it."""

    def __init__(self, hint: str, title: str = "Authorization error") -> None:
        super().__init__(hint)
        self.hint = hint
        self.title = title


class OAuthServer:
    """Tokens of one integration. Thread-safe.

    ``renewals`` counts the pairs given for a refresh token, ``issued`` lists all tokens ever given.
    """

    def __init__(self, clock: Clock, switches: Callable[[], Switches], account_id: int, user_id: int) -> None:
        self.client_id = "5f0c7d1e-6a52-4c5b-9d3e-0c4d8e1f2a3b"
        self.client_secret = "sandbox-integration-secret"  # noqa: S105 - of an invented integration
        self.redirect_uri = "https://etl.example.org/callback"
        self.renewals = 0
        self.issued: list[str] = []
        self._clock = clock
        self._switches = switches
        self._claims = {"sub": str(user_id), "account_id": account_id, "scopes": ["crm"], "base_domain": "kommo.com"}
        self._lock = threading.Lock()
        self._access: dict[str, float] = {}
        self._refresh: dict[str, tuple[float, str | None]] = {}
        self._codes: dict[str, float] = {}

    def authorise(self) -> dict[str, str]:
        """Let a person authorise the integration; return what it renews its tokens with, by the names of settings."""
        with self._lock:
            _, refresh = self._issue(None)
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": refresh,
            "redirect_uri": self.redirect_uri,
        }

    def code(self) -> str:
        """Return an authorization code, good for once and for 20 minutes."""
        with self._lock:
            code = secrets.token_hex(40)
            self._codes[code] = self._clock.timestamp() + _CODE_SECONDS
            return code

    def expire(self) -> None:
        """End all access tokens now."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """End all refresh tokens."""
        with self._lock:
            self._refresh.clear()

    def admits(self, token: str) -> bool:
        """Tell whether an access token is valid."""
        with self._lock:
            return self._access.get(token, 0.0) > self._clock.timestamp()

    def answer(self, kind: bytes, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request to the token endpoint, which takes JSON only."""
        try:
            sent = msgspec.json.decode(body, type=dict[str, Any]) if b"json" in kind.lower() else {}
        except (msgspec.DecodeError, UnicodeDecodeError):
            sent = {}
        try:
            return 200, self._granted(sent)
        except TokenRefusal as refusal:
            status = self._switches().oauth_error_status
            type_ = "https://developers.amocrm.ru/v3/errors/OAuthProblemJson"
            detail = "The request is missing a required parameter, or a value in it is invalid"
            return status, {
                "hint": refusal.hint, "title": refusal.title, "type": type_, "status": status, "detail": detail,
            }  # fmt: skip

    def _granted(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        grant = sent.get("grant_type")
        if grant not in {"refresh_token", "authorization_code"}:
            raise TokenRefusal("Check the `grant_type` parameter")
        if (sent.get("client_id"), sent.get("client_secret")) != (self.client_id, self.client_secret):
            raise TokenRefusal("Check the `client_id` parameter")
        if sent.get("redirect_uri") != self.redirect_uri:
            raise TokenRefusal("Check the `redirect_uri` parameter")
        with self._lock:
            access, refresh = self._by_code(sent) if grant == "authorization_code" else self._renewed(sent)
        return {
            "token_type": "Bearer",
            "expires_in": _ACCESS_SECONDS,
            "server_time": self._clock.second(),
            "access_token": access,
            "refresh_token": refresh,
        }

    def _by_code(self, sent: Mapping[str, Any]) -> tuple[str, str]:
        until = self._codes.pop(str(sent.get("code")), None)
        if until is None:
            raise TokenRefusal("Authorization code has been revoked")
        if until <= self._clock.timestamp():
            raise TokenRefusal("Authorization code has expired")
        return self._issue(None)

    def _renewed(self, sent: Mapping[str, Any]) -> tuple[str, str]:
        token = str(sent.get("refresh_token"))
        until, older = self._refresh.get(token, (0.0, None))
        if until <= self._clock.timestamp():
            raise TokenRefusal("Token has been revoked")
        if older:
            self._refresh.pop(older, None)
        if self._switches().old_refresh == "dead":
            del self._refresh[token]
        self.renewals += 1
        return self._issue(token)

    def _issue(self, older: str | None) -> tuple[str, str]:
        now = self._clock.timestamp()
        claims = {
            "aud": self.client_id,
            "jti": secrets.token_hex(20),
            "exp": int(now) + _ACCESS_SECONDS,
            **self._claims,
        }
        parts = [encode({"typ": "JWT", "alg": "RS256"}), encode(claims), secrets.token_bytes(32)]
        access = ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
        refresh = f"def502{secrets.token_hex(100)}"
        self.issued += [access, refresh]
        self._access[access] = now + _ACCESS_SECONDS
        self._refresh[refresh] = (now + _REFRESH_SECONDS, older)
        return access, refresh
