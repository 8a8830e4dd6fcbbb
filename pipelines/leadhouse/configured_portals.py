"""Which portals are configured: the sections of dlt's configuration that say how to reach one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadhouse.errors import ConfigurationError
from leadhouse.settings import configure_dlt, dataset_name, known_source, of_source, setting_names, sources


@dataclass(frozen=True, slots=True, order=True)
class ConfiguredPortal:
    """A portal of the configuration.

    Attributes:
        source: "bitrix24".
        name: of the portal; None: the one of the source's own section.
        dataset: where its tables go.
    """

    source: str
    name: str | None
    dataset: str

    @property
    def label(self) -> str:
        """Name for people: "bitrix24", "bitrix24.acme"."""
        return f"{self.source}.{self.name}" if self.name else self.source


def portals(source: str | None = None, *, required: bool = True) -> list[ConfiguredPortal]:
    """Return the configured portals, the unnamed one of a source first.

    A named portal is a section below its source's, `[sources.bitrix24.acme]` or SOURCES__BITRIX24__ACME__…; the unnamed
    one is there where the source's own section says how to get in.

    Args:
        source: only those of this source.
        required: that there is one.

    Raises:
        ConfigurationError: none is configured, two would share a dataset, a name cannot be a dataset's, or the files
            cannot be read.
    """
    wanted = sources() if source is None else (known_source(source),)
    found = [ConfiguredPortal(of, name, dataset_name(of, name, None)) for of in wanted for name in _names(of)]
    if required and not found:
        section = f"sources.{source or 'bitrix24'}.acme"
        raise ConfigurationError(
            f"no portal {'of ' + source + ' ' if source else ''}is configured; describe each under "
            f"[{section}] in .dlt/, or as {section.replace('.', '__').upper()}__…"
        )
    by_dataset: dict[str, ConfiguredPortal] = {}
    for portal in found:
        other = by_dataset.setdefault(portal.dataset, portal)
        if other is not portal:
            raise ConfigurationError(
                f"{other.label} and {portal.label} would share the dataset {portal.dataset}; rename one of them"
            )
    return found


def _names(source: str) -> list[str | None]:
    """Return the names of a source's portals, None for the unnamed one."""
    settings, access = setting_names(source), _access(source)
    unnamed, named = False, dict[str, str]()
    for section in _told(source):
        for key, told in section.items():
            if isinstance(told, Mapping) and settings & told.keys():
                named.setdefault(key.lower(), key)
            unnamed = unnamed or (key in access and bool(told))
    prefix = f"SOURCES__{source}__".upper()
    for variable, told in os.environ.items():
        *name, setting = variable.removeprefix(prefix).split("__")
        if not told or not variable.startswith(prefix) or setting.lower() not in settings:
            continue
        if len(name) == 1:
            named.setdefault(name[0].lower(), name[0].lower())
        unnamed = unnamed or (not name and setting.lower() in access)
    return [*([None] if unnamed else []), *(named[key] for key in sorted(named))]


def _access(source: str) -> frozenset[str]:
    """Return the settings that let in; others are defaults for the source's named portals."""
    module = of_source(source)
    return frozenset(getattr(module, "ACCESS", module.SETTINGS))


def _told(source: str) -> list[Mapping[str, Any]]:
    """Return the source's section of each of dlt's configuration files."""
    configure_dlt()
    import dlt  # noqa: PLC0415 - costs half a second

    problem = ""
    try:
        found = [provider.get_value(source, dict, "", "sources")[0] for provider in dlt.config.config_providers]
    except Exception as error:  # noqa: BLE001 - dlt raises many classes for unreadable files
        problem = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    if problem:
        raise ConfigurationError(f"the configuration in .dlt/ cannot be read ({problem}); correct the file")
    return [told for told in found if isinstance(told, Mapping)]
