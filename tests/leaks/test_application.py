"""An application's secret and all its tokens stay in one file, whatever succeeds or fails."""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

import leadhouse
from leadhouse.errors import LeadhouseError
from leadhouse.sandbox.bitrix24 import Portal, Sandbox, serve
from leaks.traces import Heard, of_error, of_files, of_warehouse
from scene import Scene


@pytest.fixture
def served(portal: Portal) -> Iterator[Sandbox]:
    with serve(portal) as sandbox:
        yield sandbox


def _assert_silent(portal: Portal, text: str) -> None:
    assert portal.oauth.issued
    for secret in (portal.oauth.client_secret, *portal.oauth.issued):
        place = text.find(secret)
        assert place < 0, f"…{text[max(0, place - 300) : place + 100]}…"


def _add(kind: str, **details: Any) -> Callable[[Portal], object]:
    return lambda portal: portal.faults.add(kind, None, **details)


def _revoke(portal: Portal) -> None:
    portal.oauth.expire()
    portal.oauth.revoke()


def _expire_and_break(portal: Portal) -> None:
    portal.oauth.expire()
    portal.faults.add("truncated_json", None, match="oauth.token", keep=0.5)


_FAILURES: dict[str, Callable[[Portal], object]] = {
    "refused": _add("error", match="batch", code="NO_AUTH_FOUND", status=401),
    "expired for ever": _add("error", match="batch", code="expired_token", status=401),
    "revoked": _revoke,
    "half an answer of the OAuth server": _expire_and_break,
    "reset": _add("reset", match="batch"),
    "redirect to plain http": _add("redirect", match="batch", to="http://crm.example.com"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", sorted(_FAILURES))
def test_a_run_that_succeeds_and_one_that_fails_tell_no_token(
    portal: Portal, served: Sandbox, *, heard: Heard, tmp_path: Path, capfd: pytest.CaptureFixture[str], failure: str
) -> None:
    scene = Scene(portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")
    access: dict[str, Any] = {**portal.oauth.authorise(), "oauth_server": served.oauth_server, "webhook_url": None}
    told = str(scene.sync(**access).to_dict())
    scene.later(0.5)
    _FAILURES[failure](portal)
    with pytest.raises(LeadhouseError) as failed:
        scene.sync(**access)
    out, err = capfd.readouterr()
    files = "".join(of_files(folder) for folder in (tmp_path / "dlt").iterdir() if folder.name != "tokens")
    assert ".lock" in files
    _assert_silent(portal, told + heard.text + out + err + of_error(failed.value) + files + of_warehouse(scene.to))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("given", ["argument", "environment"])
@pytest.mark.parametrize("failure", [None, "expired for ever", "half an answer of the OAuth server"])
def test_dlt_keeps_no_token(
    portal: Portal,
    served: Sandbox,
    *,
    heard: Heard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    failure: str | None,
    given: str,
) -> None:
    access: dict[str, Any] = portal.oauth.authorise()
    for name, value in access.items():
        if given == "environment":
            monkeypatch.setenv(f"SOURCES__BITRIX24__{name.upper()}", value)
    if failure:
        _FAILURES[failure](portal)
    work = tmp_path / "own"
    pipeline = dlt.pipeline(
        "own", pipelines_dir=str(work), destination=dlt.destinations.duckdb(str(tmp_path / "own.duckdb"))
    )
    source = leadhouse.bitrix24(oauth_server=served.oauth_server, **(access if given == "argument" else {}))
    if failure:
        with pytest.raises(PipelineStepFailed) as failed:
            pipeline.run(source)
        shown = of_error(failed.value) + "".join(traceback.format_exception(failed.value))
    else:
        shown = str(pipeline.run(source)) + of_warehouse(f"duckdb:{tmp_path / 'own.duckdb'}")
    trace = pipeline.last_trace
    assert trace is not None
    out, err = capfd.readouterr()
    _assert_silent(
        portal,
        shown + trace.asstr(verbosity=2) + str(trace.asdict()) + heard.text + out + err + of_files(work),
    )
