"""Which portals a DAG works on: those of the configuration, and those of connections that a Variable lists."""

import json

import pytest

from in_airflow.office import Office, Runs
from leadhouse.airflow.destinations import destination
from leadhouse.airflow.portals import chosen_portals
from leadhouse.errors import ConfigurationError

CODE = "k1l2m3n4o5p6q7r8"
CONNECTION = f'{{"conn_type": "bitrix24", "host": "globex.bitrix24.com", "login": "1", "password": "{CODE}"}}'
ACME = {"source": "bitrix24", "portal": "acme", "conn_id": None}
KOMMO = {"source": "kommo", "portal": None, "conn_id": None}
GLOBEX = {"source": None, "portal": None, "conn_id": "globex"}


def test_both_places_count(office: Office) -> None:
    office.configure(AIRFLOW_CONN_GLOBEX=CONNECTION, AIRFLOW_VAR_LEADHOUSE_CONNECTIONS='["globex"]')
    assert chosen_portals() == [ACME, KOMMO, GLOBEX]
    assert chosen_portals([]) == [ACME, KOMMO, GLOBEX]
    assert chosen_portals(["globex", "kommo"]) == [KOMMO, GLOBEX]


def test_connections_alone_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_GLOBEX", CONNECTION)
    monkeypatch.setenv("AIRFLOW_VAR_LEADHOUSE_CONNECTIONS", '["globex"]')
    assert chosen_portals() == [GLOBEX]


@pytest.mark.usefixtures("database")
def test_no_portal_at_all_is_an_error_and_no_green_run() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no portal is configured; set SOURCES__.* or the Variable leadhouse_con"
    ):
        chosen_portals()


@pytest.mark.parametrize("told", ['"globex"', "[7]", '{"globex": true}'])
def test_a_variable_of_another_shape_is_refused(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_LEADHOUSE_CONNECTIONS", told)
    with pytest.raises(ConfigurationError, match="is no JSON list of connection ids"):
        chosen_portals()


def test_a_connection_that_would_fill_anothers_dataset_is_refused(office: Office) -> None:
    office.configure(AIRFLOW_CONN_ACME=CONNECTION, AIRFLOW_VAR_LEADHOUSE_CONNECTIONS='["acme"]')
    with pytest.raises(ConfigurationError, match=r"bitrix24\.acme and acme would share the dataset acme") as refused:
        chosen_portals()
    assert CODE not in str(refused.value)


def test_a_portal_that_is_not_there_is_told_with_those_that_are(office: Office) -> None:  # noqa: ARG001
    with pytest.raises(ConfigurationError, match=r"'acme' is no portal here; there are bitrix24\.acme, kommo"):
        chosen_portals(["acme"])


UNUSABLE = {
    "gone": None,
    "other": '{"conn_type": "http", "host": "example.com"}',
    "extra": CONNECTION.replace("}", ', "extra": {"request_per_second": 5}}'),
    "shop": '{"conn_type": "kommo", "password": "an-invented-token"}',
    "acme-prod": CONNECTION,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_connection_that_cannot_be_used_hides_no_other_portal(
    office: Office, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    office.configure(AIRFLOW_CONN_GLOBEX=CONNECTION, AIRFLOW_VAR_LEADHOUSE_CONNECTIONS=f'["{name}", "globex"]')
    if told := UNUSABLE[name]:
        office.configure(**{f"AIRFLOW_CONN_{name.upper()}": told})
    bad = {"source": None, "portal": None, "conn_id": name}
    assert chosen_portals() == [ACME, KOMMO, bad, GLOBEX]
    assert chosen_portals(["globex"]) == [GLOBEX]
    out, err = capfd.readouterr()
    line = next(line for line in (out + err).splitlines() if "a connection cannot be used" in line)
    assert name in line
    assert CODE not in out + err
    assert "an-invented-token" not in out + err


@pytest.mark.usefixtures("database")
def test_connections_none_of_which_can_be_used_are_listed_for_their_tasks_to_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_LEADHOUSE_CONNECTIONS", '["gone", "lost"]')
    assert [portal["conn_id"] for portal in chosen_portals()] == ["gone", "lost"]


def test_a_connection_that_is_gone_fails_its_own_task_at_once_and_turns_the_run_red(
    runs: Runs, office: Office, capfd: pytest.CaptureFixture[str]
) -> None:
    runs.retries = 2
    shop = {"conn_type": "kommo", "host": office.shop.url, "password": office.account.token}
    office.configure(
        AIRFLOW_CONN_SHOP=json.dumps(shop),
        AIRFLOW_VAR_LEADHOUSE_CONNECTIONS='["gone", "shop"]',
    )
    done = runs("leadhouse_sync", portals=["gone", "shop"])
    out, err = capfd.readouterr()
    assert done.state == "failed"
    assert done.states == {
        "list_portals": "success",
        "portal.sync[gone]": "failed",
        "portal.sync[shop]": "success",
        "publish": "success",
        "watcher": "failed",
    }
    assert done.task("portal.sync[gone]").try_number == 1
    assert done.result("portal.sync[shop]")["leads_read"] == 40
    (line,) = [line for line in (out + err).splitlines() if "task failed" in line and "portal.sync" in line]
    assert "connection gone is not there; add it, or take it out of the Variable leadhouse_connections" in line
    assert "a person must act" in line


@pytest.mark.usefixtures("database")
def test_a_warehouses_connection_that_is_gone_is_a_setting_to_mend() -> None:
    with pytest.raises(ConfigurationError, match="connection gone is not there; add it, or take it out of to_conn_id"):
        destination(None, "gone")
