"""The command line: parse, call, print. No logic, and no heavy import before a command runs."""

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

import click

from leadhouse import __version__
from leadhouse.errors import CopyNotWrittenError, LeadhouseError
from leadhouse.redact import redact
from leadhouse.settings import Option, known_source, of_source, setting_names, sources

F = TypeVar("F", bound=Callable[..., Any])
_SOURCES = " or ".join(", ".join(sources()).rsplit(", ", 1))


class _Commands(click.Group):
    """Turns leadhouse's errors into one line and the right exit status."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        try:
            status = super().main(*args, **kwargs)
        except click.exceptions.Abort:
            click.echo("stopped; the next run continues from the last checkpoint", err=True)
            sys.exit(1)
        except click.ClickException as error:
            error.show()
            sys.exit(2)
        except LeadhouseError as error:
            click.echo(f"leadhouse: {redact(str(error))}", err=True)
            sys.exit(error.exit_code)
        sys.exit(status if isinstance(status, int) else 0)


DESTINATION_HELP = (
    "duckdb:file.duckdb, postgresql://…, or a dlt destination. [default: LEADHOUSE__TO, else duckdb:leadhouse.duckdb]"
)


def common_options(command: F) -> F:
    """Give a command the options that every command on a warehouse has."""
    for option in (
        click.option("--dataset", help="Schema of the tables. [default: the portal's name, else SOURCE]"),
        click.option("--portal", help="Name of the portal: reads SOURCES__{SOURCE}__{NAME}__…."),
        click.option("--lock-timeout", type=click.FloatRange(0), default=60.0, show_default=True,
                     help="Seconds to wait for another process that has the DuckDB file open, or for another run."),
        click.option("--verbose", is_flag=True, help="Log what happens inside."),
    ):  # fmt: skip
        command = option(command)
    return command


def portal_options(command: F) -> F:
    """Give a command the options that say how to reach and read a portal, of every source."""
    told: dict[str, list[tuple[str, Option]]] = {}
    for name in sources():
        for option in of_source(name).OPTIONS:
            told.setdefault(option.name, []).append((name, option))
    for name, options in told.items():
        choices = [choice for _, option in options for choice in option.choices]
        about = " ".join(f"{source}: {option.about}" for source, option in options)
        kind = click.Choice(choices) if choices else None
        command = click.option(f"--{name.replace('_', '-')}", type=kind, help=about)(command)
    return click.option("--phone-region", help="Country of phone numbers without a code, for example KZ.")(command)


def chosen(source: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options without those of other sources, which must not be given."""
    own = setting_names(known_source(source))
    others = {told.name for name in sources() for told in of_source(name).OPTIONS} - own
    for name in sorted(others):
        if options.pop(name, None) is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} is no option of {source}")
    return options


def _guard_options(command: F) -> F:
    for option in (
        click.option("--yes", is_flag=True, help="Mark vanished leads, however many."),
        click.option("--max-deletions", metavar="N|N%",
                     help="Vanished leads that are believed. [default: 10% or 100, whichever is larger]"),
    ):  # fmt: skip
        command = option(command)
    return command


def warehouse_options(command: F) -> F:
    """Give a command the options that name a warehouse and a dataset in it."""
    return common_options(click.option("--to", "--destination", "to", help=DESTINATION_HELP)(command))


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: leadhouse sync bitrix24 --to duckdb:leads.duckdb",
)
@click.version_option(__version__, prog_name="leadhouse")
def main() -> None:
    """Keep a company's CRM leads in its own warehouse, complete and current."""


@main.command(
    help=f"Bring the warehouse up to date with a portal (SOURCE: {_SOURCES}), or with all that are configured.",
    epilog="Example: leadhouse sync bitrix24 --to postgresql://loader@db.example.com/crm --json",
)
@click.argument("source", required=False)
@click.option(
    "--all", "every", is_flag=True, help="Every configured portal, of SOURCE or of all; each has its dataset."
)
@click.option("--jobs", type=click.IntRange(1), help="With --all: portals at a time. [default: 4]")
@warehouse_options
@portal_options
@click.option("--since", help="Read again what was modified from this time on; the cursor stays.")
@click.option("--until", help="… and before this time.")
@click.option("--full", is_flag=True, help="Read everything again into place.")
@click.option(
    "--pii",
    type=click.Choice(["keep", "hash", "drop"]),
    help="Personal data: kept, replaced by pseudonyms, or left out. [default: LEADHOUSE__PII, else as before]",
)
@click.option("--reconcile", is_flag=True, help="Then find leads that vanished, or that the cursor cannot see.")
@click.option("--reconcile-every", metavar="TIME", help="The same, if the last time is as long ago, like 24h.")
@_guard_options
@click.option("--publish", metavar="PATH", help="Then keep this DuckDB file as a copy of the warehouse for readers.")
@click.option("--history", is_flag=True, default=None, help="Keep every version of a lead from now on: lead_versions.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's summary as one JSON object.")
def sync(source: str | None, every: bool, jobs: int | None, verbose: bool, as_json: bool, **options: Any) -> int:
    """Bring the warehouse up to date with a portal, or with all of them."""
    log_to_stderr(verbose)
    if every:
        return _sync_all(source, jobs, verbose=verbose, as_json=as_json, options=options)
    if source is None or jobs is not None:
        raise click.UsageError(
            "Missing argument 'SOURCE'; name one, or give --all" if source is None else "--jobs goes with --all"
        )
    from leadhouse.service import sync as run  # noqa: PLC0415 - dlt loads with it

    unpublished: CopyNotWrittenError | None = None
    try:
        summary = run(source, **chosen(source, options))
    except CopyNotWrittenError as error:
        if error.summary is None:
            raise
        summary, unpublished = error.summary, error
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        compared = f", {_compared(summary)}" if summary.reconciled else ""
        click.echo(
            f"{summary.leads_read:,} leads read, {summary.rows_written:,} rows written to {summary.destination} "
            f"({summary.dataset}){compared} in {summary.seconds:.1f} s, {summary.requests} requests"
        )
    if unpublished is not None:
        raise unpublished
    return 0


def _sync_all(source: str | None, jobs: int | None, *, verbose: bool, as_json: bool, options: dict[str, Any]) -> int:
    """Sync every configured portal; return the worst exit status."""
    from leadhouse.all_portals import JOBS, sync_all  # noqa: PLC0415 - dlt loads with it

    own = {"dataset", "portal", "phone_region"} | {told.name for name in sources() for told in of_source(name).OPTIONS}
    for name in sorted(own & options.keys()):
        if options.pop(name) is not None:
            raise click.UsageError(f"--{name.replace('_', '-')} is for one portal; it does not go with --all")

    def say(run: Any) -> None:
        click.echo(f"{run.portal.label}: {run.line}", err=run.exit_code != 0)

    told = sync_all(
        source and known_source(source), jobs=jobs or JOBS, verbose=verbose, ended=(lambda _: None) if as_json else say,
        **options,
    )  # fmt: skip
    click.echo(json.dumps(told.to_dict()) if as_json else told.line)
    if told.unpublished:
        click.echo(f"leadhouse: {told.unpublished}", err=True)
    return told.exit_code


@main.command(epilog="Example: leadhouse reconcile bitrix24 --to duckdb:leads.duckdb")
@click.argument("source")
@warehouse_options
@portal_options
@click.option("--deep", is_flag=True, help="Compare modification times too; read again the leads that differ.")
@click.option("--every-lead", is_flag=True, help="Read every lead again, also where its time did not move.")
@_guard_options
@click.option("--json", "as_json", is_flag=True, help="Print the run's summary as one JSON object.")
def reconcile(source: str, verbose: bool, as_json: bool, **options: Any) -> None:
    """Find leads that left the portal, or that the cursor cannot see, and put the warehouse right."""
    log_to_stderr(verbose)
    from leadhouse.reconciliation import reconcile as run  # noqa: PLC0415

    summary = run(source, **chosen(source, options))
    if as_json:
        click.echo(json.dumps(summary.to_dict()))
    else:
        click.echo(f"{_compared(summary)}, in {summary.seconds:.1f} s, {summary.requests} requests")


def _sample(context: click.Context, option: click.Parameter, told: str) -> Any:
    return told if told == "all" else click.IntRange(0)(told, option, context)


@main.command(epilog="Example: leadhouse verify bitrix24 --to duckdb:leads.duckdb --sample all")
@click.argument("source")
@warehouse_options
@portal_options
@click.option(
    "--sample",
    default="200",
    callback=_sample,
    show_default=True,
    metavar="N|all",
    help="Leads that are read again and compared value by value.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed takes the same leads.")
@click.option("--show-values", is_flag=True, help="Show personal data, too; it is masked otherwise.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(source: str, verbose: bool, show_values: bool, as_json: bool, **options: Any) -> int:
    """Compare the warehouse with the portal and list what differs; writes nothing. Exit 0: equal, 1: not."""
    log_to_stderr(verbose)
    from leadhouse.verdict import render as render_verdict  # noqa: PLC0415
    from leadhouse.verification import verify as run  # noqa: PLC0415

    told = run(source, **chosen(source, options))
    if as_json:
        click.echo(json.dumps(told.to_dict(show_values=show_values)))
    else:
        click.echo(render_verdict(told, show_values=show_values))
    return 0 if told.equal else 1


@main.command(epilog="Example: leadhouse lead bitrix24 17 4211 --to duckdb:leads.duckdb")
@click.argument("source")
@click.argument("ids", metavar="ID...", type=click.IntRange(1, 2**63 - 1), nargs=-1, required=True)
@warehouse_options
@portal_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def lead(source: str, ids: tuple[int, ...], verbose: bool, as_json: bool, **options: Any) -> int:
    """Fetch leads now and refresh their rows; the cursor stays."""
    log_to_stderr(verbose)
    from leadhouse.chosen import lead as run  # noqa: PLC0415

    asked = run(source, ids, **chosen(source, options))
    if as_json:
        fates = {str(number): fate.name.lower() for number, fate in asked.fates.items()}
        click.echo(json.dumps({**asked.summary.to_dict(), "leads": fates}))
    else:
        for number, fate in asked.fates.items():
            click.echo(f"lead {number}: {fate}", err=not fate.good)
    return 0 if all(fate.good for fate in asked.fates.values()) else 2


@main.command(epilog="Example: leadhouse sandbox bitrix24 --port 8090 --leads 5000")
@click.argument("source")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, default=0, help="Port; 0 takes a free one. [default: 0]")
@click.option("--leads", type=click.IntRange(0), default=1000, show_default=True, help="Leads to make.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same portal.")
@click.option("--tls", is_flag=True, help="Speak https with a certificate of its own.")
@click.option("--throttle", is_flag=True, help="Enforce the vendor's limits: 2 requests a second, 480 working seconds.")
@click.option("--latency", type=click.FloatRange(0), default=0.0, help="Seconds added to each request.")
def sandbox(
    source: str, host: str, port: int, leads: int, seed: int, tls: bool, throttle: bool, latency: float
) -> None:
    """Run a sandbox portal; its URL is the first line printed, for Kommo its access token the second."""
    problem = ""
    try:
        portal = import_module(f"leadhouse.sandbox.{known_source(source)}")
    except ModuleNotFoundError as error:
        problem = error.name or "a package"
    if problem:
        raise click.ClickException(f"the sandbox needs {problem}; install leadhouse[sandbox]")
    limits = portal.Limits() if throttle else None
    portal.run(host, port, leads=leads, seed=seed, tls=tls, limits=limits, latency=latency)


@main.command(epilog="Example: leadhouse demo --source kommo --leads 5000")
@click.option("--source", default="bitrix24", show_default=True, help=f"The CRM: {_SOURCES}.")
@click.option("--to", default="duckdb:leadhouse-demo.duckdb", show_default=True, help="A DuckDB file, made anew.")
@click.option("--leads", type=click.IntRange(10), default=5000, show_default=True, help="Leads of the sandbox portal.")
def demo(source: str, to: str, leads: int) -> None:
    """Sync a sandbox portal, change it, sync again, and show what an analyst would ask."""
    problem = ""
    try:
        from leadhouse.demo import show as show_demo  # noqa: PLC0415

        import_module(f"leadhouse.sandbox.{known_source(source)}.story")
    except ModuleNotFoundError as error:
        problem = error.name or "a package"
    if problem:
        raise click.ClickException(f"the demo needs {problem}; install leadhouse[sandbox]")
    show_demo(source, to, leads)


def _compared(summary: Any) -> str:
    return (
        f"{summary.leads_deleted:,} leads found deleted, {summary.leads_out_of_sight:,} out of sight, "
        f"{summary.leads_recovered:,} that the cursor could not see"
    )


def log_to_stderr(verbose: bool) -> None:
    """Send log lines to stderr."""
    from leadhouse import logs  # noqa: PLC0415 - structlog takes a tenth of a second

    logs.configure(verbose=verbose)


import leadhouse.cli_analysts  # noqa: E402
import leadhouse.cli_operators  # noqa: E402
import leadhouse.cli_state  # noqa: E402, F401 - their commands join the group
