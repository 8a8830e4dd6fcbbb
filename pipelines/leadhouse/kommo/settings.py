"""How a Kommo or amoCRM account is configured: its address, and a long-lived token or an OAuth application."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leadhouse.errors import ConfigurationError
from leadhouse.kommo.access import Application, LongLivedToken, checked_base
from leadhouse.settings import Option, PortalSettings, Told

APPLICATION = ("client_id", "client_secret", "refresh_token", "redirect_uri")
ACCESS = ("access_token", *APPLICATION)
SETTINGS = ("base_url", *ACCESS)
REQUESTS_PER_SECOND = 6.0
OPTIONS = (
    Option("base_url", "Address of the account, for example https://acme.kommo.com."),
    Option("access_token", "Long-lived token; better set SOURCES__KOMMO__ACCESS_TOKEN: arguments are visible."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KommoSettings(PortalSettings):
    """How to reach and read one account; the secrets among it stay out of `repr`.

    Attributes:
        base_url: address of the account.
        access: a long-lived token, or an application.
        requests_per_second: the vendor allows 7 a second from one address.
    """

    base_url: str
    access: str | Application = field(repr=False)
    requests_per_second: float = REQUESTS_PER_SECOND

    @property
    def secret(self) -> str:
        """The long-lived token, or the application's secret."""
        return self.access if isinstance(self.access, str) else self.access.client_secret


def account_access(told: Mapping[str, str | None], section: str = "sources.kommo") -> str | Application:
    """Return the long-lived token, or the application where its four settings are there instead.

    Args:
        told: values by the names in ACCESS.
        section: of the configuration, for the message.

    Raises:
        ConfigurationError: neither is there, or both, or an application in part.
    """
    token = told.get("access_token")
    application = {name: value for name in APPLICATION if (value := told.get(name))}
    if token and application:
        raise ConfigurationError(
            f"access_token and {next(iter(application))} are both set for [{section}]; keep the one or the other"
        )
    if token:
        LongLivedToken(token)  # what is no token is refused before anything is opened
        return token
    if len(application) == len(APPLICATION):
        return Application(**application)
    prefix = f"{section.replace('.', '__').upper()}__"
    if application:
        missing = [name for name in APPLICATION if name not in application]
        raise ConfigurationError(
            f"the application's access lacks {' and '.join(missing)}; set {prefix}{missing[0].upper()}, or "
            f"{missing[0]} under [{section}] in .dlt/secrets.toml"
        )
    raise ConfigurationError(
        f"no access token; set {prefix}ACCESS_TOKEN, or access_token under [{section}] in .dlt/secrets.toml; "
        f"for an application {', '.join(APPLICATION)}"
    )


def read(told: Told) -> KommoSettings:
    """Return the settings of an account.

    Raises:
        ConfigurationError: a setting is missing or malformed.
    """
    base_url = told.get("base_url")
    if not base_url:
        name = f"{told.section.replace('.', '__').upper()}__BASE_URL"
        raise ConfigurationError(
            f"no address of the account; set {name}, or base_url under [{told.section}] in .dlt/config.toml, for "
            "example https://acme.kommo.com"
        )
    chosen = {name: told.get(name, secret=name != "redirect_uri") for name in _chosen(told.given)}
    access = account_access({name: str(value) for name, value in chosen.items() if value}, told.section)
    return KommoSettings(**told.shared(REQUESTS_PER_SECOND), base_url=checked_base(str(base_url)), access=access)


def _chosen(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of access to look for: a flag of one way in puts the other way's configuration aside."""
    if given.get("access_token") and not any(given.get(name) for name in APPLICATION):
        return ("access_token",)
    if any(given.get(name) for name in APPLICATION) and not given.get("access_token"):
        return APPLICATION
    return ACCESS
