"""A way into a Kommo or amoCRM account: its address, and what a request carries to be let in."""

import re
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlunsplit

from leadhouse.address import host_of, in_the_open, split_url
from leadhouse.errors import ConfigurationError
from leadhouse.redact import register_secrets

# What a header can carry; anything else would be named, with the token, by the library that refuses it.
SENDABLE = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Application:
    """An OAuth application's (integration's) access to an account.

    Attributes:
        client_id, client_secret: the integration's id and secret key, as the account shows them.
        refresh_token: what its authorisation gave; each renewal replaces it, the one in force lies in a file.
        redirect_uri: the integration's redirect address, as it is registered.
    """

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    redirect_uri: str


class LongLivedToken:
    """A private integration's token, good for a day to five years.

    Raises:
        ConfigurationError: the text is no token.
    """

    application: ClassVar[bool] = False

    def __init__(self, token: str) -> None:
        token = token.strip()
        register_secrets((token,))
        if not SENDABLE.fullmatch(token):
            raise ConfigurationError(
                "access_token is no token; copy the long-lived token of a private integration as it is "
                "(set SOURCES__KOMMO__ACCESS_TOKEN or access_token under [sources.kommo] in .dlt/secrets.toml)"
            )
        self._ticket = bearer(token)

    def ticket(self) -> dict[str, str]:
        """Return the token as a header."""
        return self._ticket

    def renew(self, refused: dict[str, str]) -> bool:  # noqa: ARG002 - the other way in looks at it
        """Return False: only a person makes another token."""
        return False


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries `token`."""
    return {"Authorization": f"Bearer {token}"}


def checked_base(url: str) -> str:
    """Return an account's address as scheme and host, without a slash at its end.

    Raises:
        ConfigurationError: there is more to it, or less, or it would send tokens in the open.
    """
    parts = split_url(url.strip())
    more = parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc
    nobodys = re.fullmatch(r"(www\.)?(kommo|amocrm)\.\w+", parts.hostname or "")
    if parts.scheme not in ("http", "https") or not parts.hostname or more or nobodys:
        raise ConfigurationError(
            "base_url is not an account's address; it looks like https://your-account.kommo.com, with nothing behind "
            "the host (set SOURCES__KOMMO__BASE_URL or base_url under [sources.kommo] in .dlt/config.toml)"
        )
    if in_the_open(parts):
        raise ConfigurationError(
            "plain http would send the token in the open; use https in base_url", portal=host_of(url.strip())
        )
    return urlunsplit((parts.scheme, parts.netloc.lower(), "", "", ""))
