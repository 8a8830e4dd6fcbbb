"""Access by an OAuth application: a token of an hour, renewed with a refresh token that is good for one renewal."""

import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlunsplit

import msgspec

from leadhouse.address import host_of, in_the_open, split_url
from leadhouse.bitrix24.access import Access
from leadhouse.bitrix24.codes import AUTHORISE, SCOPE
from leadhouse.bitrix24.settings import Application
from leadhouse.errors import (
    ConfigurationError,
    CredentialsError,
    LeadhouseError,
    PermissionDeniedError,
    PortalBlockedError,
    PortalFaultError,
)
from leadhouse.pace import Pause
from leadhouse.redact import register_secrets
from leadhouse.rule import Rule
from leadhouse.token_chain import TokenChain
from leadhouse.token_file import Tokens
from leadhouse.transport import Answer, Transport

SERVER = "https://oauth.bitrix24.tech/oauth/token/"
_METHOD = "oauth.token"

_REFUSALS: dict[str, Rule] = {
    "INVALID_GRANT": Rule(
        CredentialsError,
        f"the refresh token is spent or too old (180 days), or its renewal's answer was lost on the way; {AUTHORISE}",
    ),
    "INVALID_CLIENT": Rule(
        CredentialsError, "the OAuth server does not know the application; check client_id and client_secret"
    ),
    "INVALID_SCOPE": Rule(PermissionDeniedError, SCOPE),
    "INSUFFICIENT_SCOPE": Rule(PermissionDeniedError, SCOPE),
    "PAYMENT_REQUIRED": Rule(
        PortalBlockedError, "the portal's plan or the application's subscription has ended; renew it in the portal"
    ),
}
_OTHER = Rule(
    CredentialsError, f"the OAuth server refused to renew the tokens; check client_id and client_secret, or {AUTHORISE}"
)


class Grant(Access):
    """An application's access to one portal.

    Args:
        application: the application's name and secret, and the refresh token that an authorisation gave.
        transport: the HTTP client.
        pause: where waiting happens.

    Raises:
        StateError: the token file is damaged.
        ConfigurationError: an address that secrets would be sent to is unusable.
    """

    application = True
    cure = AUTHORISE
    renamed = "the portal was renamed"

    def __init__(self, application: Application, transport: Transport, pause: Pause) -> None:
        register_secrets((application.client_secret, application.refresh_token))
        self._application = application
        self._transport = transport
        self._chain = TokenChain(
            application.client_id, application.client_secret, application.refresh_token, self._ask, pause
        )
        self._access_token = ""
        self.base = ""
        self._server = _token_url(application.oauth_server or SERVER)
        stored = self._chain.stored()
        if stored is not None:
            self._use(stored)

    @property
    def portal(self) -> str:
        """The portal's host; the OAuth server's before that has told it."""
        return host_of(self.base or self._server)

    def ticket(self) -> dict[str, str]:
        """Return the access token, asked for first where there is none yet."""
        if not self._access_token:
            self.renew({})
        return {"auth": self._access_token}

    def renew(self, refused: dict[str, str]) -> bool:
        """Take the tokens that another process has got meanwhile, else get and store new ones.

        Raises:
            TransientError: the OAuth server does not answer, or another process renews all the time.
            OperatorError: it refuses; a person must act.
        """
        self._use(self._chain.renewed(refused.get("auth")))
        return True

    def checked(self, url: str) -> str:
        """Return the address of a portal's methods."""
        parts = split_url(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"the OAuth server did not tell the portal's address; {AUTHORISE}")
        if in_the_open(parts):
            raise ConfigurationError(
                "the OAuth server tells an address with plain http, which would send tokens in the open; "
                "let the portal use https",
                portal=host_of(url),
            )
        return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/") + "/", "", ""))

    def _use(self, tokens: Tokens) -> None:
        if not self._application.oauth_server and split_url(tokens.server_endpoint).hostname:
            self._server = _token_url(tokens.server_endpoint)
        self.base = self.checked(tokens.client_endpoint)
        self._access_token = tokens.access_token

    def _ask(self, refresh_token: str, old: Tokens | None) -> Tokens:
        form = {
            "grant_type": "refresh_token",
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret,
            "refresh_token": refresh_token,
        }
        where = host_of(self._server)
        return _tokens(self._transport.post_form(self._server, form, portal=where, method=_METHOD), old, where)


def _tokens(answer: Answer, old: Tokens | None, server: str) -> Tokens:
    """Return the tokens of an OAuth server's answer; nothing else in it may cost them.

    Raises:
        LeadhouseError: there are none.
    """
    told: Any = None
    with suppress(msgspec.MsgspecError):
        told = msgspec.json.decode(answer.body)
    if not isinstance(told, dict):
        raise _no_tokens(None, answer, server)
    texts = {name: value for name, value in told.items() if isinstance(value, str)}
    if not texts.get("access_token") or not texts.get("refresh_token"):
        raise _no_tokens(str(told.get("error", "")), answer, server)
    seconds = told.get("expires_in")
    return Tokens(
        access_token=texts["access_token"],
        refresh_token=texts["refresh_token"],
        client_endpoint=texts.get("client_endpoint") or (old.client_endpoint if old else ""),
        server_endpoint=texts.get("server_endpoint") or (old.server_endpoint if old else ""),
        expires_at=time.time() + (seconds if isinstance(seconds, int | float) else 3600),
    )


def _no_tokens(code: str | None, answer: Answer, server: str) -> LeadhouseError:
    """Return the error that an answer without tokens stands for; `code` is None where it is no JSON object."""
    rule = _REFUSALS.get((code or "").upper())
    if rule is None and answer.status < 500 and answer.status != 429 and code:
        rule = _OTHER
    if rule is not None:
        return rule.problem(portal=server, method=_METHOD, code=code or "")
    shape = f"HTTP {answer.status}, {len(answer.body)} bytes"
    if code is None and 400 <= answer.status < 500 and answer.status not in (408, 425, 429):
        return ConfigurationError(f"this is not an OAuth server ({shape}); check oauth_server", portal=server)
    return PortalFaultError(
        f"the OAuth server gave no tokens ({shape})", portal=server, method=_METHOD, code=code or ""
    )


def _token_url(url: str) -> str:
    """Return where the OAuth server that `url` names gives tokens."""
    parts = split_url(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(f"oauth_server is not an address; it looks like {SERVER}")
    if in_the_open(parts):
        raise ConfigurationError(
            "plain http would send the application's secret in the open; set oauth_server to an address with https",
            portal=host_of(url),
        )
    return urlunsplit((parts.scheme, parts.netloc, "/oauth/token/", "", ""))
