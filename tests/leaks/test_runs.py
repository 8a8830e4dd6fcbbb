"""The webhook's code and people's phones and e-mails stay inside: runs that succeed, runs that fail, of every kind."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from leadhouse import pipeline
from leadhouse.errors import LeadhouseError
from leadhouse.sandbox.bitrix24 import Portal
from leaks.conftest import CODE
from leaks.traces import Heard, contacts, of_error, of_files, of_warehouse
from scene import Scene

_NO_SUCH = f"https://no-such-portal.example.com/rest/1/{CODE}/"


@dataclass
class Watched:
    """What lay in the working directory during a run, and in the moment before its end."""

    during: list[str] = field(default_factory=list)
    at_end: str = ""

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join([*self.during, self.at_end])


@pytest.fixture
def watched(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Look at the working directory before every command of the portal, and before it is emptied."""
    seen = Watched()
    portal.before_command.append(lambda *_: seen.during.append(of_files(tmp_path / "dlt")))
    wipe = pipeline._wipe

    def look_and_wipe(folder: Path) -> None:
        seen.at_end += of_files(folder) if folder.exists() else ""
        wipe(folder)

    monkeypatch.setattr(pipeline, "_wipe", look_and_wipe)
    return seen


def _assert_silent(text: str, *secrets: str) -> None:
    for secret in secrets:
        place = text.find(secret)
        assert place < 0, f"{secret!r} in …{text[max(0, place - 200) : place + 100]}…"


def test_a_run_tells_nobody_the_code_nor_a_contact(
    scene: Scene, heard: Heard, watched: Watched, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    scene.sync()
    scene.later()
    scene.portal.live(create=10, edit=10, phone_add=5, phone_remove=5, seed=1)
    summary = scene.sync()
    out, err = capfd.readouterr()
    people = contacts(scene.portal.leads())
    assert len(people) > 100
    assert "trace" in watched.at_end, "the working directory was looked at while it had files"
    _assert_silent(heard.text + out + err + str(summary) + str(summary.to_dict()), CODE, *people)
    _assert_silent(watched.text, CODE)
    _assert_silent(of_files(tmp_path / "dlt"), CODE, *people)
    _assert_silent(of_warehouse(scene.to), CODE)
    scene.check()


def _error(code: str, status: int) -> Callable[[Scene, pytest.MonkeyPatch], None]:
    return lambda scene, _: _add(scene, "error", match="batch", code=code, status=status, description=f"see {CODE}")


def _fault(kind: str, **details: Any) -> Callable[[Scene, pytest.MonkeyPatch], None]:
    return lambda scene, _: _add(scene, kind, match="batch", **details)


def _add(scene: Scene, kind: str, **details: Any) -> None:
    scene.portal.faults.add(kind, None, **details)


def _closed_port(scene: Scene, _: pytest.MonkeyPatch) -> None:
    scene.url = f"http://127.0.0.1:9/rest/1/{CODE}/"


def _no_name(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.url = _NO_SUCH

    def unknown(host: str, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, f"Name or service not known: {host}")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)


def _plain_http(scene: Scene, _: pytest.MonkeyPatch) -> None:
    scene.url = _NO_SUCH.replace("https", "http")


def _not_a_webhook(scene: Scene, _: pytest.MonkeyPatch) -> None:
    scene.url = f"https://portal.example.com/{CODE}"


_FAILURES: dict[str, Callable[[Scene, pytest.MonkeyPatch], None]] = {
    "401": _error("INVALID_CREDENTIALS", 401),
    "403": _error("insufficient_scope", 403),
    "unknown code": _error("NOBODY_KNOWS_IT", 400),
    "503 for ever": _fault("rate_limited"),
    "500 for ever": _fault("error_500"),
    "a page in HTML": _fault("html_200"),
    "nothing": _fault("empty_body"),
    "half an answer": _fault("truncated_json"),
    "reset": _fault("reset"),
    "redirect to plain http": _fault("redirect", to="http://crm.example.com"),
    "redirect to itself": _fault("redirect", to="/login"),
    "refused connection": _closed_port,
    "unknown name": _no_name,
    "plain http": _plain_http,
    "not a webhook": _not_a_webhook,
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("failure", sorted(_FAILURES))
def test_a_failure_tells_nobody_the_code_nor_a_contact(
    file_scene: Scene,
    heard: Heard,
    watched: Watched,
    *,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    failure: str,
    tmp_path: Path,
) -> None:
    scene = file_scene.synced().later()
    scene.portal.live(create=10, edit=10, seed=1)
    _FAILURES[failure](scene, monkeypatch)
    with pytest.raises(LeadhouseError) as failed:
        scene.sync()
    out, err = capfd.readouterr()
    people = contacts(scene.portal.leads())
    _assert_silent(heard.text + out + err + of_error(failed.value), CODE, *people)
    _assert_silent(watched.text, CODE)
    _assert_silent(of_files(tmp_path / "dlt"), CODE, *people)
    _assert_silent(of_warehouse(scene.to), CODE)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("pages", [1, 2])
def test_a_failure_between_two_pages_leaves_no_contact_behind(
    file_scene: Scene, heard: Heard, tmp_path: Path, pages: int, capfd: pytest.CaptureFixture[str]
) -> None:
    scene = file_scene
    scene.portal.faults.add("repeated_page", None, match="crm.lead.list", after=pages)
    with pytest.raises(LeadhouseError) as failed:
        scene.sync()
    out, err = capfd.readouterr()
    people = contacts(scene.portal.leads())
    _assert_silent(heard.text + out + err + of_error(failed.value) + of_files(tmp_path / "dlt"), CODE, *people)


# What a database says about a row that it refuses repeats the row.
_REFUSALS = {
    "a check": "ALTER TABLE bitrix24.lead_{0} ADD CONSTRAINT short CHECK (length(value) < 3) NOT VALID",
    "another type": "ALTER TABLE bitrix24.lead_{0} ALTER COLUMN value TYPE bigint USING 1",
}


@pytest.mark.parametrize("table", ["phones", "emails"])
@pytest.mark.parametrize("refusal", sorted(_REFUSALS))
def test_a_database_that_refuses_a_row_is_not_quoted(
    scene: Scene, heard: Heard, capfd: pytest.CaptureFixture[str], tmp_path: Path, *, refusal: str, table: str
) -> None:
    scene.synced()
    scene.drop_views()
    in_duckdb = scene.to.startswith("duckdb:")
    change = _REFUSALS[refusal].format(table)
    if in_duckdb and refusal == "a check":
        change = f"CREATE UNIQUE INDEX once ON bitrix24.lead_{table} (lead_id)"  # DuckDB adds no checks
    elif in_duckdb:
        change = f"ALTER TABLE bitrix24.lead_{table} ALTER COLUMN value TYPE bigint USING 1"
    scene.change(f"DELETE FROM bitrix24.lead_{table}")  # noqa: S608 - a table of the contract
    scene.change(change)
    scene.later()
    for lead in scene.portal.leads()[:40]:
        entries = [{"VALUE": f"8 (000) 555-{lead['ID'].zfill(4)}"}, {"VALUE": f"anna.{lead['ID']}@example.org"}]
        scene.portal.update_lead(int(lead["ID"]), {"PHONE": entries[:1], "EMAIL": entries[1:]})
    with pytest.raises(LeadhouseError) as failed:
        scene.sync()
    out, err = capfd.readouterr()
    told = of_warehouse(scene.to)
    runs = "\n".join(line for line in told.splitlines() if '"sync_runs"' in line.partition(" ")[0])
    people = contacts(scene.portal.leads())
    _assert_silent(heard.text + out + err + of_error(failed.value) + runs, CODE, *people)
    _assert_silent(of_files(tmp_path / "dlt"), CODE, *people)
