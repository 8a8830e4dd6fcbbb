"""How the third CRM is configured: by an address."""

from dataclasses import dataclass

from leadhouse.errors import ConfigurationError
from leadhouse.settings import Option, PortalSettings, Told

SETTINGS = ("base_url",)
OPTIONS = (Option("base_url", "Address of the portal."),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdSettings(PortalSettings):
    """How to reach and read one portal."""

    base_url: str


def read(told: Told) -> ThirdSettings:
    """Return the settings of a portal.

    Raises:
        ConfigurationError: the address is missing, or a setting is malformed.
    """
    base_url = told.get("base_url")
    if not base_url:
        raise ConfigurationError("no address of the portal; set SOURCES__THIRD__BASE_URL")
    return ThirdSettings(**told.shared(10.0), base_url=str(base_url))
