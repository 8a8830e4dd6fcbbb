"""Commands for those who read the tables: what they mean, and the tables as files."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from leadhouse.cli import log_to_stderr, main, warehouse_options

_STDOUT = "-"


@main.command(epilog="Example: leadhouse export bitrix24 crm-files --format parquet --to duckdb:leads.duckdb")
@click.argument("source", required=False)
@click.argument("directory", metavar="DIR", required=False)
@warehouse_options
@click.option("--format", "form", type=click.Choice(["parquet", "csv"]), required=True, help="Of the files.")
def export(source: str | None, directory: str | None, form: str, verbose: bool, **options: Any) -> None:
    """Write every table and view of a dataset to files in DIR. SOURCE may be left out where there is one dataset."""
    log_to_stderr(verbose)
    if directory is None:
        source, directory = None, source
    if not directory:
        raise click.UsageError("Missing argument 'DIR'")
    from leadhouse.datasets import meant  # noqa: PLC0415 - dlt loads with it
    from leadhouse.export import export as run  # noqa: PLC0415
    from leadhouse.settings import destination_url, known_source  # noqa: PLC0415
    from leadhouse.warehouse import Target  # noqa: PLC0415

    target, timeout = Target.parse(destination_url(options["to"])), options["lock_timeout"]
    given = known_source(source) if source else None
    source, dataset = meant(target, given, options["portal"], options["dataset"], lock_timeout=timeout)
    done = run(target, source, dataset, Path(directory).expanduser(), form, lock_timeout=timeout)
    rows = sum(one.rows for one in done)
    click.echo(f"{len(done)} files of {dataset} with {rows:,} rows written to {directory}")


@main.command(epilog="Example: leadhouse schema bitrix24 --to duckdb:leads.duckdb --html dictionary.html")
@click.argument("source", required=False)
@warehouse_options
@click.option(
    "--html",
    metavar="[FILE]",
    is_flag=False,
    flag_value=_STDOUT,
    help="Write one page instead: searchable, with a query for each table. Without FILE it is printed.",
)
@click.option("--dbt", is_flag=True, help="Print the sources.yml of a dbt project instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def schema(source: str | None, verbose: bool, html: str | None, dbt: bool, as_json: bool, **options: Any) -> None:
    """Show the dictionary of the data: tables, columns, meanings.

    With --to, --dataset or --portal also what a portal has of its own, and what is there.
    """
    log_to_stderr(verbose)
    from leadhouse import dictionary_text  # noqa: PLC0415 - Arrow loads with it

    if (html is not None) + dbt + as_json > 1:
        raise click.UsageError("--html, --dbt and --json are three ways to show it; take one")
    sections = _sections(source, **options)
    if html == _STDOUT:
        from leadhouse.dictionary_page import render_page  # noqa: PLC0415

        click.echo(render_page(sections, now=datetime.now(UTC)), nl=False)
    elif html is not None:
        from leadhouse.dictionary_page import write_page  # noqa: PLC0415

        write_page(sections, html)
    elif dbt:
        from leadhouse.dbt_sources import sources_yml  # noqa: PLC0415

        click.echo(sources_yml(sections), nl=False)
    elif as_json:
        click.echo(json.dumps(dictionary_text.to_json(sections)))
    else:
        click.echo(dictionary_text.render(sections))


def _sections(
    source: str | None, *, to: str | None, dataset: str | None, portal: str | None, lock_timeout: float
) -> Any:
    from leadhouse import dictionary  # noqa: PLC0415 - Arrow loads with it
    from leadhouse.settings import dataset_name, destination_url, known_source  # noqa: PLC0415
    from leadhouse.warehouse import Target  # noqa: PLC0415

    known = known_source(source) if source else None
    if to or dataset or portal:
        name = dataset_name(known or "bitrix24", portal, dataset) if known or dataset or portal else None
        return dictionary.of_warehouse(Target.parse(destination_url(to)), known, name, lock_timeout=lock_timeout)
    return [dictionary.promised(known)] if known else dictionary.everything()
