"""Connections of Airflow as leadhouse's settings, and the Test button, against sandbox portals."""

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from in_airflow.office import Office
from leadhouse.airflow.connections import portal_connection, warehouse_url
from leadhouse.airflow.hooks import LeadhouseHook
from leadhouse.errors import ConfigurationError
from leadhouse.settings import portal_settings

CODE = "q7w8e9r0t1y2u3i4"


def bitrix24(**told: Any) -> Connection:
    """Return a connection to an invented portal."""
    return Connection(**{"conn_id": "acme", "conn_type": "bitrix24", "host": "acme.bitrix24.com", **told})


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ({"login": "1", "password": CODE}, f"https://acme.bitrix24.com/rest/1/{CODE}/"),
        ({"login": "1", "password": CODE, "port": 8443}, f"https://acme.bitrix24.com:8443/rest/1/{CODE}/"),
        (
            {"host": "https://crm.example.com/office/", "login": "7", "password": CODE},
            f"https://crm.example.com/office/rest/7/{CODE}/",
        ),
        (
            {"host": None, "password": f" https://acme.bitrix24.com/rest/1/{CODE}/ "},
            f"https://acme.bitrix24.com/rest/1/{CODE}/",
        ),
    ],
    ids=["parts", "port", "a box portal in a folder", "the whole address as password"],
)
def test_a_webhook_is_put_together(told: dict[str, Any], url: str) -> None:
    made = portal_connection(bitrix24(**told))
    assert (made.source, made.dataset, made.settings) == ("bitrix24", "acme", {"webhook_url": url})
    assert CODE not in repr(made)


def test_extras_are_settings_and_the_dataset() -> None:
    extra = '{"dataset": "Main", "api": "item", "burst": 250, "phone_region": "", "oauth_server": null}'
    made = portal_connection(bitrix24(login="1", password=CODE, extra=extra))
    assert made.dataset == "main"
    settings: Any = portal_settings("bitrix24", None, made.settings)
    assert (settings.api, settings.burst, settings.phone_region) == ("item", 250.0, None)


def test_an_application_takes_the_place_of_a_webhook() -> None:
    extra = '{"client_id": "local.1", "client_secret": "an-invented-secret", "refresh_token": "an-invented-token"}'
    settings: Any = portal_settings("bitrix24", None, portal_connection(bitrix24(extra=extra)).settings)
    assert settings.access.client_id == "local.1"


def test_kommo_takes_host_and_token() -> None:
    told = Connection(conn_id="shop", conn_type="kommo", host="shop.kommo.com", password="a-long-lived-token")
    assert portal_connection(told).settings == {
        "base_url": "https://shop.kommo.com",
        "access_token": "a-long-lived-token",
    }


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (bitrix24(conn_type="http"), "is of type http; choose bitrix24 or kommo"),
        (bitrix24(login="1", password=CODE, extra='{"request_per_second": 5}'), "'request_per_second'"),
        (bitrix24(login="1", password=CODE, extra="[1]"), "not a JSON object"),
        (bitrix24(login="1", password=CODE, conn_id="acme-crm"), "cannot name a dataset"),
        (bitrix24(login="1", password=CODE, host=""), "has no host"),
    ],
    ids=["another type", "an unknown extra", "extra is no object", "no name for a dataset", "no host"],
)
def test_a_connection_that_cannot_be_used_is_refused_in_one_line(connection: Connection, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        portal_connection(connection)
    assert CODE not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("told", "url"),
    [
        (
            {
                "conn_type": "postgres",
                "host": "db.example.com",
                "login": "loader",
                "password": "p/w@d",
                "schema": "crm",
            },
            "postgresql://loader:p%2Fw%40d@db.example.com/crm",
        ),
        (
            {
                "conn_type": "postgres",
                "host": "db",
                "port": 6432,
                "schema": "crm",
                "extra": '{"sslmode": "require", "iam": false}',
            },
            "postgresql://db:6432/crm?sslmode=require",
        ),
        ({"conn_type": "duckdb", "host": "/srv/leads.duckdb"}, "duckdb:/srv/leads.duckdb"),
    ],
    ids=["password", "options", "duckdb"],
)
def test_a_warehouse_is_a_connection(told: dict[str, Any], url: str) -> None:
    assert warehouse_url(Connection(conn_id="warehouse", **told)) == url


@pytest.mark.parametrize(
    "told", [{"conn_type": "mysql", "host": "db"}, {"conn_type": "postgres", "host": "db"}], ids=str
)
def test_a_connection_to_something_else_is_no_warehouse(told: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="describes no warehouse"):
        warehouse_url(Connection(conn_id="warehouse", **told))


def pressed(conn_type: str, host: str, login: str | None, password: str) -> tuple[bool, str]:
    """Do what the API server does when somebody presses Test: it hands the connection over in the environment."""
    import os  # noqa: PLC0415

    from airflow.models.connection import Connection as Stored  # noqa: PLC0415

    stored = Stored(conn_id="4zi7Sh12", conn_type=conn_type, host=host, login=login, password=password)
    os.environ["AIRFLOW_CONN_4ZI7SH12"] = stored.get_uri()
    try:
        told: tuple[bool, str] = stored.test_connection()  # type: ignore[no-untyped-call]
        return told
    finally:
        del os.environ["AIRFLOW_CONN_4ZI7SH12"]


@pytest.mark.usefixtures("database")
def test_the_test_button_asks_the_portal(office: Office) -> None:
    base, _, rest = office.acme.url.rstrip("/").partition("/rest/")
    user, code = rest.split("/")
    done, message = pressed("bitrix24", base, user, code)
    assert (done, message.split(" answers")[0]) == (True, base.removeprefix("http://"))
    assert "lets leads be read; its clock says 2026-11-21 09:00:00 UTC" in message
    assert pressed("kommo", office.shop.url, None, office.account.token)[0]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_the_test_button_tells_a_refused_secret(office: Office, source: str) -> None:
    if source == "bitrix24":
        base, _, rest = office.acme.url.rstrip("/").partition("/rest/")
        done, message = pressed(source, base, rest.split("/")[0], "wrong0wrong0wrong0")
    else:
        done, message = pressed(source, office.shop.url, None, "wrong0wrong0wrong0")
    assert not done
    assert "wrong0" not in message
    assert "\n" not in message
    assert message.startswith("127.0.0.1:")


@pytest.mark.usefixtures("database")
def test_the_test_button_does_not_wait_for_a_portal_that_is_not_there() -> None:
    done, message = pressed("bitrix24", "http://127.0.0.1:9", "1", CODE)
    assert (done, message) == (False, "127.0.0.1:9 batch: connection refused")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_the_test_button_spends_no_refresh_token(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """The pair that it brings would lie on the API server, and the workers' chain of tokens would be broken."""
    extra = {"client_id": "local.1", "client_secret": "an-invented-secret", "refresh_token": "an-invented-token"}
    if source == "kommo":
        extra["redirect_uri"] = "https://example.com/"
    told = {"conn_type": source, "host": "http://127.0.0.1:9", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_PRESSED", json.dumps(told))
    done, message = LeadhouseHook("pressed").test_connection()
    assert done
    assert "the next run tries them" in message
    monkeypatch.setenv("AIRFLOW_CONN_PRESSED", json.dumps({**told, "extra": {**extra, "client_secret": ""}}))
    done, message = LeadhouseHook("pressed").test_connection()
    assert not done
    assert "lacks client_secret" in message
