"""How a Bitrix24 portal is configured: a webhook, or an OAuth application, and how it is read."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leadhouse.errors import ConfigurationError
from leadhouse.settings import Option, PortalSettings, Told

APPLICATION = ("client_id", "client_secret", "refresh_token")
ACCESS = ("webhook_url", *APPLICATION, "oauth_server")
SETTINGS = (*ACCESS, "api", "burst", "language")
OPTIONS = (
    Option("webhook_url", "Inbound webhook; better set SOURCES__BITRIX24__WEBHOOK_URL: arguments are visible."),
    Option("api", "crm.lead.* or its successor crm.item.*. [default: lead]", ("lead", "item")),
)


@dataclass(frozen=True, slots=True)
class Application:
    """An OAuth application's access to a portal.

    Attributes:
        client_id, client_secret: the application, as the portal shows it.
        refresh_token: what its authorisation gave; each renewal replaces it, the one in force lies in a file.
        oauth_server: address of the OAuth server; None: the one that the last renewal told, else the vendor's.
    """

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    oauth_server: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bitrix24Settings(PortalSettings):
    """How to reach and read one portal; the secrets among it stay out of `repr`.

    Attributes:
        webhook_url: an inbound webhook, or None with the settings of an application.
        api: "lead" (crm.lead.*) or "item" (crm.item.*).
        burst: requests that may go at once.
        language: of the titles of user fields ("ru"); None: the portal's.
    """

    webhook_url: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    oauth_server: str | None = None
    api: str = "lead"
    burst: float = 50.0
    language: str | None = None

    @property
    def access(self) -> str | Application:
        """A webhook's URL, or an application."""
        return portal_access({name: getattr(self, name) for name in ACCESS})

    @property
    def secret(self) -> str:
        """The webhook's code, or the application's secret."""
        from leadhouse.bitrix24.access import checked_webhook  # noqa: PLC0415 - structlog loads with it

        access = self.access
        if isinstance(access, Application):
            return access.client_secret
        return checked_webhook(access).removesuffix("/").rpartition("/")[2]


def portal_access(told: Mapping[str, str | None], section: str = "sources.bitrix24") -> str | Application:
    """Return the webhook's URL, or the application where its three settings are there instead.

    Args:
        told: values by the names in ACCESS.
        section: of the configuration, for the message.

    Raises:
        ConfigurationError: neither is there, or both, or an application in part.
    """
    webhook = told.get("webhook_url")
    application = {name: value for name in APPLICATION if (value := told.get(name))}
    if webhook and application:
        raise ConfigurationError(
            f"webhook_url and {next(iter(application))} are both set for [{section}]; keep the one or the other"
        )
    if webhook:
        return webhook
    if len(application) == len(APPLICATION):
        return Application(**application, oauth_server=told.get("oauth_server"))
    prefix = f"{section.replace('.', '__').upper()}__"
    if application:
        missing = [name for name in APPLICATION if name not in application]
        raise ConfigurationError(
            f"the application's access lacks {' and '.join(missing)}; set {prefix}{missing[0].upper()}, or "
            f"{missing[0]} under [{section}] in .dlt/secrets.toml"
        )
    raise ConfigurationError(
        f"no webhook URL; set {prefix}WEBHOOK_URL, or webhook_url under [{section}] in .dlt/secrets.toml; "
        f"for an application {', '.join(APPLICATION)}"
    )


def read(told: Told) -> Bitrix24Settings:
    """Return the settings of a portal.

    Raises:
        ConfigurationError: a setting is missing or malformed.
    """
    chosen = {name: told.get(name, secret=name != "oauth_server") for name in _chosen(told.given)}
    access: dict[str, Any] = {name: str(value) for name, value in chosen.items() if value}
    portal_access(access, told.section)
    api = str(told.get("api", "lead"))
    if api not in ("lead", "item"):
        raise ConfigurationError(f"api is {api!r}; it is lead or item")
    language = str(told.get("language") or "").lower() or None
    if language and not re.fullmatch(r"[a-z]{2}", language):
        raise ConfigurationError(f"language is {language!r}; it is two letters as the portal names it, for example ru")
    burst = told.number("burst", 50.0, above=0.0)
    return Bitrix24Settings(**told.shared(2.0), **access, api=api, burst=burst, language=language)


def _chosen(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of access to look for: a flag of one way in puts the other way's configuration aside."""
    if given.get("webhook_url") and not any(given.get(name) for name in APPLICATION):
        return ("webhook_url",)
    if any(given.get(name) for name in APPLICATION) and not given.get("webhook_url"):
        return (*APPLICATION, "oauth_server")
    return ACCESS
