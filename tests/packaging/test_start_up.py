"""Start-up: a person who asks for help does not wait for dlt."""

import sys
from pathlib import Path

import pytest

from venvs import run

HEAVY = ("dlt", "duckdb", "pyarrow", "msgspec", "psycopg2", "urllib3", "uvicorn")
PROBE = """
import sys
import leadhouse.cli
try:
    leadhouse.cli.main({arguments!r})
except SystemExit as end:
    assert end.code == 0, end.code
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["sync", "--help"], ["state", "rewind", "--help"]], ids=" ".join
)
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    told = run(sys.executable, "-c", PROBE.format(arguments=arguments, heavy=HEAVY), cwd=tmp_path)

    assert told.stderr == "[]\n"


def test_the_package_itself_imports_nothing_heavy(tmp_path: Path) -> None:
    probe = f"import sys, leadhouse; print([name for name in {HEAVY!r} if name in sys.modules])"

    assert run(sys.executable, "-c", probe, cwd=tmp_path).stdout == "[]\n"
