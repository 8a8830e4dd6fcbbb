"""Whoever pastes the documents' blocks gets what they promise."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

import documents
from leadhouse.sandbox import bitrix24, kommo

WEBHOOK = "https://example.bitrix24.com/rest/1/abcdef0123456789/"
ACCOUNT = "https://example.kommo.com"
TOKEN = "the-long-lived-token"
POSTGRES = "postgresql://loader@db.example.com/crm"

SEED = 9  # its lead 17 has a phone and an e-mail
Runner = Callable[[documents.Block], None]


@pytest.fixture
def real() -> Iterator[dict[str, str]]:
    """What stands in the documents, and what it is here."""
    account = kommo.Account(leads=100, seed=SEED)
    with bitrix24.serve(bitrix24.Portal(leads=150, seed=SEED)) as portal, kommo.serve(account) as served:
        yield {WEBHOOK: portal.url, ACCOUNT: served.url, TOKEN: account.token}


@pytest.fixture
def run(tmp_path: Path, real: dict[str, str], postgres_url: str) -> Runner:
    """Return what runs a block in this test's folder: sh and Python as processes, SQL on leadhouse.duckdb."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "SOURCES__BITRIX24__WEBHOOK_URL": real[WEBHOOK],
        "SOURCES__KOMMO__BASE_URL": real[ACCOUNT],
        "SOURCES__KOMMO__ACCESS_TOKEN": real[TOKEN],
        "SOURCES__KOMMO__REQUESTS_PER_SECOND": "1000",
    }
    interpreters = {"sh": ("bash", "-euo", "pipefail", "-c"), "python": (sys.executable, "-W", "error", "-c")}

    def run_block(block: documents.Block) -> None:
        text = block.text
        for told, here in {**real, POSTGRES: postgres_url}.items():
            text = text.replace(told, here)
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


def test_blocks_of_the_page_on_destinations_run(run: Runner) -> None:
    blocks = documents.runnable(documents.read("docs/destinations.md"))
    assert len(blocks) == 2
    for block in blocks:
        run(block)


def test_blocks_of_the_page_on_history_run(run: Runner) -> None:
    first, *questions = documents.runnable(documents.read("docs/history.md"))
    run(first)
    run(documents.Block("sql", "SELECT count(*) FROM bitrix24.lead_versions HAVING count(*) = 150", 0))
    for block in questions:
        run(block)


def test_blocks_of_the_page_on_operating_run(run: Runner, tmp_path: Path) -> None:
    run(documents.Block("sh", "leadhouse sync bitrix24; leadhouse sync kommo", 0))

    for block in documents.runnable(documents.read("docs/operating.md")):
        run(block)

    assert {"status.html", "leadhouse.prom", "doctor.json"} <= {file.name for file in tmp_path.iterdir()}


def test_blocks_of_the_page_on_personal_data_run(run: Runner) -> None:
    run(documents.Block("sh", "leadhouse sync bitrix24", 0))
    blocks = documents.runnable(documents.read("docs/personal-data.md"))
    assert len(blocks) == 3
    for block in blocks:
        run(block)


def test_blocks_of_the_page_on_reading_run(run: Runner, tmp_path: Path) -> None:
    run(documents.Block("sh", "leadhouse sync bitrix24; leadhouse sync kommo", 0))

    for block in documents.runnable(documents.read("docs/reading.md")):
        run(block)

    made = ("read.duckdb", "files/leads.parquet", "files-kommo/leads.csv", "dictionary.html", "models/leadhouse.yml")
    assert all((tmp_path / name).stat().st_size for name in made)


def test_blocks_of_the_operators_page_run_and_erase_a_person(run: Runner, tmp_path: Path) -> None:
    run(documents.Block("sh", "leadhouse sync bitrix24; leadhouse sync kommo", 0))
    erased = (("bitrix24", "lead", 17), ("kommo", "lead", 9000002), ("kommo", "contact", 5600001))
    before = [_mentions(tmp_path, *person) for person in erased]

    for block in documents.runnable(documents.read("state/README.md")):
        run(block)

    assert [before[0]["leads"], before[1]["leads"], before[2]["contacts"]] == [1, 1, 1]
    assert before[0]["lead_phones"] > 0
    assert before[2]["contact_phones"] > 0
    assert [sum(_mentions(tmp_path, *person).values()) for person in erased] == [0, 0, 0]


def _mentions(folder: Path, dataset: str, kind: str, number: int) -> dict[str, int]:
    """Return the number of rows that belong to a lead or contact, of every table and view that has a column for it."""
    with duckdb.connect(str(folder / "leadhouse.duckdb"), read_only=True) as warehouse:
        holders = warehouse.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = $1 AND column_name = $2",
            [dataset, f"{kind}_id"],
        ).fetchall()
        # Columns of the same name in leads and companies only point to the person.
        columns = {name: f"{kind}_id" for (name,) in holders if name.startswith((kind, "lead_", "schema_"))}
        columns |= {f"{kind}s": "id"}
        return {
            table: warehouse.sql(f"SELECT 1 FROM {dataset}.{table} WHERE {column} = {number}").shape[0]  # noqa: S608
            for table, column in columns.items()
        }
