"""What operators ask of a destination that leadhouse does not connect to by itself: a lake."""

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from any_scene import AnyScene
from leadhouse.outage import Outages
from leadhouse.warehouse import Target


@pytest.fixture
def synced(lake_scene: AnyScene, monkeypatch: pytest.MonkeyPatch) -> AnyScene:
    """A lake that a run has filled, configured in the environment."""
    for name, value in {**lake_scene.environment(), "LEADHOUSE__TO": lake_scene.to}.items():
        monkeypatch.setenv(name, value)
    lake_scene.sync()
    return lake_scene


def _json(*arguments: str, status: int = 0) -> dict[str, object]:
    command = [sys.executable, "-m", "leadhouse", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
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


def test_the_doctor_reads_what_a_lake_remembers(synced: AnyScene) -> None:
    checks = _json("doctor", synced.source, status=2)["checks"]  # the sandbox's clock stands still
    assert isinstance(checks, list)
    (state,) = [one for one in checks if one["check"] == "state"]
    assert [one["check"] for one in checks if one["outcome"] == "operator"] == ["clock"]
    assert state["outcome"] == "ok"
    assert "the cursor is " in state["text"]


def test_an_outage_of_a_lake_is_known_from_the_working_directory_alone(synced: AnyScene) -> None:
    assert Outages(Target.parse(synced.to), synced.dataset, "sync").before(datetime.now(UTC)) is None
