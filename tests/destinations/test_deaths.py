"""Runs into a lake that die at any step, within a merge of tables before all: the next one completes their work."""

import shutil
from pathlib import Path

import pytest

from any_scene import AnyScene
from crash.crasher import Crasher, die_and_heal, spread
from crash.crashing import DIED
from destinations.conftest import LAKES, described

pytestmark = pytest.mark.long


@pytest.mark.parametrize("kind", LAKES)
def test_a_first_load_into_a_lake_that_dies_at_any_step_is_completed_by_the_next_run(
    crasher: Crasher, kind: str, served_scene: AnyScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = served_scene
    status, steps = crasher.sync(scene, described(kind, tmp_path / "first", monkeypatch))
    assert status == 0, crasher.log.read_text()[-4000:]
    for number, die_at in enumerate(spread(steps)):
        to = described(kind, tmp_path / str(die_at), monkeypatch)
        die_and_heal(crasher, scene, to, die_at, lost=number % 3 == 2)


@pytest.mark.parametrize("kind", LAKES)
def test_an_update_of_a_lake_that_dies_at_any_step_is_completed_by_the_next_run(
    crasher: Crasher, kind: str, served_scene: AnyScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the portal has changes once more between the death and the next run."""
    scene = served_scene
    scene.to = described(kind, tmp_path, monkeypatch)
    assert crasher.sync(scene, scene.to)[0] == 0, crasher.log.read_text()[-4000:]
    _lived(scene, 1)
    status, steps = crasher.sync(scene, scene.to)
    assert status == 0, crasher.log.read_text()[-4000:]
    for die_at in spread(steps - 2):
        _lived(scene, die_at + 1)
        assert crasher.sync(scene, scene.to, die_at)[0] == DIED, f"step {die_at} of {steps}: the run went on"
        _lived(scene, die_at + 2)
        shutil.rmtree(crasher.data)
        assert crasher.sync(scene, scene.to)[0] == 0, crasher.log.read_text()[-4000:]
        scene.check()


def _lived(scene: AnyScene, seed: int) -> None:
    scene.later().life(create=5, edit=10, phone_add=5, phone_remove=5, stage=5, seed=seed)
