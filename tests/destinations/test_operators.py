"""What operators ask of a destination that leadhouse does not connect to by itself: a lake."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from any_scene import AnyScene
from destinations.conftest import described
from leadhouse.errors import TransientError
from leadhouse.outage import Outages
from leadhouse.warehouse import Target


@pytest.fixture
def synced(lake_scene: AnyScene, monkeypatch: pytest.MonkeyPatch) -> AnyScene:
    """A lake that a run has filled, configured in the environment."""
    for name, value in {**lake_scene.environment(), "LEADHOUSE__TO": lake_scene.to}.items():
        monkeypatch.setenv(name, value)
    lake_scene.sync()
    return lake_scene


def _failed(synced: AnyScene, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configure another portal, whose only run failed."""
    nowhere = "http://127.0.0.1:9/rest/1/invented-code/"
    monkeypatch.setenv(f"SOURCES__BITRIX24__{name}__WEBHOOK_URL".upper(), nowhere)
    monkeypatch.setattr("leadhouse.pace.Pause.for_retry", lambda *_: None)
    with pytest.raises(TransientError):
        synced.sync(dataset=name, webhook_url=nowhere)


def _ran(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "leadhouse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _json(*arguments: str, status: int = 0) -> dict[str, object]:
    done = _ran(*arguments, "--json")
    assert done.returncode == status, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def test_status_shows_the_lakes_dataset_with_and_without_a_source(synced: AnyScene) -> None:
    told = _json("status")
    assert (told["destination"], told["dataset"]) == ("lake", "bitrix24")
    assert told["rows"] == _json("status", synced.source)["rows"]
    everything = _json("status", "--all", "--max-age", "1h")["datasets"]
    assert isinstance(everything, list)
    assert [(one["dataset"], one["rows"]) for one in everything] == [("bitrix24", told["rows"])]


def test_all_shows_every_configured_portals_dataset_of_a_lake(
    synced: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failed(synced, "globex", monkeypatch)

    shown = _json("status", "--all", "--max-age", "1h", status=1)["datasets"]
    assert isinstance(shown, list)
    assert [(one["dataset"], one["runs"][0]["outcome"]) for one in shown] == [
        ("globex", "failed"),
        ("bitrix24", "done"),
    ]

    monkeypatch.setenv("SOURCES__BITRIX24__ACME__WEBHOOK_URL", "http://127.0.0.1:9/rest/1/invented-code/")
    shown = _json("status", "--all", status=2)["datasets"]
    assert isinstance(shown, list)
    assert {one["dataset"]: one.get("problem") for one in shown} == {
        "acme": "lake has no dataset acme of leadhouse; run `leadhouse sync` first",
        "bitrix24": None,
        "globex": None,
    }


def test_all_is_refused_where_no_portal_tells_a_lakes_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    described("delta", tmp_path, monkeypatch)
    done = _ran("status", "--all", "--to", "lake")

    assert (done.returncode, done.stdout) == (2, "")
    assert "which datasets lake holds is known from the configured portals, and none is configured; " in done.stderr


def test_the_doctor_reads_what_a_lake_remembers(synced: AnyScene) -> None:
    checks = _json("doctor", synced.source, status=2)["checks"]  # the sandbox's clock stands still
    assert isinstance(checks, list)
    (state,) = [one for one in checks if one["check"] == "state"]
    assert [one["check"] for one in checks if one["outcome"] == "operator"] == ["clock"]
    assert state["outcome"] == "ok"
    assert "the cursor is " in state["text"]


def test_an_outage_of_a_lake_is_known_from_the_working_directory_alone(synced: AnyScene) -> None:
    assert Outages(Target.parse(synced.to), synced.dataset, "sync").before(datetime.now(UTC)) is None
