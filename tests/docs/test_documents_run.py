"""Whoever pastes the documents' blocks gets what they promise."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

import documents
from leadhouse.sandbox.bitrix24 import Portal, serve

WEBHOOK = "https://example.bitrix24.com/rest/1/abcdef0123456789/"
POSTGRES = "postgresql://loader@db.example.com/crm"

SEED = 9  # its lead 17 has a phone and an e-mail
Runner = Callable[[documents.Block], None]


@pytest.fixture
def webhook_url() -> Iterator[str]:
    with serve(Portal(leads=150, seed=SEED)) as sandbox:
        yield sandbox.url


@pytest.fixture
def run(tmp_path: Path, webhook_url: str, postgres_url: str) -> Runner:
    """Return what runs a block in this test's folder: sh and Python as processes, SQL on leadhouse.duckdb."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SOURCES__BITRIX24__WEBHOOK_URL": webhook_url,
    }
    interpreters = {"sh": ("bash", "-euo", "pipefail", "-c"), "python": (sys.executable, "-W", "error", "-c")}

    def run_block(block: documents.Block) -> None:
        text = block.text.replace(WEBHOOK, webhook_url).replace(POSTGRES, postgres_url)
        if block.language == "sql":
            with duckdb.connect(str(tmp_path / "leadhouse.duckdb")) as warehouse:
                for statement in duckdb.extract_statements(text):
                    assert warehouse.execute(statement).fetchone() is not None, f"line {block.line}: no row"
            return
        done = subprocess.run(
            [*interpreters[block.language], text],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"line {block.line}: {done.returncode}\n{done.stdout}\n{done.stderr}"

    return run_block


def test_blocks_of_the_readme_run(run: Runner) -> None:
    blocks = documents.runnable(documents.read("README.md"))

    assert {block.language for block in blocks} == {"sh", "sql", "python"}
    for block in blocks:
        run(block)


def test_blocks_of_the_operators_page_run_and_erase_a_lead(run: Runner, tmp_path: Path) -> None:
    run(documents.Block("sh", "leadhouse sync bitrix24", 0))
    before = _mentions(tmp_path, 17)

    for block in documents.runnable(documents.read("state/README.md")):
        run(block)

    assert before["leads"] == 1
    assert before["lead_phones"] > 0
    assert sum(_mentions(tmp_path, 17).values()) == 0


def _mentions(folder: Path, lead: int) -> dict[str, int]:
    """Return the number of rows that belong to a lead, of every table that has a column for it."""
    with duckdb.connect(str(folder / "leadhouse.duckdb"), read_only=True) as warehouse:
        holders = warehouse.execute(
            "SELECT table_name FROM information_schema.columns "
            "WHERE table_schema = 'bitrix24' AND column_name = 'lead_id'"
        ).fetchall()
        columns = {name: "lead_id" for (name,) in holders} | {"leads": "id"}
        return {
            table: warehouse.table(f"bitrix24.{table}").filter(f"{column} = {lead}").shape[0]
            for table, column in columns.items()
        }
