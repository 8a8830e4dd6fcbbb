"""Commands for operators: how it fares, and what is wrong."""

import json
from datetime import timedelta
from typing import Any

import click

from leadhouse.cli import chosen, log_to_stderr, main, portal_options, warehouse_options

_MAX_AGE_OF_A_PAGE = "24h"


@main.command(epilog="Example: leadhouse status --to duckdb:leads.duckdb --max-age 2h")
@click.argument("source", required=False)
@warehouse_options
@click.option("--all", "every", is_flag=True, help="Every dataset of leadhouse in the warehouse.")
@click.option("--max-age", metavar="TIME", help="Exit 1 if the last successful sync ended longer ago, like 2h.")
@click.option("--html", metavar="FILE", help="Write a page, too.")
@click.option("--prometheus", metavar="FILE", help="Write metrics for a textfile collector, too: a file NAME.prom.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(
    source: str | None,
    verbose: bool,
    every: bool,
    html: str | None,
    prometheus: str | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Show freshness, last runs and row counts of a warehouse. Exit 1: older than --max-age."""
    log_to_stderr(verbose)
    from leadhouse.datasets import none_yet  # noqa: PLC0415 - dlt loads with it
    from leadhouse.settings import destination_url  # noqa: PLC0415
    from leadhouse.status_text import render, render_every  # noqa: PLC0415
    from leadhouse.times import interval  # noqa: PLC0415
    from leadhouse.warehouse import Target  # noqa: PLC0415

    if every and (source or options["dataset"] or options["portal"]):
        raise click.UsageError("--all shows every dataset; leave SOURCE, --dataset and --portal out")
    max_age = interval(options["max_age"], "--max-age") if options["max_age"] else None
    target = Target.parse(destination_url(options["to"]))
    told = _told(target, source, every, 100 if html else 5, options)
    if html:
        from leadhouse.page import write_page  # noqa: PLC0415

        limit = max_age or interval(_MAX_AGE_OF_A_PAGE, "--max-age")
        write_page(told, html, destination=target.label, limit=limit)
    if prometheus:
        from leadhouse.prometheus import write_metrics  # noqa: PLC0415 - its library is loaded with it

        write_metrics(told, prometheus)
    if every and not told:
        raise none_yet(target)
    shown = [one if "problem" in one else one | {"runs": one["runs"][:5]} for one in told]
    if as_json:
        click.echo(json.dumps({"destination": target.label, "datasets": shown} if every else shown[0]))
    else:
        click.echo(render_every(shown, target.label) if every else render(shown[0]))
    return _verdict(told, max_age)


@main.command(epilog="Example: leadhouse doctor bitrix24 --to duckdb:leads.duckdb")
@click.argument("source")
@warehouse_options
@portal_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(source: str, verbose: bool, as_json: bool, **options: Any) -> int:
    """Look at all that a run needs; each line says ok or the cure. Exit 1: it may heal by itself, 2: act."""
    log_to_stderr(verbose)
    from leadhouse.doctor import examine  # noqa: PLC0415 - dlt loads with it

    told = chosen(source, options)
    place = {name: told.pop(name) for name in ("to", "dataset", "portal", "lock_timeout")}
    found = examine(source, **place, settings=told)
    click.echo(json.dumps(found.to_dict()) if as_json else found.render())
    return found.exit_status


@main.command(epilog="Example: leadhouse forget bitrix24 17 4211 --to duckdb:leads.duckdb")
@click.argument("source")
@click.argument("ids", metavar="ID...", type=click.IntRange(1, 2**63 - 1), nargs=-1, required=True)
@warehouse_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def forget(source: str, ids: tuple[int, ...], verbose: bool, as_json: bool, **options: Any) -> int:
    """Erase the personal values of leads and keep them out. Exit 2: the warehouse has no such lead."""
    log_to_stderr(verbose)
    from leadhouse.forgetting import forget as run  # noqa: PLC0415 - dlt loads with it

    done = run(source, ids, **options)
    if as_json:
        click.echo(json.dumps(done.to_dict()))
    else:
        for line in done.lines:
            click.echo(line)
        for number in done.unknown:
            click.echo(f"lead {number}: the warehouse has no such lead; if it comes, it is kept out", err=True)
    return 2 if done.unknown else 0


def _told(target: Any, source: str | None, every: bool, limit: int, options: dict[str, Any]) -> list[dict[str, Any]]:
    from leadhouse.datasets import meant  # noqa: PLC0415 - dlt loads with it
    from leadhouse.settings import known_source  # noqa: PLC0415
    from leadhouse.status import every_status  # noqa: PLC0415
    from leadhouse.status import status as status_of  # noqa: PLC0415
    from leadhouse.warehouse import Warehouse  # noqa: PLC0415

    timeout = options["lock_timeout"]
    if every:
        return every_status(target, lock_timeout=timeout, limit=limit)
    if source:
        known_source(source)
    portal, dataset = options["portal"], options["dataset"]
    source, dataset = meant(target, source, portal, dataset, lock_timeout=timeout, every=", or take --all")
    warehouse = Warehouse(target, dataset, lock_timeout=timeout, read_only=True)
    return [status_of(warehouse, source, lock_timeout=timeout, limit=limit)]


def _verdict(told: list[dict[str, Any]], max_age: timedelta | None) -> int:
    """Say on stderr, in one line each, what is unreadable or too old; return the exit status."""
    from leadhouse.status import stale  # noqa: PLC0415 - dlt loads with it

    worst = max((one["exit_status"] for one in told if "problem" in one), default=0)
    for one in told:
        why = stale(one, max_age if max_age is not None else timedelta.max)
        if why and (max_age is not None or "problem" in one):
            click.echo(f"leadhouse: {why}", err=True)
            worst = max(worst, 1)
    return worst
