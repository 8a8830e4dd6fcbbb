"""What the doctor looks at on this machine: configuration files, names of settings, working directory, disk."""

import os
import shutil
import stat
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from leadhouse.errors import ConfigurationError
from leadhouse.findings import OPERATOR, Findings
from leadhouse.settings import configure_dlt, data_dir, setting_names
from leadhouse.warehouse import Target

LEADHOUSE = frozenset({"to", "notify", "pii", "pii_key", "history", "publish"})
_ROOM_MB = 1024


def files(found: Findings) -> None:
    """Look which configuration files there are; one with secrets is its owner's alone.

    Raises:
        ConfigurationError: one cannot be read.
    """
    there = _files()
    for path in there:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.name == "secrets.toml" and mode & (stat.S_IRGRP | stat.S_IROTH):
            found.add("files", OPERATOR, f"other users of this machine can read {path}; chmod 600 {path}")
    told = ", ".join(map(str, there))
    found.ok("files", told or f"none in {Path.cwd() / '.dlt'}: the environment and flags are all there is")


def names(found: Findings, source: str) -> None:
    """Look for settings that nobody reads, in a source's sections and in leadhouse's."""
    unknown = [*_unknown_in_files(source), *_unknown_in_environment(source)]
    for where, known in unknown:
        close = get_close_matches(where.rpartition("__")[2].rpartition(".")[2].lower(), known, n=1)
        meant = f"did you mean {close[0]}?" if close else f"the names are {', '.join(sorted(known))}"
        found.add("names", OPERATOR, f"{where} is no setting; {meant}")
    if not unknown:
        found.ok("names", "every setting is a known one")


def messages(found: Findings) -> None:
    """Look whether failures are told to somebody.

    Raises:
        ConfigurationError: what is set cannot be used.
    """
    from leadhouse.notify import channels  # noqa: PLC0415 - light, but only commands need it

    told = [channel.name for channel in channels()]
    found.ok("messages", f"failures are told to {' and '.join(told)}" if told else "failures are told to nobody")


def working_directory(found: Findings) -> None:
    """Look whether files can be made where runs work.

    Raises:
        ConfigurationError: they cannot.
    """
    folder = data_dir()
    there = _existing(folder)
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ConfigurationError(f"{folder} cannot be written by this user; set DLT_DATA_DIR, or give the rights")
    found.ok("working directory", f"{folder} can be written")


def disk(found: Findings, target: Target | None) -> None:
    """Look at the room where runs work, and where a DuckDB file lies."""
    folders = [data_dir(), *([Path(target.url).parent] if target and target.kind == "duckdb" else [])]
    by_device = {(there := _existing(folder)).stat().st_dev: there for folder in folders}
    for folder in by_device.values():
        free = shutil.disk_usage(folder).free // 2**20
        told = f"{free / 1024:,.1f} GB free at {folder}"
        if free < _ROOM_MB:
            found.add("disk", OPERATOR, f"{told}; make room, a run wants {_ROOM_MB // 1024} GB")
        else:
            found.ok("disk", told)


def _existing(folder: Path) -> Path:
    """Return the folder, else the nearest one above it that exists."""
    return next(there for there in (folder, *folder.parents) if os.access(there, os.F_OK))


def _files() -> list[Path]:
    """Return dlt's configuration files that there are."""
    configure_dlt()
    from dlt.common.configuration.container import Container  # noqa: PLC0415 - dlt costs half a second
    from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext  # noqa: PLC0415

    problem = ""
    try:
        providers = Container()[PluggableRunContext].providers.providers
        told = [Path(place) for provider in providers for place in getattr(provider, "present_locations", ())]
        return [path.absolute() for path in told]
    except Exception as error:  # noqa: BLE001 - dlt raises many classes for unreadable files
        problem = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    raise ConfigurationError(f"the configuration in .dlt/ cannot be read ({problem}); correct the file")


def _unknown_in_files(source: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield settings of files that are none, with the names that there are."""
    for path in _files():
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        yield from _unknown(told.get("leadhouse"), "leadhouse", LEADHOUSE, path)
        sources = told.get("sources")
        section = sources.get(source) if isinstance(sources, Mapping) else None
        known = setting_names(source)
        yield from _unknown(section, f"sources.{source}", known, path)
        for name, portal in (section or {}).items():
            if isinstance(portal, Mapping):
                yield from _unknown(portal, f"sources.{source}.{name}", known, path)


def _unknown(section: Any, name: str, known: frozenset[str], path: Path) -> Iterator[tuple[str, frozenset[str]]]:
    for key, value in section.items() if isinstance(section, Mapping) else ():
        if key not in known and not isinstance(value, Mapping):
            yield f"{path}: {name}.{key}", known


def _unknown_in_environment(source: str) -> Iterator[tuple[str, frozenset[str]]]:
    known = setting_names(source)
    for name in sorted(os.environ):
        section, _, rest = name.partition("__")
        parts = rest.split("__")
        if section == "LEADHOUSE" and len(parts) == 1 and rest.lower() not in LEADHOUSE:
            yield name, LEADHOUSE
        if (section, parts[0]) == ("SOURCES", source.upper()) and parts[-1].lower() not in known:
            yield name, known
