"""The dataset `crm`: views over every source in the warehouse, made by the runs, hindering none of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
import structlog

from contents import Row, columns, contract, execute, query
from leadhouse import view_making, views
from leadhouse.errors import ConfigurationError
from leadhouse.progress import Lines
from leadhouse.sandbox import bitrix24, kommo
from leadhouse.service import sync
from leadhouse.summary import SyncSummary

NOON = "2026-11-21T12:00:00+00:00"
_KINDS = {"P": "open", "S": "won", "F": "lost", 142: "won", 143: "lost"}


@dataclass
class Company:
    """A company that runs a Bitrix24 portal and a Kommo account, and one warehouse."""

    portal: bitrix24.Portal
    account: kommo.Account
    urls: dict[str, str]
    to: str

    def sync(self, source: str, **options: Any) -> SyncSummary:
        """Sync one of the two."""
        access: dict[str, Any] = {"webhook_url": self.urls[source], "burst": 10_000}
        if source == "kommo":
            access = {"base_url": self.urls[source], "access_token": self.account.token}
        given: dict[str, Any] = {"to": self.to, "progress": Lines(), "requests_per_second": 1000, "lock_timeout": 20.0}
        return sync(source, **(given | access | options))

    def rows(self, sql: str) -> list[Row]:
        """Run a query."""
        return query(self.to, sql)

    def held(self) -> set[tuple[str, str]]:
        """Return the portals that the view of leads covers."""
        return {(row["source"], row["portal"]) for row in self.rows("SELECT DISTINCT source, portal FROM crm.leads")}

    def host(self, source: str) -> str:
        """Return what the view calls the portal."""
        return self.urls[source].split("/")[2]


@contextmanager
def company_into(to: str) -> Iterator[Company]:
    """Serve a company's two portals."""
    portal = bitrix24.Portal(leads=25, seed=3, clock=bitrix24.Clock.frozen(NOON))
    account = kommo.Account(leads=25, seed=3, clock=kommo.Clock.frozen(NOON))
    with ExitStack() as stack:
        urls = {
            "bitrix24": stack.enter_context(bitrix24.serve(portal)).url,
            "kommo": stack.enter_context(kommo.serve(account)).url,
        }
        yield Company(portal, account, urls, to)


@pytest.fixture
def company(to: str) -> Iterator[Company]:
    """A company and an empty warehouse, once of each kind."""
    with company_into(to) as served:
        yield served


@pytest.fixture
def in_duckdb(tmp_path: Path) -> Iterator[Company]:
    """A company and a DuckDB file."""
    with company_into(f"duckdb:{tmp_path / 'leads.duckdb'}") as served:
        yield served


@pytest.fixture
def in_postgres(postgres_url: str) -> Iterator[Company]:
    """A company and a Postgres database."""
    with company_into(postgres_url) as served:
        yield served


def _second(unix: int | None) -> datetime | None:
    return None if unix is None else datetime.fromtimestamp(unix, UTC)


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _bitrix24_leads(company: Company) -> dict[int, Row]:
    host = company.host("bitrix24")
    return {
        int(lead["ID"]): {
            "source": "bitrix24",
            "portal": host,
            "title": lead["TITLE"] or None,
            "amount": Decimal(lead["OPPORTUNITY"]) if lead["OPPORTUNITY"] else None,
            "currency": lead["CURRENCY_ID"] or None,
            "stage_kind": _KINDS[lead["STATUS_SEMANTIC_ID"]],
            "created_at": _instant(lead["DATE_CREATE"]),
            "modified_at": _instant(lead["DATE_MODIFY"]),
            "closed_at": _instant(lead["DATE_CLOSED"]),
            "url": f"https://{host}/crm/lead/details/{lead['ID']}/",
        }
        for lead in company.portal.leads()
    }


def _kommo_leads(company: Company) -> dict[int, Row]:
    host = company.host("kommo")
    owners = {user["id"]: user["name"] for user in company.account.users()}
    stages = {
        (pipeline["id"], status["id"]): status["name"]
        for pipeline in company.account.pipelines()
        for status in pipeline["_embedded"]["statuses"]
    }
    return {
        lead["id"]: {
            "source": "kommo",
            "portal": host,
            "title": lead["name"] or None,
            "amount": Decimal(lead["price"]),
            "currency": "GBP",
            "stage": stages[lead["pipeline_id"], lead["status_id"]],
            "stage_kind": _KINDS.get(lead["status_id"], "open"),
            "owner": owners.get(lead["responsible_user_id"]),
            "created_at": _second(lead["created_at"]),
            "modified_at": _second(lead["updated_at"]),
            "closed_at": _second(lead["closed_at"]),
            "url": f"https://{host}/leads/detail/{lead['id']}",
        }
        for lead in company.account.leads()
    }


def _kommo_people(company: Company) -> set[tuple[Any, ...]]:
    contacts = {contact["id"]: contact for contact in company.account.contacts()}
    found = set()
    for lead in company.account.leads():
        for link in lead["_embedded"]["contacts"]:
            contact = contacts[link["id"]]
            for field in contact["custom_fields_values"] or ():
                kind = {"PHONE": "phone", "EMAIL": "email", "IM": "im"}.get(field["field_code"])
                for value in field["values"] if kind else ():
                    found.add((lead["id"], kind, str(value["value"]), value["enum_code"], link["id"], contact["name"]))
    return found


def _bitrix24_people(company: Company) -> set[tuple[Any, ...]]:
    return {
        (int(lead["ID"]), kind, entry["VALUE"], entry["VALUE_TYPE"], None)
        for lead in company.portal.leads()
        for kind, field in (("phone", "PHONE"), ("email", "EMAIL"), ("im", "IM"))
        for entry in lead.get(field, ())
    }


def test_leads_and_people_of_both_crms_stand_in_one_view_each(company: Company) -> None:
    company.account.update_lead(company.account.leads()[0]["id"], {"status_id": 142})
    company.sync("bitrix24")
    company.sync("kommo")

    leads = {(row["source"], row["lead_id"]): row for row in company.rows("SELECT * FROM crm.leads")}
    wanted = {("bitrix24", number): row for number, row in _bitrix24_leads(company).items()}
    wanted |= {("kommo", number): row for number, row in _kommo_leads(company).items()}
    assert {key: {name: row[name] for name in wanted[key]} for key, row in leads.items()} == wanted
    assert all(row["deleted_at"] is None for row in leads.values())
    people = company.rows("SELECT * FROM crm.people")
    of_kommo = [row for row in people if row["source"] == "kommo"]
    names = ("lead_id", "kind", "value", "value_type", "contact_id")
    assert {tuple(row[name] for name in (*names, "name")) for row in of_kommo} == _kommo_people(company)
    own = {tuple(row[name] for name in names) for row in people if row["source"] == "bitrix24"}
    assert own == _bitrix24_people(company)
    assert {row["portal"] for row in people} == {company.host("bitrix24"), company.host("kommo")}
    stored = company.rows(
        "SELECT value, e164 FROM bitrix24.lead_phones UNION SELECT value, e164 FROM kommo.contact_phones"
    )
    assert {(row["value"], row["e164"]) for row in people if row["kind"] == "phone"} <= {
        (row["value"], row["e164"]) for row in stored
    }
    assert any(row["e164"] for row in people if row["kind"] == "phone")


def test_owner_and_stage_of_a_bitrix24_lead_are_names(in_duckdb: Company) -> None:
    in_duckdb.sync("bitrix24")

    told = in_duckdb.rows(
        "SELECT c.stage, c.owner, s.name, u.name AS first, u.last_name AS last FROM crm.leads AS c "
        "JOIN bitrix24.leads AS l ON l.id = c.lead_id JOIN bitrix24.users AS u ON u.id = l.assigned_by_id "
        "JOIN bitrix24.statuses AS s ON s.entity_id = 'STATUS' AND s.status_id = l.status_id"
    )
    assert told
    assert all(row["stage"] == row["name"] and row["owner"] == f"{row['first']} {row['last']}" for row in told)


def test_the_views_have_the_columns_of_the_contract_whatever_sources_came_first(company: Company) -> None:
    company.sync("kommo")
    alone = columns(company.to, "crm")
    company.sync("bitrix24")

    assert columns(company.to, "crm") == alone
    assert {name: list(told["columns"]) for name, told in contract("views/crm").items()} == {
        name: list(types) for name, types in alone.items()
    }
    assert alone["leads"]["amount"] in ("decimal(18,2)", "numeric(18,2)")
    assert alone["leads"]["deleted_at"] == alone["leads"]["created_at"] == "timestamp with time zone"


def test_deleted_leads_stay_in_the_view_and_several_portals_of_a_crm_are_told_apart(company: Company) -> None:
    company.sync("bitrix24")
    company.sync("kommo")
    with bitrix24.serve(bitrix24.Portal(leads=4, seed=8)) as second:
        company.sync("bitrix24", portal="north", webhook_url=second.url)
        north = second.url.split("/")[2]
    gone = company.account.leads()[0]["id"]
    company.account.clock.advance(3600)
    company.account.delete_lead(gone)
    company.sync("kommo", reconcile=True)

    hosts = {("bitrix24", company.host("bitrix24")), ("kommo", company.host("kommo")), ("bitrix24", north)}
    assert company.held() == hosts
    (counted,) = company.rows(f"SELECT count(*) AS leads FROM crm.leads WHERE portal = '{north}'")  # noqa: S608
    assert counted == {"leads": 4}
    (marked,) = company.rows("SELECT lead_id, deleted_at FROM crm.leads WHERE deleted_at IS NOT NULL")
    assert marked == {"lead_id": gone, "deleted_at": _second(company.account.clock.second())}


def test_a_run_that_changes_no_table_leaves_the_views_alone(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.sync("bitrix24")
    company.sync("kommo")
    replaced: list[Any] = []
    monkeypatch.setattr(views, "_replace", lambda *told: replaced.append(told))

    company.sync("bitrix24")
    company.sync("kommo")
    company.account.clock.advance(3600)
    company.account.live(create=2, edit=2)
    company.sync("kommo")

    assert replaced == []


def test_views_that_were_dropped_with_a_dataset_come_back_without_it(company: Company) -> None:
    company.sync("bitrix24")
    company.sync("kommo")
    execute(company.to, "DROP SCHEMA bitrix24 CASCADE")

    company.sync("kommo")

    assert company.held() == {("kommo", company.host("kommo"))}


def test_a_copy_of_a_dataset_is_not_counted_twice(company: Company) -> None:
    company.sync("kommo")
    execute(company.to, "CREATE SCHEMA kommo_backup")
    for row in company.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'kommo'"):
        name = row["table_name"]
        execute(company.to, f'CREATE TABLE kommo_backup."{name}" AS SELECT * FROM kommo."{name}"')  # noqa: S608
    execute(company.to, "DROP VIEW crm.leads")

    company.sync("kommo")

    (counted,) = company.rows("SELECT count(*) AS leads FROM crm.leads")
    assert counted == {"leads": 25}


def test_a_dataset_of_an_older_release_is_left_out_until_it_is_synced(company: Company) -> None:
    company.sync("bitrix24")
    execute(company.to, "DROP VIEW crm.leads; DROP VIEW crm.people")
    execute(company.to, "ALTER TABLE bitrix24.sync_runs DROP COLUMN portal")

    with structlog.testing.capture_logs() as logs:
        summary = company.sync("kommo")

    assert summary.outcome == "done"
    left_out = [told for told in logs if "left out of the views" in told["event"]]
    assert {(told["log_level"], told["dataset"]) for told in left_out} == {("warning", "bitrix24")}
    assert company.held() == {("kommo", company.host("kommo"))}
    execute(company.to, "ALTER TABLE bitrix24.sync_runs ADD COLUMN portal VARCHAR")
    company.sync("bitrix24")
    assert company.held() == {("bitrix24", company.host("bitrix24")), ("kommo", company.host("kommo"))}


def test_somebody_elses_table_is_not_replaced_and_the_run_is_done(company: Company) -> None:
    execute(company.to, "CREATE SCHEMA crm")
    execute(company.to, "CREATE TABLE crm.people AS SELECT 'mine' AS note")

    with structlog.testing.capture_logs() as logs:
        assert company.sync("kommo").outcome == "done"

    assert [told["names"] for told in logs if "no views over all CRMs" in told["event"]] == [["people"]]
    assert company.rows("SELECT * FROM crm.people") == [{"note": "mine"}]


def test_a_reader_of_a_view_keeps_it_as_it_is_and_the_next_run_replaces_it(
    in_postgres: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_making, "PATIENCE", "100ms")
    in_postgres.sync("bitrix24")
    reader = psycopg2.connect(in_postgres.to)
    try:
        with reader.cursor() as cursor, structlog.testing.capture_logs() as logs:
            cursor.execute("SELECT count(*) FROM crm.leads")
            assert in_postgres.sync("kommo").outcome == "done"
    finally:
        reader.close()

    (told,) = [told for told in logs if told.get("what") == "views over all CRMs"]
    assert told["log_level"] == "warning"
    assert "lock timeout" in told["why"]
    assert in_postgres.held() == {("bitrix24", in_postgres.host("bitrix24"))}
    in_postgres.sync("bitrix24")
    assert len(in_postgres.held()) == 2


def test_rights_that_lack_are_a_warning(in_postgres: Company) -> None:
    execute(in_postgres.to, "CREATE SCHEMA crm")
    execute(in_postgres.to, "CREATE ROLE loader LOGIN PASSWORD 'unused'")
    try:
        name = in_postgres.to.split("/")[3].partition("?")[0]
        execute(in_postgres.to, f"GRANT CREATE ON DATABASE {name} TO loader")
        in_postgres.to = in_postgres.to.replace("postgres:unused@", "loader:unused@")
        with structlog.testing.capture_logs() as logs:
            assert in_postgres.sync("kommo").outcome == "done"
    finally:
        owner = in_postgres.to.replace("loader:unused@", "postgres:unused@")
        execute(owner, "DROP OWNED BY loader CASCADE; DROP ROLE loader")

    (told,) = [told for told in logs if told.get("what") == "views over all CRMs"]
    assert "permission denied for schema crm" in told["why"]


def test_a_file_called_crm_and_one_that_was_renamed_keep_their_views(tmp_path: Path) -> None:
    with company_into(f"duckdb:{tmp_path / 'crm.duckdb'}") as company:
        company.sync("kommo")
        company.sync("kommo")
    (tmp_path / "crm.duckdb").rename(tmp_path / "renamed.duckdb")

    with duckdb.connect() as client:
        client.execute(f"ATTACH '{tmp_path / 'renamed.duckdb'}' AS warehouse (READ_ONLY)")
        assert client.sql("SELECT count(*) FROM warehouse.crm.leads").fetchone() == (25,)
        assert client.sql("SELECT count(*) > 0 FROM warehouse.crm.people").fetchone() == (True,)


def test_a_dataset_called_crm_is_refused_where_the_views_are(company: Company) -> None:
    company.sync("bitrix24")

    with pytest.raises(ConfigurationError, match=r"dataset crm of .* holds the views over all CRMs; .* --dataset"):
        company.sync("kommo", portal="CRM")
    assert company.held() == {("bitrix24", company.host("bitrix24"))}


def test_a_dataset_called_crm_that_was_there_first_stays_and_has_no_views(company: Company) -> None:
    with structlog.testing.capture_logs() as logs:
        company.sync("kommo", dataset="crm")
        assert company.sync("kommo", dataset="crm").rows_written == 0

    (counted,) = company.rows("SELECT count(*) AS leads FROM crm.leads WHERE name IS NOT NULL")
    assert counted["leads"] > 0
    assert not [told for told in logs if told["log_level"] == "warning"]
    with structlog.testing.capture_logs() as logs:
        company.sync("bitrix24")
    assert [told["names"] for told in logs if "no views over all CRMs" in told["event"]] == [["leads"]]


def test_a_dataset_of_another_crm_is_refused_before_anything_is_written(company: Company) -> None:
    company.sync("kommo")
    runs = query(company.to, "SELECT * FROM kommo.sync_runs")
    with pytest.raises(ConfigurationError, match=r"dataset kommo of .* holds kommo; give another name with --dataset"):
        company.sync("bitrix24", dataset="kommo")
    assert query(company.to, "SELECT * FROM kommo.sync_runs") == runs
