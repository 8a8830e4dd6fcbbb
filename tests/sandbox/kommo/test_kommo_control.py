"""The control surface, and a sandbox in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from leadhouse.sandbox.kommo import Account, Limits, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parents[3] / "pipelines"
PROGRAM = "from leadhouse.sandbox.kommo import run; run(leads=120, seed=4, tls={tls}, frozen_at='2026-11-21T12:00:00Z')"


@pytest.fixture
def control(account: Account, http: urllib3.PoolManager) -> Iterator[str]:
    with serve(account) as sandbox:
        yield sandbox.control
        http.clear()


def test_life_clock_switches_faults_and_tokens(control: str, account: Account, http: urllib3.PoolManager) -> None:
    def post(action: str, wanted: Any) -> Any:
        answer = http.request("POST", control + action, json=wanted)
        assert answer.status == 200, answer.data
        return answer.json()

    def ask() -> int:
        headers = {"Authorization": f"Bearer {account.token}"}
        return http.request("GET", f"{account.origin}/api/v4/leads", headers=headers).status

    assert post("clock", {"advance": 3600})["time"] == "2026-11-21T13:00:00+00:00"
    wanted = {"create": 2, "edit": 1, "delete": 1, "phone_add": 1, "phone_remove": 1, "stage": 1, "seed": 2}
    changes = post("life", wanted)
    assert len(account) == 181
    assert account.lead(changes["created"][0])["updated_at"] == post("clock", {})["timestamp"]
    assert len(changes["contacts"]) == 2
    assert post("switches", {"bounds": "exclusive"})["bounds"] == "exclusive"
    assert account.switches.bounds == "exclusive"
    post("faults", {"kind": "error_500", "times": 2, "match": "/api/v4/leads"})
    assert [ask(), ask()] == [500, 500]
    assert post("faults", {"clear": True}) == {"fired": 0}
    assert ask() == 200
    sent = {**post("oauth", {"authorise": True}), "grant_type": "refresh_token"}
    assert http.request("POST", f"{account.origin}/oauth2/access_token", json=sent).status == 200
    assert post("oauth", {"revoke": True, "expire": True}) == {"renewals": 1}
    stats = http.request("GET", control + "stats").json()
    assert (stats["http_requests"], stats["requests"], stats["leads"]) == (3, {"/api/v4/leads": 1}, 181)
    assert stats["blocked"] is False
    truth = http.request("GET", control + "truth").json()
    for name in ("leads", "deleted", "contacts", "companies", "pipelines", "users", "loss_reasons", "events"):
        assert truth[name] == getattr(account, name)()
    assert truth["custom_fields"]["contacts"] == account.custom_fields("contacts")


def test_a_block_is_lifted_by_support(control: str, account: Account, http: urllib3.PoolManager) -> None:
    account.limits = Limits(requests_per_second=0, block_after=1)
    assert http.request("GET", f"{account.origin}/api/v4/account").status == 429
    assert http.request("GET", f"{account.origin}/api/v4/account").status == 403
    assert http.request("GET", control + "stats").json()["blocked"] is True
    account.limits = None
    assert http.request("POST", control + "unblock").json() == {"blocked": False}
    assert http.request("GET", f"{account.origin}/api/v4/account").status == 401


def test_the_control_surface_is_guarded_and_strict(control: str, http: urllib3.PoolManager) -> None:
    assert http.request("GET", control.replace("long", "short") + "stats").status == 404
    assert http.request("GET", control + "nothing").status == 404
    assert http.request("GET", control + "life").status == 405
    for action, wanted in (("life", {"explode": 1}), ("switches", {"no_such": 1}), ("faults", {"kind": "x"})):
        answer = http.request("POST", control + action, json=wanted)
        assert answer.status == 400
        assert answer.json()["error"]


@pytest.mark.parametrize(("number", "tls"), [(signal.SIGTERM, True), (signal.SIGINT, False)])
def test_run_prints_url_and_token_and_ends_on_a_signal(number: signal.Signals, tls: bool) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(tls=tls)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": str(SOURCES)}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url, token = process.stdout.readline().strip(), process.stdout.readline().strip()
        assert url.startswith("https://127.0.0.1:" if tls else "http://127.0.0.1:")
        assert token == "sandbox-long-lived-token"
        certificate = process.stdout.readline().strip() if tls else None
        with urllib3.PoolManager(ca_certs=certificate, headers={"Authorization": f"Bearer {token}"}) as http:
            leads = f"{url}/api/v4/leads?limit=250"
            assert len(http.request("GET", leads).json()["_embedded"]["leads"]) == 120
            assert http.request("GET", leads).headers["Date"] == "Sat, 21 Nov 2026 12:00:00 GMT"
            http.clear()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
