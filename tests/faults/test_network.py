"""A portal that cannot be reached: no name, nobody there, silence, TLS that fails. An error, and then complete data."""

import socket
from functools import partial
from typing import Any

import pytest

from leadhouse.errors import ConfigurationError, LeadhouseError, PortalUnreachableError
from leadhouse.sandbox.bitrix24 import serve
from leadhouse.transport import Transport
from scene import Scene, in_small_packages

_NAMELESS = "crm.example.invalid"


def _without_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server of names knows the portal, and none is asked."""
    known = socket.getaddrinfo

    def look_up(host: Any, *args: Any, **named: Any) -> Any:
        if host == _NAMELESS:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return known(host, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence counts as the end after a third of a second."""
    monkeypatch.setattr("leadhouse.bitrix24.client.Transport", partial(Transport, read_s=0.3))


def _fails(scene: Scene, words: str, **options: Any) -> LeadhouseError:
    """A run ends with an error that says the words and no secret, and moves no cursor."""
    cursor = scene.state()["cursor"]
    with pytest.raises(LeadhouseError, match=words) as failed:
        scene.sync(**options)
    assert scene.portal.code not in str(failed.value)
    assert scene.state()["cursor"] == cursor
    return failed.value


@pytest.mark.usefixtures("waits")
def test_a_portal_that_cannot_be_reached_ends_the_run_and_the_next_one_completes_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.synced().later()
    scene.portal.live(create=3, edit=5, phone_remove=2, seed=5)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = taken.getsockname()[1]
    secret = f"/rest/1/{scene.portal.code}/"
    with monkeypatch.context() as patch:
        _without_name(patch)
        nameless = _fails(scene, "the name does not resolve", webhook_url=f"https://{_NAMELESS}{secret}")
    refused = _fails(scene, "connection refused", webhook_url=f"http://127.0.0.1:{free}{secret}")
    no_tls = _fails(scene, "the TLS handshake failed", webhook_url=scene.url.replace("http://", "https://"))
    assert {type(problem) for problem in (nameless, refused, no_tls)} == {PortalUnreachableError}
    assert {problem.exit_code for problem in (nameless, refused, no_tls)} == {1}
    scene.sync()
    scene.check()


@pytest.mark.usefixtures("waits")
def test_a_stall_past_the_time_out_is_tried_again_and_one_without_end_ends_the_run(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    _impatient(monkeypatch)
    in_small_packages(monkeypatch, leads=50, pages=1)
    once = [scene.portal.faults.add("stall", after=after) for after in (0, 3)]
    assert scene.sync().retries >= 2
    assert [fault.fired for fault in once] == [1, 1]
    scene.portal.faults.clear()
    scene.later().portal.live(create=60, edit=5, seed=5)
    scene.portal.faults.add("stall", times=None, after=2)
    with pytest.raises(PortalUnreachableError, match="the answer timed out"):
        scene.sync()
    scene.portal.faults.clear()
    scene.sync()
    scene.check()


def test_a_certificate_that_nobody_vouches_for_is_for_a_person_and_trusted_when_told(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(scene.portal, tls=True) as secured:
        scene.url = secured.url
        with pytest.raises(ConfigurationError, match=r"certificate cannot be verified; .* SSL_CERT_FILE") as failed:
            scene.sync()
        assert (failed.value.exit_code, scene.portal.http_requests) == (2, 0)
        assert scene.portal.code not in str(failed.value)
        monkeypatch.setenv("SSL_CERT_FILE", str(secured.certificate))
        scene.sync()
        scene.check()
