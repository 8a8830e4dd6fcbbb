"""Syncs with an application's access: tokens that begin, end, get lost, and are renewed by several at once."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest

import leadhouse
import oracle
from crash.processes import environment
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.settings import Application
from leadhouse.errors import CredentialsError, PortalBlockedError, PortalFaultError
from leadhouse.pace import Pause
from leadhouse.sandbox.bitrix24 import Portal, Sandbox, serve
from leadhouse.transport import Transport
from scene import Crash, Scene, crash_at, in_small_packages, small_portal

CALLS_WHEN_TOLD = """
import sys
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.settings import Application
client = Bitrix24Client(Application(*sys.argv[1:]))
print("ready", flush=True)
sys.stdin.readline()
client.call("server.time")
client.call("server.time")
"""


class Applied(Scene):
    """A scene whose syncs come in by an application's access."""

    access: dict[str, Any]

    def sync(self, **options: Any) -> Any:
        """Sync at once, unpaced."""
        return super().sync(webhook_url=None, **self.access, **options)

    def authorise(self, served: Sandbox) -> None:
        """Let a person authorise the application."""
        self.access = {**self.portal.oauth.authorise(), "oauth_server": served.oauth_server}


@pytest.fixture
def served() -> Iterator[tuple[Portal, Sandbox]]:
    portal = small_portal(leads=260, seed=11)
    with serve(portal) as sandbox:
        yield portal, sandbox


@pytest.fixture
def scene(served: tuple[Portal, Sandbox], tmp_path: Path) -> Applied:
    portal, sandbox = served
    scene = Applied(portal, sandbox.url, f"duckdb:{tmp_path / 'leads.duckdb'}")
    scene.authorise(sandbox)
    return scene


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are repeated at once."""
    monkeypatch.setattr(Pause, "for_retry", lambda *_: None)


def test_a_refresh_token_alone_brings_the_leads_and_the_next_runs_need_none(scene: Applied) -> None:
    summary = scene.sync()
    assert (summary.outcome, summary.leads_read) == ("done", 260)
    assert summary.portal.startswith("127.0.0.1:")
    scene.check().later(0.5).portal.live(create=5, edit=5, seed=2)
    scene.sync()
    scene.check()
    assert scene.portal.oauth.renewals == 1


def test_an_hour_between_runs_costs_one_renewal(scene: Applied) -> None:
    for hour in (1, 2):
        scene.later().portal.live(create=3, edit=5, seed=hour)
        scene.sync()
        scene.check()
        assert scene.portal.oauth.renewals == hour


def test_tokens_that_end_after_every_request_leave_the_data_complete(
    scene: Applied, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_small_packages(monkeypatch)
    scene.portal.before_command.append(lambda method, _, portal: portal.oauth.expire() if method == "batch" else None)
    summary = scene.sync()
    scene.check()
    assert summary.packages > 1
    assert scene.portal.oauth.renewals > summary.packages
    assert summary.retries >= scene.portal.oauth.renewals - 1


def test_processes_that_are_refused_together_renew_once(served: tuple[Portal, Sandbox]) -> None:
    portal, sandbox = served
    told = [*portal.oauth.authorise().values(), sandbox.oauth_server]
    Bitrix24Client(Application(*told)).call("server.time")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CALLS_WHEN_TOLD, *told],
            env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    portal.oauth.expire()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ended
    assert portal.oauth.renewals == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["rate_limited", "error_500", "html_502"])
def test_an_oauth_server_in_trouble_is_asked_again(scene: Applied, fault: str) -> None:
    scene.portal.faults.add(fault, times=3, match="oauth.token")
    scene.sync()
    scene.check()
    assert scene.portal.oauth.renewals == 1


@pytest.mark.usefixtures("impatient")
def test_an_oauth_server_that_stays_in_trouble_fails_the_run_and_the_next_one_heals_it(scene: Applied) -> None:
    scene.sync()
    scene.later().portal.live(create=5, edit=5, seed=2)
    scene.portal.faults.add("error_500", None, match="oauth.token")
    with pytest.raises(PortalFaultError):
        scene.sync()
    scene.portal.faults.clear()
    scene.sync()
    scene.check()


def _answer_lost(scene: Applied, _: pytest.MonkeyPatch) -> None:
    scene.portal.faults.add("reset", match="oauth.token", keep=0.0)


def _killed(scene: Applied, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        crash_at(dying, Transport, "post_form", 1, after=True)
        with pytest.raises(Crash):
            scene.sync()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("loss", [_answer_lost, _killed])
def test_a_pair_lost_on_the_way_is_said_with_its_cure_which_heals(
    scene: Applied,
    served: tuple[Portal, Sandbox],
    monkeypatch: pytest.MonkeyPatch,
    loss: Callable[[Applied, pytest.MonkeyPatch], None],
) -> None:
    scene.sync()
    scene.later().portal.live(create=5, edit=5, seed=2)
    loss(scene, monkeypatch)
    with pytest.raises(CredentialsError, match=r"answer was lost .* set its new refresh_token"):
        scene.sync()
    scene.authorise(served[1])
    scene.sync()
    scene.check()


def test_a_run_that_dies_before_it_asked_has_lost_nothing(scene: Applied, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        crash_at(dying, Transport, "post_form", 1)
        with pytest.raises(Crash):
            scene.sync()
    scene.sync()
    scene.check()


def test_an_unpaid_portal_is_said(scene: Applied) -> None:
    scene.portal.oauth.unpaid = True
    with pytest.raises(PortalBlockedError):
        scene.sync()
    scene.portal.oauth.unpaid = False
    scene.sync()
    scene.check()


def test_a_renamed_portal_is_followed_and_remembered(scene: Applied) -> None:
    scene.sync()
    new = small_portal(leads=260, seed=11)
    new.oauth = scene.portal.oauth
    with serve(new) as served:
        scene.portal.oauth.client_endpoint = served.url.partition("/rest/")[0] + "/rest/"
        scene.portal.oauth.expire()
        scene.later()
        new.clock.advance(3600)
        new.live(create=5, edit=5, seed=2)
        asked = scene.portal.http_requests
        assert scene.sync().portal == served.url.split("/")[2]
        scene.sync()
        assert scene.portal.http_requests == asked + 1
        oracle.assert_equal(new, scene.to)


def test_the_command_takes_the_application_from_the_environment(served: tuple[Portal, Sandbox], tmp_path: Path) -> None:
    portal, sandbox = served
    told = portal.oauth.authorise() | {"oauth_server": sandbox.oauth_server}

    def run() -> "subprocess.CompletedProcess[str]":
        settings = {f"SOURCES__BITRIX24__{name.upper()}": value for name, value in told.items()}
        return subprocess.run(
            [sys.executable, "-m", "leadhouse", "sync", "bitrix24", "--to", "duckdb:leads.duckdb", "--verbose"],
            env=environment(**settings), cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    first = run()
    assert first.returncode == 0, first.stderr
    oracle.assert_equal(portal, f"duckdb:{tmp_path / 'leads.duckdb'}")
    portal.oauth.expire()
    portal.oauth.revoke()
    second = run()
    assert second.returncode == 2
    said = [line for line in second.stderr.splitlines() if line.startswith("leadhouse: ")]
    assert len(said) == 1
    assert said[0].endswith("authorise the application in the portal again and set its new refresh_token")
    for secret in (told["client_secret"], *portal.oauth.issued):
        assert secret not in first.stdout + first.stderr + second.stdout + second.stderr


def test_the_source_in_a_pipeline_of_ones_own_takes_an_application(
    served: tuple[Portal, Sandbox], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal, sandbox = served
    monkeypatch.setenv("SOURCES__BITRIX24__OAUTH_SERVER", sandbox.oauth_server)
    for name, value in portal.oauth.authorise().items():
        monkeypatch.setenv(f"SOURCES__BITRIX24__{name.upper()}", value)
    to = tmp_path / "own.duckdb"
    pipeline = dlt.pipeline("own", destination=dlt.destinations.duckdb(str(to)), dataset_name="bitrix24")
    pipeline.run(leadhouse.bitrix24(requests_per_second=1000))
    assert oracle.query(f"duckdb:{to}", "SELECT count(*) AS leads FROM bitrix24.leads") == [{"leads": 260}]
