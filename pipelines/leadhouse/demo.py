"""The demo: a sandbox portal, a first sync, life on it, a second sync, what an analyst asks then, and the proof.

Nothing in it is staged: the runs are the real command in a process of its own, over HTTP, into a real DuckDB file.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from leadhouse.errors import ConfigurationError, TransientError
from leadhouse.sandbox.bitrix24 import Changes, Portal, serve
from leadhouse.warehouse import Target

_PLAIN_WIDTH = 110
_LIFE = {"create": 25, "edit": 60, "phone_add": 8, "phone_remove": 5, "stage": 30, "delete": 4}

QUESTIONS = (
    (
        "Where do leads come from, and which sources win? (amounts in the portal's base currency)",
        """\
SELECT coalesce(source.name, '(no source)') AS source,
       count(*) AS total,
       count(*) FILTER (status_semantic_id = 'P') AS open,
       count(*) FILTER (status_semantic_id = 'S') AS won,
       round(100.0 * won / total, 1) AS "won %",
       median(opportunity * rate.amount / rate.amount_cnt)
           FILTER (status_semantic_id = 'S')::DECIMAL(18,2) AS "median won"
FROM bitrix24.leads AS l
LEFT JOIN bitrix24.statuses AS source
       ON source.entity_id = 'SOURCE' AND source.status_id = l.source_id
LEFT JOIN bitrix24.currencies AS rate ON rate.currency = l.currency_id
WHERE l.deleted_at IS NULL
GROUP BY ALL ORDER BY won DESC, total DESC, source LIMIT 8""",
    ),
    (
        "Which numbers do several open leads share, however each was typed? (duplicates to merge)",
        """\
SELECT e164,
       count(DISTINCT lead_id) AS "open leads",
       count(DISTINCT assigned_by_id) AS owners,
       list_sort(list(DISTINCT value))[:3] AS "typed as"
FROM bitrix24.lead_phones JOIN bitrix24.leads AS l ON l.id = lead_id
WHERE e164 IS NOT NULL AND l.status_semantic_id = 'P' AND l.deleted_at IS NULL
GROUP BY e164 HAVING "open leads" > 1
ORDER BY count(DISTINCT left(value, 4)) DESC, "open leads" DESC, e164 LIMIT 6""",
    ),
    (
        "How long do leads stay in each stage, those that moved on and those still in it?",
        """\
WITH stays AS (
  SELECT status_id, epoch(created_time) / 86400 AS came,
         lead(came) OVER (PARTITION BY lead_id ORDER BY id) AS went
  FROM bitrix24.lead_stage_history
)
SELECT stage.name AS stage,
       count(went) AS "moved on",
       round(median(went - came), 1) AS "median days",
       count(*) - count(went) AS "still in it",
       round(median(epoch(now()) / 86400 - came) FILTER (went IS NULL)) AS "median days so far"
FROM stays JOIN bitrix24.statuses AS stage USING (status_id)
WHERE stage.entity_id = 'STATUS'
GROUP BY stage.name, stage.sort ORDER BY stage.sort""",
    ),
)
_WORDS = frozenset({"source", "stage", "e164", "typed as"})


def show(to: str, leads: int) -> None:
    """Run the demo.

    Args:
        to: the DuckDB file, `duckdb:leadhouse-demo.duckdb`; made anew.
        leads: leads of the sandbox portal.

    Raises:
        ConfigurationError: `to` is no DuckDB file, or one that is not a demo's.
        TransientError: a run failed.
    """
    screen = _screen()
    file = _emptied(to)
    screen.print(f"A sandbox portal invents {leads:,} leads …", style="bold")
    portal = Portal(leads=leads)
    with serve(portal) as sandbox:
        screen.print(f"It speaks Bitrix24's REST on 127.0.0.1:{sandbox.port}. The first sync reads all of it.\n")
        first = _done(screen, "sync", to, sandbox.url)
        screen.print(
            f"{first['leads_read']:,} leads and their phones, e-mails, custom fields, stage history and dictionaries: "
            f"{first['requests']} requests, {first['seconds']:.1f} s.\n"
        )
        bare = _phones_by_lead(file)
        changes = portal.live(**_LIFE)
        screen.print("Meanwhile life goes on in the portal:", style="bold")
        for line in told(changes):
            screen.print(f"  · {line}")
        screen.print("\nThe second sync reads what changed, and nothing else.\n")
        second = _done(screen, "sync", to, sandbox.url)
        screen.print(
            f"{second['leads_read']:,} of {len(portal):,} leads read in {second['requests']} "
            f"{'request' if second['requests'] == 1 else 'requests'}, {second['seconds']:.1f} s."
        )
        _show_phones(screen, changes, bare, _phones_by_lead(file))
        screen.print("Nothing tells a sync of deleted leads. A comparison of ids finds them:\n")
        compared = _done(screen, "reconcile", to, sandbox.url)
        screen.print(
            f"{_leads(range(compared['leads_deleted']))} marked in the column deleted_at, after asking for each: "
            f"{compared['requests']} requests, {compared['seconds']:.1f} s.\n"
        )
        _answer(screen, file)
        screen.print("Is it all there? A sample is read again, lead by lead, and compared value by value:\n")
        verdict = _done(screen, "verify", to, sandbox.url)
        counts = verdict["counts"]
        screen.print(
            f"{counts['portal']:,} leads on the portal, {counts['warehouse']:,} in the warehouse; "
            f"{verdict['compared']:,} compared, {len(verdict['differences'])} differences.\n"
        )
    screen.print(f"All of it is yours to query: {file.name}, schema bitrix24. A real portal: see README.md.")


def told(changes: Changes) -> list[str]:
    """Return what happened on the portal, in words."""
    return [
        f"{_leads(changes.created)} came in",
        f"{_leads(changes.edited)} got another title, amount and comment",
        f"{_leads(changes.phone_added)} got one more phone, {_leads(changes.phone_removed)} lost one",
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


def _done(screen: Console, command: str, to: str, webhook_url: str) -> dict[str, Any]:
    """Run a command as a person would and return its JSON; its bar or log lines go to this stderr."""
    arguments = [command, "bitrix24", "--to", to, "--json"]
    screen.print(f"$ leadhouse {shlex.join(arguments)}", style="bold green", markup=False)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SOURCES__BITRIX24__")}
    run = subprocess.run(  # noqa: S603 - this very package
        [sys.executable, "-m", "leadhouse", *arguments],
        env=environment | {"SOURCES__BITRIX24__WEBHOOK_URL": webhook_url},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if run.returncode:
        raise TransientError(f"the demo's {command} ended with status {run.returncode}; its own lines above say why")
    told: dict[str, Any] = json.loads(run.stdout)
    return told


def _phones_by_lead(file: Path) -> dict[int, list[str]]:
    with duckdb.connect(str(file), read_only=True) as warehouse:
        rows = warehouse.execute(
            "SELECT lead_id, list(value ORDER BY position) FROM bitrix24.lead_phones GROUP BY lead_id"
        ).fetchall()
    return dict(rows)


def _show_phones(screen: Console, changes: Changes, before: dict[int, list[str]], after: dict[int, list[str]]) -> None:
    table = _table(screen, "lead", "phones before", "phones now")
    for lead in (*changes.phone_added[:2], *changes.phone_removed[:2]):
        table.add_row(str(lead), *(", ".join(rows.get(lead, ())) or "none" for rows in (before, after)))
    screen.print(table)
    screen.print()


def _table(screen: Console, *columns: str) -> Table:
    return Table(*columns, box=box.ROUNDED if screen.is_terminal else box.ASCII2)


def _answer(screen: Console, file: Path) -> None:
    with duckdb.connect(str(file), read_only=True) as warehouse:
        for question, query in QUESTIONS:
            screen.print(question, style="bold", markup=False)
            coloured = Syntax(query, "sql", theme="ansi_dark", background_color="default", word_wrap=True)
            screen.print(coloured if screen.is_terminal else query, markup=False)
            answer = warehouse.execute(query)
            table = _table(screen)
            for name, *_ in answer.description or ():
                table.add_column(name, justify="left" if name in _WORDS else "right")
            for row in answer.fetchall():
                table.add_row(*map(_cell, row))
            screen.print(table)
            screen.print()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)
