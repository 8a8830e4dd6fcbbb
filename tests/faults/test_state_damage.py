"""What is remembered, damaged: one line with the cure, exit 2, nothing read; after the cure all is complete."""

import base64
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pytest

import oracle
from leadhouse import state
from leadhouse.errors import LeadhouseError, StateError
from leadhouse.sandbox.bitrix24 import Portal
from scene import Scene, lose_disk

State = dict[str, Any]
_NEWEST = 'SELECT state FROM "bitrix24"."_dlt_pipeline_state" ORDER BY version DESC LIMIT 1'


def _read(scene: Scene) -> State:
    told: State = json.loads(zlib.decompress(base64.b64decode(scene.one(_NEWEST))))
    return told


def _write(scene: Scene, text: str) -> None:
    scene.change(f"""UPDATE "bitrix24"."_dlt_pipeline_state" SET state = '{text}'""")  # noqa: S608 - a test's own


def _packed(told: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(told).encode())).decode()


def _slot(told: State) -> State:
    slot: State = told["sources"]["bitrix24"]["leadhouse"]
    return slot


def _damage(change: Callable[[State], Any]) -> Callable[[State], str]:
    def damaged(told: State) -> str:
        change(told)
        return _packed(told)

    return damaged


_RESET = "damaged.*run `leadhouse state reset`"
# What stands in the state instead, and what is said.
_DAMAGES: dict[str, tuple[Callable[[State], str], str]] = {
    "no base64": (lambda _: "!!!", _RESET),
    "cut off": (lambda told: _packed(told)[:-24], _RESET),
    "nothing": (lambda _: "", _RESET),
    "no object": (lambda _: _packed([1]), _RESET),
    "of a newer dlt": (_damage(lambda told: told.update(_state_engine_version=99)), "newer dlt; upgrade"),
    "no engine version": (_damage(lambda told: told.pop("_state_engine_version")), _RESET),
    "a list of sources": (_damage(lambda told: told.update(sources=[1])), _RESET),
    "a slot of text": (_damage(lambda told: told["sources"]["bitrix24"].update(leadhouse="x")), _RESET),
    "a cursor of text": (_damage(lambda told: _slot(told).update(cursor="x")), _RESET),
    "dictionaries of text": (_damage(lambda told: _slot(told).update(dictionaries="x")), _RESET),
    "of a newer leadhouse": (_damage(lambda told: _slot(told)["cursor"].update(version=99)), "99.*upgrade leadhouse"),
    "in the year 2999": (
        _damage(lambda told: _slot(told)["cursor"].update(cursor="2999-01-01T00:00:00Z")),
        "2999.* lies in the portal's future .*run `leadhouse state rewind",
    ),
}


def test_a_damaged_state_is_said_with_the_cure_and_nothing_is_written(scene: Scene) -> None:
    """One warehouse, damaged again and again."""
    scene.synced().later()
    scene.portal.live(create=3, edit=3, phone_remove=1, seed=4)
    sound = _read(scene)
    held = oracle.actual(scene.to)["leads"]
    for name, (damaged, words) in _DAMAGES.items():
        _write(scene, damaged(json.loads(json.dumps(sound))))
        with pytest.raises(StateError, match=words) as refused:
            scene.sync()
        assert refused.value.exit_code == 2, name
        assert oracle.actual(scene.to)["leads"] == held, name
    _write(scene, _packed(sound))
    scene.sync()
    scene.check()


@pytest.mark.parametrize("name", ["cut off", "a list of sources", "of a newer leadhouse"])
def test_reset_heals_a_state_that_nothing_else_can_read(scene: Scene, name: str) -> None:
    scene.synced().later()
    scene.portal.live(create=3, edit=3, phone_remove=1, seed=4)
    damaged, _ = _DAMAGES[name]
    _write(scene, damaged(_read(scene)))
    state.reset(scene.warehouse(), "bitrix24", lock_timeout=5.0)
    assert scene.sync().leads_read == len(scene.portal)
    scene.check()
    assert scene.state()["cursor"] is not None


def test_reset_heals_an_unreadable_state_in_postgres(scene: Scene, postgres_url: str) -> None:
    scene.to = postgres_url
    scene.synced().later()
    scene.portal.live(create=3, edit=3, seed=4)
    _write(scene, "!!!")
    state.reset(scene.warehouse(), "bitrix24", lock_timeout=5.0)
    scene.sync()
    scene.check()


def _delete_at(step: str, folder: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Delete the working directory once, before a step of dlt or before the portal answers a method."""
    deleted: list[str] = []

    def delete() -> None:
        if not deleted:
            deleted.append(step)
            shutil.rmtree(folder)

    def hook(method: str, _: object, __: Portal) -> None:
        if method == step:
            delete()

    scene.portal.before_command.append(hook)
    if hasattr(dlt.Pipeline, step):
        original = getattr(dlt.Pipeline, step)

        def deleting(*args: Any, **named: Any) -> Any:
            delete()
            return original(*args, **named)

        monkeypatch.setattr(dlt.Pipeline, step, deleting)
    return deleted


def test_a_working_directory_that_is_deleted_in_mid_run_ends_it_and_the_next_one_completes_it(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.synced()
    for seed, step in enumerate(("crm.lead.fields", "crm.stagehistory.list", "normalize", "load")):
        scene.later()
        scene.portal.live(create=3, edit=3, phone_remove=1, seed=seed)
        with monkeypatch.context() as patch:
            deleted = _delete_at(step, tmp_path / "dlt", scene, patch)
            with pytest.raises(LeadhouseError) as failed:
                scene.sync()
        assert deleted == [step]
        assert failed.value.exit_code == 1
        assert "Traceback" not in str(failed.value)
        scene.portal.before_command.clear()
    scene.sync()
    scene.check()


def test_a_pipeline_goes_on_from_the_warehouse_on_another_machine(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.synced()
    lose_disk(tmp_path / "dlt")
    for machine in ("second", "third"):
        monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / machine))
        scene.later()
        scene.portal.live(create=2, edit=3, phone_remove=1, seed=len(machine))
        assert 0 < scene.sync().leads_read < 40
    scene.check()
