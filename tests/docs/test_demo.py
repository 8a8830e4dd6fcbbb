"""`leadhouse demo`: what `make demo` shows, and what it must not touch."""

import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest


def _demo(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "leadhouse", "demo", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    ("source", "leads"),
    [
        pytest.param("bitrix24", 10, marks=pytest.mark.long),
        ("bitrix24", 400),
        ("kommo", 10),
        pytest.param("kommo", 400, marks=pytest.mark.long),
    ],
)
def test_the_demo_reads_a_portal_then_only_its_changes_and_answers_questions_in_plain_text(
    source: str, leads: int, tmp_path: Path
) -> None:
    (tmp_path / "leadhouse-demo.duckdb").write_text("what an older demo left")

    told = _demo("--source", source, "--leads", str(leads)).stdout

    read = re.search(r"^(\d+) of (\d+) leads read in (\d+) request", told, re.MULTILINE)
    assert read is not None
    assert int(read[3]) == 1 or source == "kommo"
    gone = re.search(r"(\d+) leads? were deleted", told)
    assert gone is not None
    with duckdb.connect("leadhouse-demo.duckdb", read_only=True) as warehouse:
        runs = warehouse.execute(f"SELECT command, leads_read FROM {source}.sync_runs ORDER BY started_at").fetchall()  # noqa: S608
        marked = warehouse.execute("SELECT count(*) FROM crm.leads WHERE deleted_at IS NOT NULL").fetchone()
    assert runs == [("sync", leads), ("sync", int(read[1])), ("reconcile", 0)]
    assert marked == (int(gone[1]),)
    assert re.search(rf"{marked[0]} leads? marked in the column deleted_at", told)
    assert re.search(r"(\d+) leads on the portal, \1 in the warehouse; \d+ compared, 0 differences", told)
    assert re.search(rf"{leads} leads and their .*phones", told)
    assert told.count("SELECT") >= 3
    assert "\x1b" not in told


def test_the_demo_replaces_no_file_that_is_not_a_demo(tmp_path: Path) -> None:
    (tmp_path / "crm.duckdb").write_text("somebody's leads")

    told = _demo("--to", "duckdb:crm.duckdb", status=2)

    assert "the demo would replace it" in told.stderr
    assert (tmp_path / "crm.duckdb").read_text() == "somebody's leads"
