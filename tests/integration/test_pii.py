"""Personal data that is hashed or dropped: nowhere in the warehouse, equal to the portal, the same in every run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import contents
from any_scene import AnyScene, Crash, crash_at
from kommo_scene import KommoScene
from leadhouse import state
from leadhouse.errors import ConfigurationError, StateError
from leadhouse.rewriting import Rewriting
from leadhouse.session import Session
from leadhouse.settings import of_source
from leaks.traces import of_warehouse
from scene import Scene

KEY = "a key that only this test knows"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADHOUSE__PII_KEY", KEY)


def _personal(scene: AnyScene) -> Iterator[tuple[str, str]]:
    """Yield tables and columns that the reviewed contract calls personal."""
    for table, told in contents.contract(scene.source).items():
        yield from ((table, name) for name, about in told["columns"].items() if about.get("personal"))


def _people(scene: AnyScene) -> set[str]:
    """Return phones, e-mails and names as the portal has them, but those too short to be told from others."""
    tables = scene.expected()
    names = {"name", "last_name", "e164", "email"}
    told = {
        str(row[column])
        for table, column in _personal(scene)
        for row in tables.get(table, {}).values()
        if (column in names or table.endswith(("_phones", "_emails"))) and row[column] is not None
    }
    return {value for value in told if len(value) > 9 and ("@" in value or any(map(str.isdecimal, value)))}


def _assert_absent(scene: AnyScene) -> None:
    people, held = _people(scene), of_warehouse(scene.to)
    assert len(people) > 100
    assert [value for value in people if value in held] == []


def _count(scene: AnyScene, column: str, table: str, where: str = "true") -> int:
    number: int = scene.one(f"SELECT count({column}) FROM {{{table}}} WHERE {where}")  # noqa: S608 - ours
    return number


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_no_value_of_a_person_is_in_the_warehouse_and_it_equals_the_portal(crossed_scene: AnyScene, mode: str) -> None:
    scene = crossed_scene
    scene.sync(pii=mode)
    scene.later()
    touched = scene.life(seed=4, create=3, edit=4, delete=1)
    scene.sync(reconcile=True)
    scene.fetch(*sorted(touched & set(scene.ids())))

    assert scene.verify().differences == []
    _assert_absent(scene)
    kept = _count(scene, "value", scene.phones_table)
    assert (kept > 100, _count(scene, "*", scene.phones_table) > 100) == (mode == "hash", True)


def test_a_person_has_one_pseudonym_in_every_spelling(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    for owner, number in zip(_owners(scene), ("+44 7700 900 123", "+44(0)7700-900123", "+447700900123"), strict=True):
        scene.drop_phones(owner)
        scene.add_phone(owner, number)
    owners = ",".join(map(str, _owners(scene)))
    scene.sync(pii="hash")

    told = scene.rows(
        f"SELECT DISTINCT value, e164 FROM {{{scene.phones_table}}} WHERE {scene.phones_parent} IN ({owners})"  # noqa: S608 - ours
    )

    assert len(told) == 1
    assert told[0]["value"] == told[0]["e164"]
    lengths = f"SELECT DISTINCT length(value) AS digits FROM {{{scene.phones_table}}} WHERE value IS NOT NULL"  # noqa: S608 - ours
    assert scene.one(lengths) == 32


def _owners(scene: AnyScene) -> list[int]:
    rows = scene.portal.contacts() if isinstance(scene, KommoScene) else scene.portal.leads()
    return [int(row["id" if "id" in row else "ID"]) for row in rows][:3]


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_a_new_mode_takes_a_full_read_and_reaches_rows_that_the_portal_has_no_more(
    crossed_scene: AnyScene, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setattr("leadhouse.rewriting._ROWS", 40)
    scene = crossed_scene.synced()
    gone, *_ = scene.ids()
    phones = _count(scene, "*", scene.phones_table)
    scene.delete(gone)
    scene.reconcile()

    with pytest.raises(ConfigurationError, match=rf"in the mode keep .* --pii {mode} --full"):
        scene.sync(pii=mode)
    assert scene.title(gone)
    scene.sync(pii=mode, full=True)

    assert scene.verify().differences == []
    _assert_absent(scene)
    title = scene.title(gone)
    assert (title is None) == (mode == "drop")
    assert title is None or len(title) == 32
    assert _count(scene, "*", scene.phones_table) == phones
    scene.later()
    scene.life(seed=4, create=3, edit=4)
    scene.sync()
    assert scene.verify().differences == []


def test_what_the_portal_still_has_comes_back_with_keep(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    scene.sync(pii="drop")
    scene.later()
    scene.sync(pii="keep", full=True)
    scene.check()


def test_another_key_is_refused_and_hashes_everything_anew(
    crossed_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = crossed_scene
    scene.sync(pii="hash")
    gone, *_ = scene.ids()
    before = scene.title(gone)
    scene.delete(gone)
    scene.reconcile()
    monkeypatch.setenv("LEADHOUSE__PII_KEY", "another key, as long as the first")

    for refused in (scene.sync, scene.reconcile, scene.verify, lambda: scene.fetch(scene.ids()[0])):
        with pytest.raises(ConfigurationError, match="hashed with another key"):
            refused()
    scene.sync(full=True)

    assert scene.verify().differences == []
    assert scene.title(gone) != before
    assert len(scene.title(gone)) == 32


@pytest.mark.parametrize("key", ["short", " " * 20])
def test_a_key_that_is_too_short_is_refused(duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("LEADHOUSE__PII_KEY", key)

    with pytest.raises(ConfigurationError, match="fewer than 16 characters; set LEADHOUSE__PII_KEY"):
        duckdb_scene.sync(pii="hash")


def test_without_a_key_the_access_makes_one(crossed_scene: AnyScene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next run makes the same one, also without a working directory; another access makes another."""
    scene = crossed_scene
    first, *_ = scene.ids()
    scene.sync(pii="hash")
    under_own_key = scene.title(first)
    monkeypatch.delenv("LEADHOUSE__PII_KEY")
    with pytest.raises(ConfigurationError, match="one from the webhook or token of then"):
        scene.sync()
    scene.sync(full=True)
    made = scene.title(first)
    scene.edit(first, "another title")
    scene.later().sync()
    assert scene.verify().differences == []
    _assert_absent(scene)
    assert len({made, under_own_key}) == 2
    assert len(made) == 32

    settings = of_source(scene.source)
    name = {"bitrix24": "Bitrix24Settings", "kommo": "KommoSettings"}[scene.source]
    monkeypatch.setattr(getattr(settings, name), "secret", "another webhook or token")
    with pytest.raises(ConfigurationError, match="hashed with another key"):
        scene.later().sync()


def test_the_mode_may_be_a_setting_and_is_remembered_without_it(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__PII", "drop")
    duckdb_scene.sync()
    monkeypatch.delenv("LEADHOUSE__PII")
    state.reset(duckdb_scene.warehouse(), "bitrix24", lock_timeout=5.0)
    duckdb_scene.sync()

    assert duckdb_scene.verify().differences == []
    _assert_absent(duckdb_scene)
    monkeypatch.setenv("LEADHOUSE__PII", "hide")
    with pytest.raises(ConfigurationError, match="pii is 'hide'; it is one of keep, hash, drop"):
        duckdb_scene.sync()


@pytest.mark.parametrize(("before", "after"), [("keep", "hash"), ("hash", "keep"), ("drop", "hash")])
@pytest.mark.parametrize("package", [1, 2])
def test_a_change_of_mode_that_dies_goes_on_in_the_new_one(
    file_scene: AnyScene, monkeypatch: pytest.MonkeyPatch, before: str, after: str, package: int
) -> None:
    scene = file_scene
    scene.sync(pii=before)
    scene.later()
    with monkeypatch.context() as cut:
        scene.in_small_packages(cut, leads=50, pages=1)
        crash_at(cut, Session, "_load", package, after=True)
        with pytest.raises(Crash):
            scene.sync(pii=after, full=True)
    scene.later()

    scene.sync()

    assert scene.verify().differences == []
    assert Path(scene.to.removeprefix("duckdb:")).exists()
    if after == "keep":
        scene.check()
    else:
        _assert_absent(scene)
    scene.later()
    assert scene.sync().rows_written == 0, "the change is over"


@pytest.mark.parametrize(("step", "without_state"), [(1, False), (4, False), (1, True)])
def test_masking_in_place_that_dies_is_completed_by_the_next_sync(
    file_scene: AnyScene, monkeypatch: pytest.MonkeyPatch, *, step: int, without_state: bool
) -> None:
    scene = file_scene.synced()
    gone, *_ = scene.ids()
    scene.delete(gone)
    scene.reconcile()
    if without_state:
        state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)
    with monkeypatch.context() as cut:
        crash_at(cut, Rewriting, "_masked", step, after=True)
        with pytest.raises(Crash):
            scene.sync(pii="hash", full=not without_state)

    scene.sync()

    assert scene.verify().differences == []
    assert len(scene.title(gone)) == 32
    _assert_absent(scene)


def test_a_full_read_of_before_is_not_gone_on_with_in_another_mode(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = duckdb_scene
    scene.sync(pii="hash")
    with monkeypatch.context() as cut:
        scene.in_small_packages(cut, leads=50, pages=1)
        crash_at(cut, Session, "_load", 2, after=True)
        with pytest.raises(Crash):
            scene.sync(full=True)

    scene.sync(pii="keep", full=True)

    scene.check()


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_a_lost_state_does_not_turn_a_masked_dataset_into_a_plain_one(crossed_scene: AnyScene, mode: str) -> None:
    scene = crossed_scene
    scene.sync(pii=mode)
    scene.change(f"UPDATE \"{scene.dataset}\"._dlt_pipeline_state SET state = 'garbage'")  # noqa: S608 - ours
    state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)

    for refused in (scene.sync, lambda: scene.sync(full=True), lambda: scene.fetch(scene.ids()[0])):
        with pytest.raises(ConfigurationError, match="its state, which remembered that, was lost; say with --pii"):
            refused()
    scene.sync(pii=mode)

    assert scene.verify().differences == []
    _assert_absent(scene)


def test_a_state_of_a_newer_release_is_not_taken_for_keep(duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = {"pii": {"mode": "encrypt"}, "forgotten": {}}
    monkeypatch.setattr("leadhouse.pii.Memory.to_slot", lambda _: dict(newer))

    for options in ({"pii": "drop"}, {}, {"pii": "keep", "full": True}):
        with pytest.raises(StateError, match=r"'encrypt' is not a valid Mode.*upgrade leadhouse"):
            duckdb_scene.sync(**options)


def test_codes_stay_what_they_are(either_scene: Scene) -> None:
    plain: dict[str, Any] = {}
    sql = "SELECT field, count(DISTINCT value) AS values FROM {lead_custom_values} GROUP BY 1"
    for mode in ("keep", "drop"):
        either_scene.sync(pii=mode, full=True)
        plain[mode] = {row["field"]: row["values"] for row in either_scene.rows(sql)}

    assert {field for field, values in plain["drop"].items() if not values} == {"uf_crm_tags"}
    assert {field: values for field, values in plain["keep"].items() if field != "uf_crm_tags"} == {
        field: values for field, values in plain["drop"].items() if values
    }
    kept = either_scene.rows(
        "SELECT count(uf_crm_partner) AS crm, count(uf_crm_second_source) AS status, count(uf_crm_budget_currency) AS "
        "money, count(uf_crm_1704817278) AS variants, count(uf_crm_site) AS url, count(uf_crm_1706782596092) AS text, "
        "count(birthdate) AS born FROM {leads}"
    )[0]
    assert {name for name, values in kept.items() if not values} == {"url", "text", "born"}
