"""Access by an OAuth application: an access token of a day, renewed with a refresh token that changes each time."""

import time
from typing import Any, ClassVar

import msgspec

from leadhouse.errors import CredentialsError, LeadhouseError, PortalFaultError
from leadhouse.kommo.access import SENDABLE, Application, bearer
from leadhouse.kommo.answers import REDIRECTS, problem_of, redirected, refusal, shape_of
from leadhouse.kommo.codes import AUTHORISE
from leadhouse.pace import Pause
from leadhouse.redact import register_secrets
from leadhouse.token_chain import TokenChain
from leadhouse.token_file import Tokens
from leadhouse.transport import Answer, Transport

METHOD = "oauth2/access_token"
_DAY_S = 86400.0
# Part of the hint or detail, in lower case: what an operator is told; the first that fits.
HINTS: dict[str, str] = {
    "revoked": f"the refresh token was spent or revoked; {AUTHORISE}",
    "expired": f"the refresh token is too old (3 months); {AUTHORISE}",
    "cannot decrypt": f"the refresh token is none of this integration's; {AUTHORISE}",
    "not linked to client": f"the refresh token is another integration's; check client_id, or {AUTHORISE}",
    "refresh token is invalid": f"the refresh token is not valid; {AUTHORISE}",
    "client_id": "the account does not know the integration; check client_id and base_url",
    "client_secret": "the secret key is wrong; check client_secret",
    "client authentication failed": "the account does not know the integration; check client_id and client_secret",
    "redirect_uri": "the redirect address is not the registered one; check redirect_uri",
}
OTHER = f"the account refused to renew the tokens; check client_id, client_secret and redirect_uri, or {AUTHORISE}"


class Grant:
    """An application's access to one account.

    Args:
        application: the integration's name and secret, and the refresh token that an authorisation gave.
        base: the account's address.
        transport: the HTTP client.
        pause: where waiting happens.

    Raises:
        StateError: the token file is damaged.
    """

    application: ClassVar[bool] = True

    def __init__(self, application: Application, base: str, transport: Transport, pause: Pause) -> None:
        register_secrets((application.client_secret, application.refresh_token))
        self._application = application
        self._url = f"{base}/{METHOD}"
        self._portal = base.partition("://")[2]
        self._transport = transport
        self._chain = TokenChain(
            application.client_id, application.client_secret, application.refresh_token, self._ask, pause
        )
        self._tokens = self._chain.stored()

    def ticket(self) -> dict[str, str]:
        """Return the access token as a header; a new one where there is none, or it is about to end."""
        if self._tokens is None or self._tokens.expires_at <= time.time():
            self._tokens = self._chain.renewed(None)
        return bearer(self._tokens.access_token)

    def renew(self, refused: dict[str, str]) -> bool:
        """Take the tokens that another process has got meanwhile, else get and store new ones.

        Raises:
            TransientError: the account does not answer, or another process renews all the time.
            OperatorError: it refuses; a person must act.
        """
        self._tokens = self._chain.renewed(refused["Authorization"].removeprefix("Bearer "))
        return True

    def _ask(self, refresh_token: str, _: Tokens | None) -> Tokens:
        form = {
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "redirect_uri": self._application.redirect_uri,
        }
        answer = self._transport.post_json(self._url, msgspec.json.encode(form), portal=self._portal, method=METHOD)
        if answer.status in REDIRECTS:
            redirected(answer, self._url, portal=self._portal, method=METHOD)
        tokens = _tokens(answer)
        if tokens is None:
            raise _no_tokens(answer, self._portal)
        return tokens


def _tokens(answer: Answer) -> Tokens | None:
    """Return the tokens in `answer`, None where it does not hold them; they end a little before the vendor says."""
    told = problem_of(answer) or {}
    pair = [told.get(name) for name in ("access_token", "refresh_token")]
    if not all(isinstance(token, str) and SENDABLE.fullmatch(token) for token in pair):
        return None
    seconds = told.get("expires_in")
    seconds = float(seconds) if isinstance(seconds, int | float) and 0 < seconds <= _DAY_S else _DAY_S
    return Tokens(
        access_token=str(pair[0]),
        refresh_token=str(pair[1]),
        expires_at=time.time() + seconds - min(300.0, seconds / 10),
    )


def _no_tokens(answer: Answer, portal: str) -> LeadhouseError:
    """Return the error that an answer without tokens stands for."""
    told = problem_of(answer)
    if answer.status < 300:
        return PortalFaultError(
            f"the account gave no tokens ({shape_of(answer)})", portal=portal, method=METHOD, code=str(answer.status)
        )
    if told is not None and 400 <= answer.status < 500 and answer.status not in (402, 408, 425, 429):
        return CredentialsError(_cure(told), portal=portal, method=METHOD, code=str(answer.status))
    return refusal(answer, portal=portal, method=METHOD, application=True)


def _cure(told: dict[str, Any]) -> str:
    words = " ".join(str(told.get(name, "")) for name in ("hint", "detail")).lower()
    return next((text for part, text in HINTS.items() if part in words), OTHER)
