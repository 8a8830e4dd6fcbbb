"""Settings from flags, the environment and `.dlt/`: dlt's own configuration, so that dlt users know it."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import platformdirs

from leadhouse.errors import ConfigurationError
from leadhouse.files import checkout, in_checkout

DEFAULT_TO = "duckdb:leadhouse.duckdb"
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
# The dataset of the views over all CRMs.
VIEWS = "crm"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalSettings:
    """How to reach and read one portal, whatever its CRM; each source adds its own.

    Attributes:
        overlap: how far before the cursor a window begins.
        phone_region: default region of phone numbers without a country code (ISO 3166), None for none.
        requests_per_second: how fast requests may go.
    """

    overlap: timedelta = timedelta(minutes=5)
    phone_region: str | None = None
    requests_per_second: float = 2.0

    @property
    def secret(self) -> str:
        """The password of the access, the same wherever the portal is; "" where a source has none that lasts."""
        return ""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a source that is a flag of the command line, too.

    Attributes:
        name: of the setting; the flag is the same with dashes.
        about: help of the flag.
        choices: what it may be; empty: anything.
    """

    name: str
    about: str
    choices: tuple[str, ...] = ()


class Told:
    """What is configured for one portal: flags win, then the portal's own section, then its source's.

    Args:
        source: "bitrix24".
        portal: name of the portal where there are several: SOURCES__BITRIX24__{PORTAL}__WEBHOOK_URL.
        given: flags by setting name; None means not given.
    """

    def __init__(self, source: str, portal: str | None, given: Mapping[str, Any]) -> None:
        self.source = source
        self.portal = portal
        self.given = given

    @property
    def section(self) -> str:
        """The portal's section of the configuration."""
        return f"sources.{self.source}.{self.portal}" if self.portal else f"sources.{self.source}"

    def get(self, name: str, default: Any = None, *, secret: bool = False) -> Any:
        """Return a setting; a portal's secret is never taken from another's section.

        Raises:
            ConfigurationError: the configuration files cannot be read.
        """
        if self.given.get(name) is not None:
            return self.given[name]
        return configured(self.source, self.portal, name, default, secret=secret)

    def number(self, name: str, default: float, *, above: float = -1e-9) -> float:
        """Return a setting that is a number above `above`.

        Raises:
            ConfigurationError: it is none.
        """
        told, number = self.get(name, default), float("nan")
        with suppress(TypeError, ValueError):
            number = float(told)
        if not above < number < 1e6:
            raise ConfigurationError(f"{name} is {told!r}; it is a number above {max(above, 0):g}")
        return number

    def shared(self, requests_per_second: float) -> dict[str, Any]:
        """Return what every source has, as keywords of PortalSettings.

        Args:
            requests_per_second: where none is configured.

        Raises:
            ConfigurationError: a setting is malformed.
        """
        region = self.get("phone_region")
        if region is not None and not re.fullmatch(r"[A-Za-z]{2}", str(region)):
            raise ConfigurationError(f"phone_region is {region!r}; it is a country's two letters, for example KZ")
        return {
            "overlap": timedelta(minutes=self.number("overlap_minutes", 5.0)),
            "phone_region": str(region).upper() if region else None,
            "requests_per_second": self.number("requests_per_second", requests_per_second, above=0.0),
        }


def sources() -> tuple[str, ...]:
    """Return the names of the CRMs that leadhouse reads: its packages that know how to be configured."""
    return tuple(sorted(file.parent.name for file in Path(__file__).parent.glob("*/settings.py")))


def of_source(source: str) -> ModuleType:
    """Return the settings module of a source; light to import."""
    return import_module(f"leadhouse.{source}.settings")


def setting_names(source: str) -> frozenset[str]:
    """Return the names of all settings of a source."""
    own = set(of_source(source).SETTINGS)
    return frozenset(own | {"overlap_minutes", "phone_region", "requests_per_second"})


def portal_settings(source: str, portal: str | None, given: Mapping[str, Any]) -> PortalSettings:
    """Return the settings of a portal; `given` (flags) wins, None in it means not given.

    Args:
        source: "bitrix24" or another source.
        portal: name of the portal where there are several.
        given: values by setting name.

    Raises:
        ConfigurationError: a setting is missing or malformed.
    """
    made: PortalSettings = of_source(source).read(Told(source, portal, given))
    return made


def configured(source: str, portal: str | None, name: str, default: Any = None, *, secret: bool = False) -> Any:
    """Return one setting from dlt's configuration, of the named portal first, then of the source.

    Raises:
        ConfigurationError: the configuration files cannot be read.
    """
    sections = [f"sources.{source}.{portal}"] if portal else []
    if not (portal and secret):  # one portal's secret never stands in for another's
        sections.append(f"sources.{source}")
    for section in sections:
        found = configured_value(f"{section}.{name}", secret=secret)
        if found is not None:
            return found
    return default


def destination_url(given: str | None) -> str:
    """Return where to write: as given, else LEADHOUSE__TO or `to` under [leadhouse] in `.dlt/`, else a DuckDB file."""
    return str(given or configured_value("leadhouse.to", secret=True) or DEFAULT_TO)


def history_wanted(given: bool | None) -> bool:
    """Return whether the versions of leads are to be kept: as given, else LEADHOUSE__HISTORY or `history` in `.dlt/`.

    Raises:
        ConfigurationError: what is configured is neither true nor false.
    """
    told = given if given is not None else configured_value("leadhouse.history", secret=False)
    flags = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "none": False}
    if str(told).lower() not in flags:
        raise ConfigurationError(f"LEADHOUSE__HISTORY is {told!r}; it is true or false")
    return flags[str(told).lower()]


def configure_dlt() -> None:
    """Set dlt's settings in the environment, where a person has not."""
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)


def configured_value(key: str, *, secret: bool) -> Any:
    """Return what dlt's configuration has under a key like "leadhouse.to", None where it has nothing.

    Raises:
        ConfigurationError: the configuration files cannot be read.
    """
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
    if not is_dataset_name(name):
        raise ConfigurationError(
            f"{name!r} cannot name a dataset; use letters, digits and single underscores, a letter first"
        )
    return name.lower()


def is_dataset_name(name: str) -> bool:
    """Tell whether a schema of any database can have this name."""
    return _NAME.fullmatch(name) is not None and not name.endswith("_") and "__" not in name


def known_source(source: str) -> str:
    """Return `source` if leadhouse reads it.

    Raises:
        ConfigurationError: it does not.
    """
    if source not in sources():
        raise ConfigurationError(f"{source!r} is no source; leadhouse reads {', '.join(sources())}")
    return source


def data_dir() -> Path:
    """Return dlt's working directory: DLT_DATA_DIR, else `state/local` in a checkout, else the user's state folder."""
    told = os.environ.get("DLT_DATA_DIR")
    if told:
        return Path(told).expanduser().absolute()
    if in_checkout():
        return checkout() / "state" / "local"
    return Path(platformdirs.user_state_dir("leadhouse", appauthor=False))
