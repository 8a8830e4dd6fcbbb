"""Commands on what is remembered between runs."""

import json
from typing import Any

import click

from leadhouse.cli import DESTINATION_HELP, common_options, log_to_stderr, main, warehouse_options
from leadhouse.settings import known_source


@main.group(epilog="Example: leadhouse state show bitrix24")
def state() -> None:
    """Show or change what is remembered between runs."""


@state.command(epilog="Example: leadhouse state show bitrix24 --to duckdb:leads.duckdb")
@click.argument("source")
@warehouse_options
def show(
    source: str, to: str | None, dataset: str | None, portal: str | None, lock_timeout: float, verbose: bool
) -> None:
    """Print the stored cursor and any open window as JSON."""
    log_to_stderr(verbose)
    from leadhouse import state as state_of  # noqa: PLC0415

    warehouse = _warehouse(source, to, dataset, portal, lock_timeout, read_only=True)
    told = state_of.show(warehouse, source, lock_timeout=lock_timeout)
    click.echo(json.dumps(told, indent=2))


@state.command(epilog="Example: leadhouse state rewind bitrix24 --to 2026-11-01T00:00:00+03:00")
@click.argument("source")
@common_options
@click.option(
    "--to", "to", multiple=True, required=True, metavar="TIME", help="Read again what was modified since this time."
)
@click.option("--destination", help=DESTINATION_HELP)
def rewind(
    source: str,
    to: tuple[str, ...],
    destination: str | None,
    dataset: str | None,
    portal: str | None,
    lock_timeout: float,
    verbose: bool,
) -> None:
    """Set the cursor back; the next run reads again what was modified since."""
    log_to_stderr(verbose)
    from leadhouse import state as state_of  # noqa: PLC0415
    from leadhouse.times import parse_time  # noqa: PLC0415

    # Elsewhere --to names the destination, so a destination is taken here too beside the time.
    places = [told for told in to if ":" in told and told.split(":")[0].isalpha()]
    times = [told for told in to if told not in places]
    if len(times) != 1 or len(places) > 1:
        raise click.UsageError("--to takes one time, like 2026-11-01T00:00:00+03:00")
    at = parse_time(times[0])
    assert at is not None  # noqa: S101 - there is one time
    warehouse = _warehouse(source, destination or next(iter(places), None), dataset, portal, lock_timeout)
    state_of.rewind_to(warehouse, source, at, lock_timeout=lock_timeout)
    click.echo(f"the cursor of {warehouse.dataset} is {at:%Y-%m-%dT%H:%M:%SZ}")


@state.command(epilog="Example: leadhouse state reset bitrix24 --yes")
@click.argument("source")
@warehouse_options
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(
    source: str, to: str | None, dataset: str | None, portal: str | None, lock_timeout: float, verbose: bool, yes: bool
) -> None:
    """Forget the cursor; the next run reads everything again into place."""
    log_to_stderr(verbose)
    from leadhouse import state as state_of  # noqa: PLC0415

    warehouse = _warehouse(source, to, dataset, portal, lock_timeout)
    if not yes:
        click.confirm(f"Forget the cursor of {warehouse.dataset} in {warehouse.target.label}?", abort=True)
    state_of.reset(warehouse, source, lock_timeout=lock_timeout)
    click.echo(f"the cursor of {warehouse.dataset} is forgotten; the next run reads everything again")


def _warehouse(
    source: str,
    to: str | None,
    dataset: str | None,
    portal: str | None,
    lock_timeout: float,
    *,
    read_only: bool = False,
) -> Any:
    from leadhouse.settings import dataset_name, destination_url  # noqa: PLC0415
    from leadhouse.warehouse import Target, Warehouse  # noqa: PLC0415

    name = dataset_name(known_source(source), portal, dataset)
    return Warehouse(Target.parse(destination_url(to)), name, lock_timeout=lock_timeout, read_only=read_only)
