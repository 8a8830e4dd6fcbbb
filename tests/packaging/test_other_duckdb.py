"""constraints.txt pins DuckDB 1.5; the other current line works too."""

import json
import sys
from pathlib import Path

import pytest

from venvs import run

OTHER = "2.0.0"


@pytest.fixture(scope="session")
def other_duckdb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the other DuckDB, to stand before the pinned one on the path."""
    folder = tmp_path_factory.mktemp("duckdb")
    run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, f"duckdb=={OTHER}")
    return folder


def test_syncs_and_status_work_with_the_other_duckdb(other_duckdb: Path, tmp_path: Path, webhook_url: str) -> None:
    settings = {"SOURCES__BITRIX24__WEBHOOK_URL": webhook_url, "PYTHONPATH": str(other_duckdb)}
    python = (sys.executable, "-m", "leadhouse")

    publish = ("--publish", "read.duckdb")
    first = json.loads(run(*python, "sync", "bitrix24", "--json", *publish, cwd=tmp_path, settings=settings).stdout)
    told = run(*python, "status", "--to", "duckdb:read.duckdb", "--json", cwd=tmp_path, settings=settings)
    copied = json.loads(told.stdout)
    again = json.loads(run(*python, "sync", "bitrix24", "--json", cwd=tmp_path, settings=settings).stdout)
    full = json.loads(run(*python, "sync", "bitrix24", "--full", "--json", cwd=tmp_path, settings=settings).stdout)
    status = json.loads(run(*python, "status", "--json", cwd=tmp_path, settings=settings).stdout)
    used = run(sys.executable, "-c", "import duckdb; print(duckdb.__version__)", cwd=tmp_path, settings=settings).stdout

    assert used == f"{OTHER}\n"
    assert (first["leads_read"], again["rows_written"], full["leads_read"]) == (120, 0, 120)
    assert status["rows"]["leads"] == copied["rows"]["leads"] == 120
    assert [run["outcome"] for run in status["runs"]] == ["done", "done", "done"]
