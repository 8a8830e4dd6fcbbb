"""A third CRM is files of its own: laid beside the others it is synced, compared and viewed, and no file is changed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import documents
from contents import query

_THIRD = documents.CHECKOUT / "tests" / "third"
_PORTAL = _THIRD / "leadhouse" / "sandbox" / "third" / "__init__.py"
_PLACES = {"leadhouse": Path("pipelines", "leadhouse"), "schemas": Path("schemas")}
Command = Callable[..., str]


def _files() -> dict[Path, Path]:
    """Return the third CRM's files by the place that each has in a checkout."""
    files = {}
    for file in _THIRD.rglob("*"):
        top, *rest = file.relative_to(_THIRD).parts
        if file.is_file() and "__pycache__" not in file.parts:
            files[Path(_PLACES[top], *rest)] = file
    return files


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the checkout with the third CRM in it; no file is replaced."""
    root = tmp_path / "checkout"
    unneeded = shutil.ignore_patterns("__pycache__")
    for place in _PLACES.values():
        shutil.copytree(documents.CHECKOUT / place, root / place, ignore=unneeded)
    for place, file in _files().items():
        assert not (root / place).exists(), f"{place} is shared"
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, root / place)
    return root / "pipelines"


@pytest.fixture
def portal() -> Iterator[tuple[Any, str]]:
    """A portal of the third CRM, and its URL."""
    spec = spec_from_file_location("third_portal", _PORTAL)
    assert spec is not None
    assert spec.loader is not None
    sandbox = module_from_spec(spec)
    spec.loader.exec_module(sandbox)
    made = sandbox.Portal(300)
    with sandbox.serve(made) as url:
        yield made, url


@pytest.fixture
def leadhouse(installed: Path, portal: tuple[Any, str], tmp_path: Path) -> Command:
    """Return what runs a command of the copy and gives its output."""
    settings = {"PYTHONPATH": str(installed), "SOURCES__THIRD__BASE_URL": portal[1]}
    settings["SOURCES__THIRD__REQUESTS_PER_SECOND"] = "1000"

    def run(*arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "leadhouse", *arguments],
            cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.long
def test_a_third_crm_is_synced_compared_and_viewed(leadhouse: Command, portal: tuple[Any, str]) -> None:
    there, url = portal

    def told(command: str, *options: str) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(leadhouse(command, "third", *options, "--json"))
        return summary

    assert told("sync")["leads_read"] == 300
    there.now += 3600
    there.leads[5] = there.lead(5, "Edited")
    there.leads[301] = there.lead(301, "New")
    del there.leads[9]
    second = told("sync")
    assert (second["leads_read"], second["requests"], second["portal"]) == (2, 1, url.partition("://")[2])
    there.leads[6] = {**there.leads[6], "name": "Edited, its time unmoved"}
    assert told("lead", "6")["leads"] == {"6": "refreshed"}
    assert told("reconcile")["leads_deleted"] == 1
    assert told("sync", "--full")["leads_read"] == 300
    assert told("sync", "--since", "2020-01-01")["leads_unchanged"] == 300
    verdict = told("verify", "--sample", "all")
    assert (verdict["equal"], verdict["compared"]) == (True, 300)
    assert json.loads(leadhouse("state", "show", "third"))["window"] is None
    assert told("forget", "7") == {"forgotten": [7], "unknown": [], "also_in": []}
    assert told("sync", "--full")["leads_read"] == 300
    assert told("verify", "--sample", "all")["equal"] is True
    assert json.loads(leadhouse("status", "third", "--json"))["rows"]["leads"] == 301

    leads = {row["lead_id"]: row for row in query("duckdb:leadhouse.duckdb", "SELECT * FROM crm.leads")}
    assert {number: row["title"] for number, row in leads.items() if row["deleted_at"] is None} == {
        number: lead["name"] if number != 7 else None for number, lead in there.leads.items()
    }
    assert leads[9]["deleted_at"] is not None
    assert (leads[5]["amount"], leads[5]["stage_kind"], leads[5]["owner"]) == (Decimal("19.90"), "open", "Ada Invented")
    people = query("duckdb:leadhouse.duckdb", "SELECT lead_id, e164 FROM crm.people")
    assert {(row["lead_id"], row["e164"]) for row in people} == {
        (number, f"+447700900{number % 1000:03}" if number != 7 else None) for number in leads
    }
    commented = "SELECT comment FROM duckdb_tables() WHERE schema_name = 'third' AND table_name = 'leads'"
    assert query("duckdb:leadhouse.duckdb", commented)[0]["comment"].startswith("a lead")
    told("sync", "--pii", "drop", "--full")
    assert told("verify", "--sample", "all")["equal"] is True
    people = query("duckdb:leadhouse.duckdb", "SELECT DISTINCT value, e164, name FROM crm.people")
    assert people == [{"value": None, "e164": None, "name": None}]


def test_operators_see_a_third_crm(leadhouse: Command, portal: tuple[Any, str]) -> None:
    leadhouse("sync", "third")

    (told,) = json.loads(leadhouse("status", "--all", "--max-age", "1h", "--json"))["datasets"]
    checks = {one["check"]: one["outcome"] for one in json.loads(leadhouse("doctor", "third", "--json"))["checks"]}

    assert (told["dataset"], told["source"], told["portal"]) == ("third", "third", portal[1].partition("://")[2])
    assert (checks["state"], checks["reach"], checks["credentials"]) == ("ok", "ok", "unknown")


def test_the_commands_know_a_third_crm(leadhouse: Command) -> None:
    shown = " ".join(leadhouse("sync", "--help").split())

    assert "bitrix24, kommo or third" in shown
    assert "third: Address of the portal." in shown


def test_the_page_names_each_file_of_a_third_crm() -> None:
    page = documents.read("docs/adding-a-crm.md")
    named = {row[0].strip("`").replace("{name}", "third") for row in documents.rows(page, "file")}

    assert {str(place) for place in _files() if place.name != "__init__.py"} <= named
