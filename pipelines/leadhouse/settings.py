"""Settings from flags, the environment and `.dlt/`: dlt's own configuration, so that dlt users know it."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import platformdirs

from leadhouse.errors import ConfigurationError
from leadhouse.files import checkout, in_checkout

SOURCES = ("bitrix24",)
DEFAULT_TO = "duckdb:leadhouse.duckdb"
APPLICATION = ("client_id", "client_secret", "refresh_token")
ACCESS = ("webhook_url", *APPLICATION, "oauth_server")
# dlt's settings for every run, set before dlt is imported: it would send telemetry from then on. A person's own
# environment wins.
_ENVIRONMENT = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "LOAD__DELETE_COMPLETED_JOBS": "true",
    "LOAD__TRUNCATE_STAGING_DATASET": "true",
    "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
    "RUNTIME__LOG_LEVEL": "WARNING",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,50}")


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


@dataclass(frozen=True, slots=True)
class PortalSettings:
    """How to reach and read one portal; the secrets among it stay out of `repr`."""

    webhook_url: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    oauth_server: str | None = None
    api: str = "lead"
    overlap: timedelta = timedelta(minutes=5)
    phone_region: str | None = None
    requests_per_second: float = 2.0
    burst: float = 50.0

    @property
    def access(self) -> str | Application:
        """A webhook's URL, or an application."""
        return portal_access({name: getattr(self, name) for name in ACCESS})


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


def portal_settings(source: str, portal: str | None, given: dict[str, Any]) -> PortalSettings:
    """Return the settings of a portal; `given` (flags) wins, None in it means not given.

    Args:
        source: "bitrix24".
        portal: name of the portal where there are several: SOURCES__BITRIX24__{PORTAL}__WEBHOOK_URL.
        given: values by setting name.

    Raises:
        ConfigurationError: a setting is missing or malformed.
    """

    def setting(name: str, default: Any = None, *, secret: bool = False) -> Any:
        return given[name] if given.get(name) is not None else configured(source, portal, name, default, secret=secret)

    chosen = {name: setting(name, secret=name != "oauth_server") for name in _chosen(given)}
    access = {name: str(value) for name, value in chosen.items() if value}
    portal_access(access, f"sources.{source}.{portal}" if portal else f"sources.{source}")
    api = str(setting("api", "lead"))
    if api not in ("lead", "item"):
        raise ConfigurationError(f"api is {api!r}; it is lead or item")
    region = setting("phone_region")
    if region is not None and not re.fullmatch(r"[A-Za-z]{2}", str(region)):
        raise ConfigurationError(f"phone_region is {region!r}; it is a country's two letters, for example KZ")
    return PortalSettings(
        webhook_url=access.get("webhook_url"),
        client_id=access.get("client_id"),
        client_secret=access.get("client_secret"),
        refresh_token=access.get("refresh_token"),
        oauth_server=access.get("oauth_server"),
        api=api,
        overlap=timedelta(minutes=_number("overlap_minutes", setting("overlap_minutes", 5.0))),
        phone_region=str(region).upper() if region else None,
        requests_per_second=_number("requests_per_second", setting("requests_per_second", 2.0), above=0.0),
        burst=_number("burst", setting("burst", 50.0), above=0.0),
    )


def _chosen(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings of access to look for: a flag of one way in puts the other way's configuration aside."""
    if given.get("webhook_url") and not any(given.get(name) for name in APPLICATION):
        return ("webhook_url",)
    if any(given.get(name) for name in APPLICATION) and not given.get("webhook_url"):
        return (*APPLICATION, "oauth_server")
    return ACCESS


def configured(source: str, portal: str | None, name: str, default: Any = None, *, secret: bool = False) -> Any:
    """Return one setting from dlt's configuration, of the named portal first, then of the source.

    Raises:
        ConfigurationError: the configuration files cannot be read.
    """
    sections = [f"sources.{source}.{portal}"] if portal else []
    if not (portal and secret):  # one portal's secret never stands in for another's
        sections.append(f"sources.{source}")
    for section in sections:
        found = _from_dlt(f"{section}.{name}", secret=secret)
        if found is not None:
            return found
    return default


def destination_url(given: str | None) -> str:
    """Return where to write: as given, else LEADHOUSE__TO or `to` under [leadhouse] in `.dlt/`, else a DuckDB file."""
    return str(given or _from_dlt("leadhouse.to", secret=True) or DEFAULT_TO)


def configure_dlt() -> None:
    """Set dlt's settings in the environment, where a person has not."""
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)


def _from_dlt(key: str, *, secret: bool) -> Any:
    configure_dlt()
    import dlt  # noqa: PLC0415 - costs half a second

    problem = ""
    try:
        return (dlt.secrets if secret else dlt.config).get(key)
    except Exception as error:  # noqa: BLE001 - dlt raises many classes for unreadable files
        problem = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    raise ConfigurationError(f"the configuration in .dlt/ cannot be read ({problem}); correct the file")


def dataset_name(source: str, portal: str | None, dataset: str | None) -> str:
    """Return the dataset: as given, else the portal's name, else the source's.

    Raises:
        ConfigurationError: a name that a schema of a database cannot have.
    """
    name = dataset or portal or source
    if not _NAME.fullmatch(name) or name.endswith("_") or "__" in name:
        raise ConfigurationError(
            f"{name!r} cannot name a dataset; use letters, digits and single underscores, a letter first"
        )
    return name.lower()


def known_source(source: str) -> str:
    """Return `source` if leadhouse reads it.

    Raises:
        ConfigurationError: it does not.
    """
    if source not in SOURCES:
        raise ConfigurationError(f"{source!r} is no source; leadhouse reads {', '.join(SOURCES)}")
    return source


def data_dir() -> Path:
    """Return dlt's working directory: DLT_DATA_DIR, else `state/local` in a checkout, else the user's state folder."""
    told = os.environ.get("DLT_DATA_DIR")
    if told:
        return Path(told).expanduser().absolute()
    if in_checkout():
        return checkout() / "state" / "local"
    return Path(platformdirs.user_state_dir("leadhouse", appauthor=False))


def _number(name: str, told: Any, *, above: float = -1e-9) -> float:
    number = float("nan")
    with suppress(TypeError, ValueError):
        number = float(told)
    if not above < number < 1e6:
        raise ConfigurationError(f"{name} is {told!r}; it is a number above {max(above, 0):g}")
    return number
