"""Which portals a DAG works on: those of the configuration, and those of connections that a Variable lists."""

import pytest

from in_airflow.office import Office
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
