"""The DAGs beside leadhouse_sync: reconcile by night, views, and the example of a user's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from in_airflow.office import Office, Runs
from leadhouse.airflow.destinations import cursor


@pytest.fixture(params=["duckdb", pytest.param("postgres", marks=pytest.mark.long)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """The office, synced, with each warehouse."""
    postgres = request.param == "postgres"
    to = request.getfixturevalue("postgres_url") if postgres else f"duckdb:{tmp_path / 'warehouse.duckdb'}"
    with Office(monkeypatch, to) as made:
        made.sync()
        yield made


@pytest.mark.long
def test_reconcile_marks_what_vanished(runs: Runs, anywhere: Office) -> None:
    anywhere.portal.delete_lead(int(anywhere.portal.leads()[0]["ID"]))
    anywhere.account.delete_lead(anywhere.account.leads()[0]["id"])
    done = runs("leadhouse_reconcile")
    assert done.state == "success"
    for label in ("bitrix24.acme", "kommo"):
        assert done.result(f"portal.reconcile[{label}]")["leads_deleted"] == 1
    assert done.states["publish"] == "success"
    anywhere.assert_equal()


@pytest.mark.long
def test_a_mass_deletion_is_not_believed_until_a_person_says_so(runs: Runs, office: Office) -> None:
    office.sync()
    for lead in office.portal.leads()[:55]:
        office.portal.delete_lead(int(lead["ID"]))
    done = runs("leadhouse_reconcile", portals=["bitrix24.acme"], max_deletions="5%")
    assert done.states["portal.reconcile[bitrix24.acme]"] == "failed"
    done = runs("leadhouse_reconcile", portals=["bitrix24.acme"], max_deletions="55")
    assert done.result("portal.reconcile[bitrix24.acme]")["leads_deleted"] == 55


def test_views_are_made_and_show_every_lead(runs: Runs, anywhere: Office) -> None:
    anywhere.execute("DROP SCHEMA crm CASCADE")
    done = runs("leadhouse_views")
    assert done.state == "success"
    assert done.result("refresh") == {"acme": 60, "kommo": 40}
    assert anywhere.rows("SELECT source, count(*) FROM crm.leads GROUP BY source ORDER BY source") == [
        ("bitrix24", 60),
        ("kommo", 40),
    ]


def test_views_that_cannot_be_made_turn_the_run_red(
    runs: Runs, office: Office, capfd: pytest.CaptureFixture[str]
) -> None:
    office.sync()
    office.execute("DROP SCHEMA crm CASCADE", "CREATE SCHEMA crm", "CREATE TABLE crm.leads (mine BIGINT)")
    done = runs("leadhouse_views")
    out, err = capfd.readouterr()
    assert done.state == "failed"
    assert "the view crm.leads shows 0 of 60 leads of acme" in out + err
    assert "the schema crm has others of the name" in out + err


def test_the_example_counts_open_leads_by_owner(runs: Runs, anywhere: Office) -> None:
    for _ in range(2):
        assert runs("open_leads_by_owner").state == "success"
    ((open_leads,),) = anywhere.rows("SELECT count(*) FROM crm.leads WHERE stage_kind = 'open' AND deleted_at IS NULL")
    ((counted,),) = anywhere.rows("SELECT sum(leads)::BIGINT FROM marts.open_leads_by_owner WHERE day = current_date")
    assert counted == open_leads > 0


def test_a_task_with_sql_of_its_own_leaves_nothing_beside_the_duckdb_file(tmp_path: Path) -> None:
    for _ in range(2):
        with cursor(f"duckdb:{tmp_path / 'warehouse.duckdb'}") as warehouse:
            warehouse.execute("SELECT 1")
    assert [file.name for file in tmp_path.iterdir()] == ["warehouse.duckdb"]
