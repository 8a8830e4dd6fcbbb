"""The control surface, and a sandbox in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from leadhouse.sandbox.bitrix24 import Portal, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parents[2] / "pipelines"
PROGRAM = "from leadhouse.sandbox.bitrix24 import run; run(leads=120, seed=4, tls={tls})"


@pytest.fixture
def control(portal: Portal, http: urllib3.PoolManager) -> Iterator[str]:
    with serve(portal) as sandbox:
        yield sandbox.control
        http.clear()


def test_life_clock_quirks_and_faults(control: str, portal: Portal, http: urllib3.PoolManager) -> None:
    def post(action: str, wanted: Any) -> Any:
        answer = http.request("POST", control + action, json=wanted)
        assert answer.status == 200, answer.data
        return answer.json()

    assert post("clock", {"advance": 3600})["time"] == "2026-11-21T13:00:00+03:00"
    changes = post(
        "life", {"create": 2, "edit": 1, "delete": 1, "phone_add": 1, "phone_remove": 1, "stage": 1, "seed": 2}
    )
    assert len(portal) == 181
    assert portal.lead(changes["created"][0])["DATE_MODIFY"] == "2026-11-21T13:00:00+03:00"
    assert post("clock", {"set": "2027-01-01T00:00:00Z"})["time"] == "2027-01-01T03:00:00+03:00"
    assert post("quirks", {"total_cap": 10, "scopes": ["crm"]})["total_cap"] == 10
    assert portal.quirks.scopes == ("crm",)
    post("faults", {"kind": "error_500", "times": 2})
    url = control.replace("/sandbox/", "/rest/1/")
    assert http.request("GET", url + "server.time").status == 500
    assert post("faults", {"clear": True}) == {"fired": 0}
    assert http.request("GET", url + "server.time").status == 200
    stats = http.request("GET", control + "stats").json()
    assert (stats["http_requests"], stats["commands"], stats["leads"]) == (2, {"server.time": 1}, 181)
    truth = http.request("GET", control + "truth").json()
    assert truth["leads"] == portal.leads()
    assert truth["stage_history"] == portal.stage_history()


def test_the_control_surface_is_guarded_and_strict(control: str, http: urllib3.PoolManager) -> None:
    assert http.request("GET", control.replace("secret", "guess") + "stats").status == 404
    assert http.request("GET", control + "nothing").status == 404
    assert http.request("GET", control + "life").status == 405
    for action, wanted in (("life", {"explode": 1}), ("quirks", {"no_such": 1}), ("faults", {"kind": "x"})):
        answer = http.request("POST", control + action, json=wanted)
        assert answer.status == 400
        assert answer.json()["error"]
    assert http.request("POST", control + "clock", body=b"{").status == 400


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("tls", [False, True])
def test_run_prints_its_url_and_ends_on_a_signal(number: signal.Signals, tls: bool) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM.format(tls=tls)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": str(SOURCES)}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        assert url.startswith("https://127.0.0.1:" if tls else "http://127.0.0.1:")
        assert url.endswith("/rest/1/sandbox-secret-code/")
        certificate = process.stdout.readline().strip() if tls else None
        with urllib3.PoolManager(ca_certs=certificate) as http:
            assert http.request("GET", url + "crm.lead.list").json()["total"] == 120
            http.clear()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
