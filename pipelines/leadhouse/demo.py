"""The demo: a sandbox portal, a first sync, life on it, a second sync, what an analyst asks then, and the proof.

Nothing in it is staged: the runs are the real command in a process of its own, over HTTP, into a real DuckDB file.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from leadhouse.errors import ConfigurationError, TransientError
from leadhouse.sandbox.story import Question, Story
from leadhouse.settings import known_source
from leadhouse.warehouse import Target

_PLAIN_WIDTH = 110
_LIFE = {"create": 25, "edit": 60, "phone_add": 8, "phone_remove": 5, "stage": 30, "delete": 4}


def show(source: str, to: str, leads: int) -> None:
    """Run the demo.

    Args:
        source: the CRM, "bitrix24".
        to: the DuckDB file, `duckdb:leadhouse-demo.duckdb`; made anew.
        leads: leads of the sandbox portal.

    Raises:
        ConfigurationError: `to` is no DuckDB file, or one that is not a demo's; there is no such source.
        TransientError: a run failed.
    """
    story: Story = import_module(f"leadhouse.sandbox.{known_source(source)}.story").STORY
    screen = _screen()
    file = _emptied(to)
    screen.print(f"A sandbox portal invents {leads:,} leads …", style="bold")
    portal = story.portal(leads)
    with story.serve(portal) as sandbox:
        screen.print(f"It speaks {story.speaks} on 127.0.0.1:{sandbox.port}. The first sync reads all of it.\n")
        run = _Runs(screen, source, to, story.access(portal, sandbox))
        first = run("sync")
        screen.print(
            f"{first['leads_read']:,} leads and {story.brings}: "
            f"{first['requests']} requests, {first['seconds']:.1f} s.\n"
        )
        bare = _phones_by_lead(file, story)
        changes = portal.live(**_LIFE)
        screen.print("Meanwhile life goes on in the portal:", style="bold")
        for line in told(changes, story):
            screen.print(f"  · {line}")
        screen.print("\nThe second sync reads what changed, and nothing else.\n")
        second = run("sync")
        screen.print(
            f"{second['leads_read']:,} of {len(portal):,} leads read in {second['requests']} "
            f"{'request' if second['requests'] == 1 else 'requests'}, {second['seconds']:.1f} s."
        )
        _show_phones(screen, changes, bare, _phones_by_lead(file, story))
        screen.print(f"{story.deletions}\n")
        compared = run("reconcile")
        marked = second["leads_deleted"] + compared["leads_deleted"]
        screen.print(
            f"{_leads(range(marked))} marked in the column deleted_at, after asking for each: "
            f"{compared['requests']} requests, {compared['seconds']:.1f} s.\n"
        )
        _answer(screen, file, story.questions)
        screen.print("Is it all there? A sample is read again, lead by lead, and compared value by value:\n")
        verdict = run("verify")
        counts = verdict["counts"]
        screen.print(
            f"{counts['portal']:,} leads on the portal, {counts['warehouse']:,} in the warehouse; "
            f"{verdict['compared']:,} compared, {len(verdict['differences'])} differences.\n"
        )
    screen.print(f"All of it is yours to query: {file.name}, schema {source}. A real portal: see README.md.")


def told(changes: Any, story: Story) -> list[str]:
    """Return what happened on the portal, in words."""
    return [
        f"{_leads(changes.created)} came in",
        f"{_leads(changes.edited)} got another title, amount and comment",
        f"{_leads(changes.phone_added)} got {story.phones_of}, {_leads(changes.phone_removed)} lost one",
        f"{_leads(changes.stage_moved)} moved to another stage",
        f"{_leads(changes.deleted)} were deleted (no modification time tells of that)",
    ]


def _leads(ids: Sequence[int]) -> str:
    return f"{len(ids)} lead" + ("" if len(ids) == 1 else "s")


def _screen() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def _emptied(to: str) -> Path:
    target = Target.parse(to)
    if target.kind != "duckdb":
        raise ConfigurationError("the demo makes a DuckDB file; use --to duckdb:leadhouse-demo.duckdb")
    file = Path(target.url)
    if file.exists() and "demo" not in file.name:
        raise ConfigurationError(f"{file} exists, and the demo would replace it; name a file with demo in its name")
    file.unlink(missing_ok=True)
    file.with_name(f"{file.name}.wal").unlink(missing_ok=True)
    return file


class _Runs:
    """Commands as a person would run them on one portal.

    Args:
        screen: shows the command; its bar or log lines go to this stderr.
        source: the CRM.
        to: the warehouse.
        access: settings of the source by name.
    """

    def __init__(self, screen: Console, source: str, to: str, access: Mapping[str, str]) -> None:
        self._screen = screen
        self._source = source
        self._to = to
        prefix = f"SOURCES__{source.upper()}__"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
        self._environment = kept | {f"{prefix}{name.upper()}": value for name, value in access.items()}

    def __call__(self, command: str) -> dict[str, Any]:
        """Run a command and return its JSON.

        Raises:
            TransientError: it failed.
        """
        arguments = [command, self._source, "--to", self._to, "--json"]
        self._screen.print(f"$ leadhouse {shlex.join(arguments)}", style="bold green", markup=False)
        run = subprocess.run(  # noqa: S603 - this very package
            [sys.executable, "-m", "leadhouse", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if run.returncode:
            raise TransientError(
                f"the demo's {command} ended with status {run.returncode}; its own lines above say why"
            )
        told: dict[str, Any] = json.loads(run.stdout)
        return told


def _phones_by_lead(file: Path, story: Story) -> dict[int, list[str]]:
    with duckdb.connect(str(file), read_only=True) as warehouse:
        return dict(warehouse.execute(story.phones).fetchall())


def _show_phones(screen: Console, changes: Any, before: dict[int, list[str]], after: dict[int, list[str]]) -> None:
    table = _table(screen, "lead", "phones before", "phones now")
    for lead in (*changes.phone_added[:2], *changes.phone_removed[:2]):
        table.add_row(str(lead), *(", ".join(rows.get(lead, ())) or "none" for rows in (before, after)))
    screen.print(table)
    screen.print()


def _table(screen: Console, *columns: str) -> Table:
    return Table(*columns, box=box.ROUNDED if screen.is_terminal else box.ASCII2)


def _answer(screen: Console, file: Path, questions: Sequence[Question]) -> None:
    with duckdb.connect(str(file), read_only=True) as warehouse:
        for question in questions:
            screen.print(question.text, style="bold", markup=False)
            coloured = Syntax(question.query, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
            screen.print(coloured if screen.is_terminal else question.query, markup=False)
            answer = warehouse.execute(question.query)
            table = _table(screen)
            for name, *_ in answer.description or ():
                table.add_column(name, justify="left" if name in question.words else "right")
            for row in answer.fetchall():
                table.add_row(*map(_cell, row))
            screen.print(table)
            screen.print()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int | float | Decimal) else str(value)
