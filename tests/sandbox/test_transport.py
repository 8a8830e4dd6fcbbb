"""Routes, encodings and refusals of the REST surface (reference: bitrix24 sections 1, 2 and 16)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import urllib3

from leadhouse.sandbox.bitrix24 import Clock, Portal, serve

if TYPE_CHECKING:
    from sandbox.conftest import Client


@pytest.mark.parametrize(
    "spelling", ["crm.lead.get", "crm.lead.Get", "CRM.LEAD.GET.json", "crm.lead.get/", "crm.lead.get.json/"]
)
def test_methods_are_known_in_any_case_with_json_and_slash(client: Client, portal: Portal, spelling: str) -> None:
    first = portal.leads()[0]
    assert client.result(spelling, {"id": first["ID"]}) == first


def test_parameters_come_as_json_form_multipart_or_query(client: Client, portal: Portal) -> None:
    ids = [lead["ID"] for lead in portal.leads()]
    form = "order%5BID%5D=ASC&filter[>ID]=" + ids[3] + "&select[]=ID&select[1]=TITLE&start=-1"
    wanted = [{"ID": lead["ID"], "TITLE": lead["TITLE"]} for lead in portal.leads()[4:54]]
    by_form = client.raw("crm.lead.list", body=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
    by_query = client.raw("crm.lead.list?" + form, verb="GET")
    fields = {"order[ID]": "ASC", "filter[>ID]": ids[3], "select[0]": "ID", "select[1]": "TITLE", "start": "-1"}
    by_parts = client.raw("crm.lead.list", fields=fields)
    both = client.raw(
        "crm.lead.list?select[0]=ID&select[1]=TITLE&start=-1", json={"filter": {">ID": ids[3]}, "order": {"ID": "ASC"}}
    )
    for answer in (by_form, by_query, by_parts, both):
        assert answer.json()["result"] == wanted


def test_a_broken_json_body_means_no_parameters(client: Client) -> None:
    answer = client.raw("crm.lead.list", body=b'{"filter": {">ID": 5', headers={"Content-Type": "application/json"})
    assert answer.status == 200
    assert answer.json()["total"] == 180


def test_json_needs_its_content_type(client: Client) -> None:
    body = json.dumps({"start": -1})
    assert client.raw("crm.lead.list", body=body, headers={"Content-Type": "text/plain"}).json()["total"] == 180


def test_answers_are_json_with_time_in_the_portal_offset(client: Client) -> None:
    answer = client.raw("server.time")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json()["result"] == "2026-11-21T12:00:00+03:00"
    time = answer.json()["time"]
    assert time["date_start"] == "2026-11-21T12:00:00+03:00"
    assert set(time) == {
        "start", "finish", "duration", "processing", "date_start", "date_finish", "operating_reset_at", "operating",
    }  # fmt: skip


def test_time_varies_by_quirk(client: Client, portal: Portal) -> None:
    portal.quirks.integer_times = True
    portal.quirks.operating = False
    _, answer = client.post("server.time")
    assert isinstance(answer["time"]["start"], int)
    assert answer["time"]["processing"] == 0
    assert "operating" not in answer["time"]


@pytest.mark.parametrize("path", ["rest/1/wrong/crm.lead.list", "rest/2/sandbox-secret-code/crm.lead.list"])
def test_a_wrong_webhook_is_refused(client: Client, http: urllib3.PoolManager, path: str) -> None:
    origin = client.url.split("/rest/", maxsplit=1)[0]
    answer = http.request("POST", f"{origin}/{path}")
    assert answer.status == 401
    assert answer.json() == {"error": "INVALID_CREDENTIALS", "error_description": "Invalid request credentials"}


def test_tokens_of_applications_are_refused(client: Client, http: urllib3.PoolManager) -> None:
    origin = client.url.split("/rest/", maxsplit=1)[0]
    answer = http.request("POST", f"{origin}/rest/crm.lead.list?auth=token")
    assert (answer.status, answer.json()["error"]) == (401, "NO_AUTH_FOUND")


def test_unknown_methods_scopes_and_expiry(client: Client, portal: Portal) -> None:
    assert client.post("crm.lead.frobnicate") == (
        404, {"error": "ERROR_METHOD_NOT_FOUND", "error_description": "Method not found!"},
    )  # fmt: skip
    portal.quirks.scopes = ("user",)
    status, answer = client.post("crm.lead.list")
    assert (status, answer["error"]) == (403, "insufficient_scope")
    assert client.result("scope") == ["user"]
    assert client.post("user.get")[0] == 200
    portal.quirks.insufficient_scope_status = 401
    assert client.post("crm.item.list", {"entityTypeId": 1})[0] == 401
    portal.quirks.webhook_expired = True
    assert client.post("user.get")[1]["error"] == "INVALID_CREDENTIALS"


def test_plain_http_can_be_refused(client: Client, portal: Portal) -> None:
    portal.quirks.https_required = True
    assert client.post("server.time") == (400, {"error": "INVALID_REQUEST", "error_description": "Https required"})


def test_lead_methods_can_be_gone(client: Client, portal: Portal) -> None:
    portal.quirks.lead_methods_removed = True
    assert client.post("crm.lead.list")[1]["error"] == "ERROR_METHOD_NOT_FOUND"
    answer = client.batch({"p0": "crm.lead.list", "p1": "crm.item.list?entityTypeId=1&start=-1"})
    assert answer["result_error"]["p0"]["error"] == "ERROR_METHOD_NOT_FOUND"
    assert len(answer["result"]["p1"]["items"]) == 50
    known = client.result("method.get", {"name": "crm.lead.list"})
    assert known == {"isExisting": False, "isAvailable": False}


def test_tls_is_trusted_by_the_certificate_it_names() -> None:
    portal = Portal(clock=Clock.frozen("2026-11-21T09:00:00+00:00"), timezone="Asia/Kolkata")
    with (
        serve(portal, tls=True) as sandbox,
        urllib3.PoolManager(ca_certs=str(sandbox.certificate), retries=False) as http,
    ):
        assert sandbox.url.startswith("https://127.0.0.1:")
        assert http.request("GET", sandbox.url + "server.time").json()["result"] == "2026-11-21T14:30:00+05:30"
        http.clear()


def test_requests_and_commands_are_counted(client: Client, portal: Portal) -> None:
    client.batch({"a": "server.time", "b": "crm.lead.list?start=-1"})
    client.result("crm.lead.fields")
    assert portal.http_requests == 2
    assert portal.commands == {"batch": 1, "server.time": 1, "crm.lead.list": 1, "crm.lead.fields": 1}
    assert portal.log[2] == ("crm.lead.list", {"start": "-1"})
    assert portal.busy_seconds > 0
