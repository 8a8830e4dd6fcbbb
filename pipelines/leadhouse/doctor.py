"""The doctor: looks at all that a run needs, and says of each that it is well, or the cure. It changes nothing."""

from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from leadhouse import doctor_configuration as configuration
from leadhouse import doctor_warehouse as warehouses
from leadhouse.doctor_network import reach
from leadhouse.errors import ConfigurationError
from leadhouse.findings import Findings
from leadhouse.settings import PortalSettings, dataset_name, destination_url, known_source, portal_settings
from leadhouse.token_chain import stored_in
from leadhouse.warehouse import Target, Warehouse

_PORTAL = ("reach", "certificate", "credentials", "rights", "clock", "time zone", "limits")


def examine(
    source: str,
    *,
    to: str | None = None,
    dataset: str | None = None,
    portal: str | None = None,
    lock_timeout: float = 5.0,
    settings: dict[str, Any] | None = None,
) -> Findings:
    """Look at configuration, machine, warehouse and portal.

    Args:
        source: "bitrix24" or "kommo".
        to: the destination, as `sync` takes it.
        dataset: schema of the tables.
        portal: name of the portal where several are configured.
        lock_timeout: seconds to wait for a process that has the DuckDB file open.
        settings: of the portal, by name; None in it means not given.

    Raises:
        ConfigurationError: `source` is none, or the portal's name or the dataset's cannot be one.
    """
    known_source(source)
    name = dataset_name(source, portal, dataset)
    found = Findings()
    found.check("files", lambda: configuration.files(found))
    found.check("names", lambda: configuration.names(found, source))
    chosen = found.check("settings", lambda: _settings(found, source, portal, settings or {}))
    found.check("messages", lambda: configuration.messages(found))
    found.check("working directory", lambda: configuration.working_directory(found))
    warehouse = found.check("destination", lambda: _warehouse(to, name, lock_timeout))
    if warehouse is None:
        found.unknown("warehouse", "state", why="there is no destination")
    elif found.check("warehouse", lambda: warehouses.access(found, warehouse, lock_timeout)):
        found.check("state", lambda: warehouses.state(found, warehouse, source, chosen))
    else:
        found.unknown("state", why="the warehouse cannot be used")
    found.check("disk", lambda: configuration.disk(found, warehouse.target if warehouse else None))
    if chosen is None:
        found.unknown(*_PORTAL, why="the settings are not complete")
    else:
        with stored_in(warehouse.token_store) if warehouse else nullcontext():
            found.check("portal", lambda: _portal(found, source, chosen))
    return found


def _warehouse(to: str | None, dataset: str, lock_timeout: float) -> Warehouse:
    return Warehouse(Target.parse(destination_url(to)), dataset, lock_timeout=lock_timeout, read_only=True)


def _settings(found: Findings, source: str, portal: str | None, given: dict[str, Any]) -> PortalSettings:
    chosen = portal_settings(source, portal, given)
    where = f"sources.{source}.{portal}" if portal else f"sources.{source}"
    found.ok("settings", f"complete for {where}")
    return chosen


def _portal(found: Findings, source: str, settings: PortalSettings) -> None:
    """Look at the portal; a source without a `doctor` of its own is only reached for."""
    own = import_module(f"leadhouse.{source}.doctor") if find_spec(f"leadhouse.{source}.doctor") else None
    address = own.address(found, settings) if own else _address(settings)
    if address is None:
        found.unknown(*_PORTAL, why="no run has learned the portal's address yet")
    elif not reach(found, address):
        found.unknown(*_PORTAL[2:], why="the portal is not reached")
    elif own:
        own.examine(found, settings)
    else:
        found.unknown(*_PORTAL[2:], why=f"{source} has no checks of its own")


def _address(settings: PortalSettings) -> str:
    """Return the address among the settings of a source that has no doctor of its own.

    Raises:
        ConfigurationError: there is none.
    """
    for name in type(settings).__dataclass_fields__:
        value = getattr(settings, name)
        if name.endswith("_url") and isinstance(value, str):
            return value
    raise ConfigurationError("none of the settings is the portal's address")
