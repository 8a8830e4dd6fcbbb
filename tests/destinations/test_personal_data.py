"""Personal data in destinations that leadhouse does not connect to by itself: masked on the way, refused in place."""

import pytest

from any_scene import AnyScene
from leadhouse.errors import WarehouseRefusedError
from leadhouse.forgetting import forget


def test_a_lake_holds_hashed_leads_and_equals_the_portal(lake_scene: AnyScene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADHOUSE__PII_KEY", "a key that only this test knows")
    lake_scene.sync(pii="hash")
    lake_scene.later()
    lake_scene.life(seed=4, create=2, edit=2)
    lake_scene.sync()

    assert lake_scene.verify().differences == []
    lengths = {row["digits"] for row in lake_scene.rows("SELECT length(value) AS digits FROM {lead_phones}")}
    assert lengths == {32}


def test_what_a_lake_holds_already_is_not_changed_in_place(lake_scene: AnyScene) -> None:
    lake_scene.sync()
    title = lake_scene.title(1)

    with pytest.raises(WarehouseRefusedError, match=r"only in DuckDB and Postgres; sync into a new dataset"):
        lake_scene.sync(pii="drop", full=True)
    with pytest.raises(WarehouseRefusedError, match=r"only in DuckDB and Postgres; sync into a new dataset"):
        forget(lake_scene.source, [1], to=lake_scene.to)

    assert lake_scene.title(1) == title
    lake_scene.later()
    lake_scene.sync()
    assert lake_scene.verify().differences == []
