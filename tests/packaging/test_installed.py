"""The wheel, installed into an empty venv and run from a folder that is no checkout."""

import json
import subprocess
from pathlib import Path

import pytest

from leadhouse import __version__
from venvs import Venv, run

# One worker builds the distributions, once.
pytestmark = pytest.mark.xdist_group("packaging")

GENERIC_NAMES = ("schemas", "state", "dags", "pipelines", "tests", "bitrix24", "scene")


def test_the_command_works_from_any_folder(installed: Venv, tmp_path: Path) -> None:
    assert run(installed.command, "--version", cwd=tmp_path).stdout == f"leadhouse, version {__version__}\n"
    assert "sync" in run(installed.command, "--help", cwd=tmp_path).stdout
    assert run(installed.python, "-m", "leadhouse", "--version", cwd=tmp_path).stdout.endswith(f"{__version__}\n")


def test_no_generic_name_becomes_importable(installed: Venv, tmp_path: Path) -> None:
    probe = f"import importlib.util as u; print([n for n in {GENERIC_NAMES} if u.find_spec(n)])"

    assert run(installed.python, "-c", probe, cwd=tmp_path).stdout == "[]\n"


def test_a_sync_works_and_the_second_one_reads_nothing_new(
    installed: Venv, tmp_path: Path, webhook_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DLT_DATA_DIR")
    sync = (installed.command, "sync", "bitrix24", "--to", "duckdb:crm.duckdb", "--json")
    settings = {"SOURCES__BITRIX24__WEBHOOK_URL": webhook_url, "XDG_STATE_HOME": str(tmp_path / "state")}

    first = json.loads(run(*sync, cwd=tmp_path, settings=settings).stdout)
    second = json.loads(run(*sync, cwd=tmp_path, settings=settings).stdout)

    assert (first["leads_read"], first["outcome"]) == (120, "done")
    assert second["rows_written"] == 0
    assert (tmp_path / "state" / "leadhouse").is_dir()
    assert {file.name for file in tmp_path.iterdir()} == {"crm.duckdb", ".crm.duckdb.bitrix24.lock", "state"}


@pytest.mark.parametrize("command", [("sandbox", "bitrix24"), ("demo",)], ids=" ".join)
def test_without_the_extra_one_line_says_what_to_install(
    installed: Venv, tmp_path: Path, command: tuple[str, ...]
) -> None:
    told = run(installed.command, *command, cwd=tmp_path, status=2)

    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1
    assert "leadhouse[sandbox]" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_with_the_extra_a_sandbox_feeds_a_sync(installed: Venv, wheel: Path, tmp_path: Path) -> None:
    venv = installed.copy(tmp_path / "with-sandbox")
    venv.install(f"leadhouse[sandbox] @ {wheel.as_uri()}")
    leadhouse = (venv.python, "-m", "leadhouse")
    with subprocess.Popen(
        [*leadhouse, "sandbox", "bitrix24", "--leads", "40"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as portal:
        try:
            assert portal.stdout is not None
            url = portal.stdout.readline().strip()
            told = run(
                *leadhouse,
                "sync",
                "bitrix24",
                "--json",
                cwd=tmp_path,
                settings={"SOURCES__BITRIX24__WEBHOOK_URL": url},
            )
        finally:
            portal.terminate()

    assert json.loads(told.stdout)["leads_read"] == 40
    assert portal.returncode == 0
