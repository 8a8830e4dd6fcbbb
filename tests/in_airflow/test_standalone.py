"""Airflow booted for real: a scheduled run, backfills, connections, and the pages as a person sees them in Chromium."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

import kommo_oracle
import oracle
from copies import administer
from in_airflow.standalone import Standalone
from kommo_scene import small_account
from leadhouse.sandbox import bitrix24, kommo
from scene import small_portal

pytestmark = pytest.mark.long

LABELS = ["bitrix24.acme", "bitrix24.globex", "kommo", "office"]
# A day on which one lead of acme was modified.
DAY = "2026-11-03T00:00:00+00:00"


class Company:
    """Four portals, three in leadhouse's configuration and one a connection of Airflow's; one DuckDB file for all."""

    def __init__(self, airflow: Standalone, to: str, portals: dict[str, Any], account: Any, secrets: list[str]) -> None:
        self.airflow = airflow
        self.to = to
        self.portals = portals
        self.account = account
        self.secrets = secrets


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Company]:
    """Airflow, configured as docs/airflow.md says, with a first scheduled run behind it."""
    home = tmp_path_factory.mktemp("standalone")
    administer(postgres_server, "CREATE DATABASE airflow")
    database = postgres_server.replace("localhost/postgres", "/airflow").replace("://", "+psycopg2://")
    portals = {name: small_portal(leads=60, seed=seed) for seed, name in enumerate(("acme", "globex", "office"), 3)}
    account = small_account(leads=40)
    with (
        bitrix24.serve(portals["acme"]) as acme,
        bitrix24.serve(portals["globex"]) as globex,
        bitrix24.serve(portals["office"]) as office,
        kommo.serve(account) as shop,
    ):
        to = f"duckdb:{home / 'warehouse.duckdb'}"
        settings = {
            "LEADHOUSE__TO": to,
            "LEADHOUSE_SCHEDULE": "0 0 * * *",  # one scheduled run, at once, for yesterday
            "DLT_DATA_DIR": str(home / "work"),
            "SOURCES__BITRIX24__ACME__WEBHOOK_URL": acme.url,
            "SOURCES__BITRIX24__GLOBEX__WEBHOOK_URL": globex.url,
            "SOURCES__KOMMO__BASE_URL": shop.url,
            "SOURCES__KOMMO__ACCESS_TOKEN": account.token,
        }
        base, _, rest = office.url.rstrip("/").partition("/rest/")
        user, code = rest.split("/")
        with Standalone(home, database, settings) as airflow:
            airflow.command("pools", "import", home / "dags" / "pools.json")
            connection = {
                "connection_id": "office",
                "conn_type": "bitrix24",
                "host": base,
                "login": user,
                "password": code,
            }
            airflow.ask("POST", "connections", connection)
            airflow.ask("POST", "variables", {"key": "leadhouse_connections", "value": '["office"]'})
            for dag_id in ("leadhouse_views", "leadhouse_sync"):
                airflow.unpause(dag_id)
            yield Company(airflow, to, portals, account, [code, acme.url.rstrip("/").rpartition("/")[2], account.token])


@pytest.fixture
def page(company: Company) -> Iterator[Page]:
    """A tab of Chromium at Airflow's pages."""
    chromium = shutil.which("chromium")
    assert chromium, "install your system's package chromium"
    switches = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[f"--{switch}" for switch in switches.split()]
        )
        opened = browser.new_page(base_url=company.airflow.url, viewport={"width": 1500, "height": 1000})
        expect.set_options(timeout=60_000)
        opened.set_default_timeout(60_000)
        yield opened
        browser.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where pictures of the pages go: SCREENSHOTS, for who wants to look at them, else a folder that vanishes."""
    import os  # noqa: PLC0415

    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_scheduled_run_brings_every_portal_at_the_first_try(company: Company) -> None:
    """The tasks run side by side and write one DuckDB file: none of them needs another try, or a pool of one slot."""
    run = company.airflow.run("leadhouse_sync", "scheduled")
    tasks = company.airflow.tasks(run)
    assert run["state"] == "success", {name: task["state"] for name, task in tasks.items()}
    assert [name for name in sorted(tasks) if name.startswith("portal.")] == [
        f"portal.sync[{label}]" for label in LABELS
    ]
    assert {task["try_number"] for name, task in tasks.items() if name.startswith("portal.")} == {1}
    for name, portal in company.portals.items():
        oracle.assert_equal(portal, company.to, name)
    kommo_oracle.assert_equal(company.account, company.to, "kommo")


def test_a_task_links_to_the_leads_of_its_portal(company: Company) -> None:
    tasks = company.airflow.tasks(company.airflow.run("leadhouse_sync", "scheduled"))
    host = company.airflow.result(tasks["portal.sync[office]"])["portal"]
    told = company.airflow.links(tasks["portal.sync[office]"])
    assert told == {"Leads in the portal": f"https://{host}/crm/lead/list/"}


def test_the_views_follow_by_the_asset(company: Company) -> None:
    run = company.airflow.run("leadhouse_views", "asset_triggered")
    assert run["state"] == "success"
    told = company.airflow.result(company.airflow.tasks(run)["refresh"])
    assert told == {"acme": 60, "globex": 60, "kommo": 40, "office": 60}


def test_a_task_log_is_structured_and_tells_no_secret(company: Company) -> None:
    tasks = company.airflow.tasks(company.airflow.run("leadhouse_sync", "scheduled"))
    for label in LABELS:
        lines = company.airflow.log(tasks[f"portal.sync[{label}]"])
        (line,) = (line for line in lines if line.get("logger") == "leadhouse.sync" and line["event"] == "sync")
        assert (line["level"], line["outcome"]) == ("info", "done")
        assert line["leads_read"] >= 40
        assert not [line for line in lines if line.get("level") in ("error", "critical")]
    for file in (company.airflow.home / "logs").rglob("*.log"):
        text = file.read_text(errors="replace")
        assert not [secret for secret in company.secrets if secret in text], file


def test_a_backfill_reads_its_interval_and_leaves_the_cursor(company: Company) -> None:
    airflow = company.airflow
    airflow.run("leadhouse_sync", "scheduled")
    airflow.command("backfill", "create", "--dag-id", "leadhouse_sync", "--from-date", DAY, "--to-date", DAY)
    run = airflow.run("leadhouse_sync", "backfill")
    told = airflow.result(airflow.tasks(run)["portal.sync[bitrix24.acme]"])
    assert run["state"] == "success"
    assert told["leads_read"] == 1
    assert told["cursor_from"] == told["cursor_to"] == "2026-11-21T09:00:00Z"


def test_a_backfill_of_a_cron_string_is_red_and_says_why(company: Company) -> None:
    airflow = company.airflow
    airflow.unpause("cron_string")
    airflow.command(
        "backfill", "create", "--dag-id", "cron_string", "--from-date", DAY, "--to-date", "2026-11-03T09:30:00+00:00"
    )
    run = airflow.run("cron_string", "backfill")
    task = airflow.tasks(run)["sync"]
    assert (run["state"], task["state"], task["try_number"], task["max_tries"]) == ("failed", "failed", 1, 3)
    said = "\n".join(str(line) for line in airflow.log(task))
    assert "the backfill's interval is empty, because the DAG's schedule is a cron string" in said


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_the_test_button_of_the_page_is_answered(company: Company, password: str) -> None:
    body = company.airflow.ask("GET", "connections/office")
    told = {"connection_id": "office", "conn_type": "bitrix24", "host": body["host"], "login": body["login"]}
    code = company.secrets[0] if password == "right" else "wrong0wrong0wrong0"
    answer = company.airflow.ask("POST", "connections/test", {**told, "password": code})
    assert answer["status"] is (password == "right"), answer["message"]
    assert code not in answer["message"]


def test_the_run_can_be_seen(company: Company, page: Page, shots: Path) -> None:
    run = company.airflow.run("leadhouse_sync", "scheduled")
    page.goto(f"/dags/leadhouse_sync/runs/{run['dag_run_id']}")
    expect(page.get_by_text("list_portals").first).to_be_visible()
    expect(page.get_by_text("Success").first).to_be_visible()
    page.screenshot(path=shots / "run.png")
    page.goto(f"/dags/leadhouse_sync/runs/{run['dag_run_id']}/tasks/portal.sync/mapped")
    for label in LABELS:
        expect(page.get_by_text(label, exact=True).first).to_be_visible()
    page.screenshot(path=shots / "portals.png")
    page.get_by_text("bitrix24.acme", exact=True).first.click()
    expect(page.get_by_role("heading", name="portal.sync [bitrix24.acme]")).to_be_visible()
    expect(page.get_by_text("cursor_to").first).to_be_visible()
    page.screenshot(path=shots / "log.png")


def test_the_form_of_a_connection_can_be_filled_in(company: Company, page: Page, shots: Path) -> None:  # noqa: ARG001
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    page.get_by_role("combobox").first.click()
    page.keyboard.type("Bitrix24")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Webhook code or URL").first).to_be_visible()
    page.screenshot(path=shots / "connection.png")
    page.get_by_text("Extra Fields").first.click()
    expect(page.get_by_text("Requests per second").first).to_be_visible()
    page.screenshot(path=shots / "connection_extra.png", full_page=True)


def test_every_dag_is_there_and_the_example_is_hidden(company: Company) -> None:
    told = {dag["dag_id"] for dag in company.airflow.ask("GET", "dags")["dags"]}
    assert told == {"cron_string", "leadhouse_reconcile", "leadhouse_sync", "leadhouse_views"}
    assert company.airflow.ask("GET", "importErrors")["total_entries"] == 0
