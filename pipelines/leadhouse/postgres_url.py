"""A Postgres URL as a user wrote it: its password is a secret from the first moment."""

from contextlib import suppress
from urllib.parse import quote, unquote, urlsplit

from leadhouse.errors import ConfigurationError
from leadhouse.redact import register_secrets


def check_postgres_url(url: str) -> None:
    """Register the password of a Postgres URL.

    Raises:
        ConfigurationError: it cannot be read; the message holds nothing of it.
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        told = parts.password or ""
        # The last two are how dlt and we write it.
        register_secrets([told, unquote(told), quote(unquote(told), safe=" +"), quote(unquote(told), safe="+")])
        # A password with a bare / ? or # ends the host early: what follows it is the rest of the password.
        whole = "@" not in parts.path + parts.fragment and ("@" in parts.netloc or "@" not in parts.query)
        if whole and parts.port != 0 and parts.netloc + parts.path.strip("/") + parts.query:
            if not parts.path.strip("/"):
                raise ConfigurationError("the Postgres URL names no database; add it behind the host: …/database")
            return
    raise ConfigurationError(
        "the Postgres URL cannot be read; write it like postgresql://user:password@host:5432/database, the password's "
        "special characters percent-encoded (/ is %2F, @ is %40, # is %23, ? is %3F)"
    )
