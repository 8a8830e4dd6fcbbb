"""A person who is forgotten is nowhere in the warehouse, and no later read brings them back."""

import json
from pathlib import Path

import pytest

import contents
from any_scene import AnyScene, Crash, crash_at
from crash.processes import environment
from forks import Ended, Leadhouse
from kommo_scene import KommoScene
from leadhouse import state
from leadhouse.errors import StateError
from leadhouse.forgetting import Forgotten, forget
from leadhouse.rewriting import Rewriting
from leaks.traces import of_warehouse

FIRST, LAST = "Ottoline", "Quillfeather-Marchbanks"
PHONE, EMAIL = "+44 7700 900 457", "Ottoline.Quillfeather@example.org"
TRACES = (FIRST, LAST, PHONE, "447700900457", "7700 900 457", EMAIL, EMAIL.lower(), "remembers Ottoline")


def _plant(scene: AnyScene) -> int:
    """Let a person enter; return the lead."""
    if isinstance(scene, KommoScene):
        lead = scene.portal.add_lead({"name": f"{FIRST} {LAST} calls"})
        contact = int(scene.portal.contacts()[0]["id"])
        fields = [
            {"field_code": "PHONE", "values": [{"value": PHONE, "enum_code": "MOB"}]},
            {"field_code": "EMAIL", "values": [{"value": EMAIL, "enum_code": "WORK"}]},
        ]
        told = {"name": f"{FIRST} {LAST}", "first_name": FIRST, "last_name": LAST, "custom_fields_values": fields}
        scene.portal.update_contact(contact, told)
        scene.portal.link_contact(lead, contact, is_main=True)
        return lead
    return int(
        scene.portal.add_lead(
            {
                "TITLE": f"{FIRST} {LAST} calls",
                "NAME": FIRST,
                "LAST_NAME": LAST,
                "BIRTHDATE": "1984-06-11T03:00:00+03:00",
                "COMMENTS": "nobody remembers Ottoline",
                "PHONE": [{"VALUE": PHONE, "VALUE_TYPE": "WORK"}],
                "EMAIL": [{"VALUE": EMAIL, "VALUE_TYPE": "WORK"}],
                "UF_CRM_TAGS": [f"{FIRST}'s"],
                "UF_CRM_1706782596092": f"contract of {LAST}",
                "UF_CRM_1704817278": "45",
            }
        )
    )


def _forget(scene: AnyScene, *ids: int) -> Forgotten:
    return forget(scene.source, ids, to=scene.to, dataset=scene.dataset, lock_timeout=5.0)


def _assert_absent(scene: AnyScene) -> None:
    held = of_warehouse(scene.to)
    assert [trace for trace in TRACES if trace in held] == []


def _edit(scene: AnyScene, lead: int) -> None:
    scene.edit(lead, f"{FIRST} again")


def test_a_forgotten_person_is_nowhere_and_stays_away(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    lead = _plant(scene)
    scene.sync()
    assert FIRST in of_warehouse(scene.to)
    before = scene.lead(lead)
    phones = scene.one(f"SELECT count(*) FROM {{{scene.phones_table}}}")  # noqa: S608 - ours

    assert _forget(scene, lead).leads == (lead,)

    _assert_absent(scene)
    assert not Path(scene.to.removeprefix("duckdb:") + ".wal").exists()
    personal = {
        name for name, told in contents.contract(scene.source)["leads"]["columns"].items() if "personal" in told
    }
    left = {name: value for name, value in scene.lead(lead).items() if not name.startswith(("uf_", "_"))}
    assert left == {name: None if name in personal else before[name] for name in left}
    assert scene.one(f"SELECT count(*) FROM {{{scene.phones_table}}}") == phones  # noqa: S608 - ours
    assert scene.verify().differences == []
    for read in (lambda: scene.sync(full=True), lambda: scene.fetch(lead), lambda: scene.reconcile(every_lead=True)):
        scene.later()
        _edit(scene, lead)
        read()
        _assert_absent(scene)
    scene.later()
    _edit(scene, lead)
    state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)
    scene.sync()
    _assert_absent(scene)
    assert scene.verify().differences == []
    assert scene.lead(lead)["_fingerprint"] is not None


def test_others_with_the_same_phone_are_named(crossed_scene: AnyScene) -> None:
    scene = crossed_scene
    first, second = scene.with_phone(), scene.without_phone()
    scene.drop_phones(first)
    scene.add_phone(first, "+44 7700 900 999")
    scene.add_phone(second, "+44(0)7700-900999")
    leads: tuple[int, ...] = (first, second)
    if isinstance(scene, KommoScene):
        leads = tuple(scene.add("a lead of one of them") for _ in leads)
        for lead, contact in zip(leads, (first, second), strict=True):
            scene.portal.link_contact(lead, contact)
    scene.sync()

    told = _forget(scene, leads[0])

    assert leads[1] in told.also_in
    assert leads[0] not in told.also_in
    assert leads[0] not in _forget(scene, leads[1]).also_in


def test_a_lead_that_is_not_there_yet_is_kept_out_when_it_comes(crossed_scene: AnyScene) -> None:
    scene = crossed_scene.synced()
    lead = scene.add("the one before")
    ids = range(lead + 1, lead + 40)
    assert _forget(scene, *ids).unknown == tuple(ids)
    planted = _plant(scene)
    assert planted in ids
    scene.later()
    scene.sync()

    held = scene.lead(planted)

    assert held[scene.title_column] is None
    assert held[scene.created_column] is not None
    assert scene.verify().differences == []


def test_a_forget_that_dies_keeps_the_person_out_and_is_completed_by_the_next(
    file_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = file_scene
    lead = _plant(scene)
    scene.sync()
    with monkeypatch.context() as cut:
        crash_at(cut, Rewriting, "of", 1)
        with pytest.raises(Crash):
            _forget(scene, lead)
    scene.later()
    _edit(scene, lead)
    scene.sync()
    assert scene.title(lead) is None

    _forget(scene, lead)
    _assert_absent(scene)


def test_versions_of_a_lead_are_forgotten_and_masked_with_it(
    crossed_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADHOUSE__PII_KEY", "a key that only this test knows")
    scene = crossed_scene
    lead = _plant(scene)
    scene.sync()
    scene.change(
        f'CREATE TABLE "{scene.dataset}".lead_versions AS SELECT *, {scene.modified_column} AS valid_from, '  # noqa: S608 - ours
        "CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS valid_to FROM {leads}"
    )
    versions = f'SELECT {scene.title_column} AS title FROM "{scene.dataset}".lead_versions WHERE id '  # noqa: S608 - ours
    _forget(scene, lead)
    _assert_absent(scene)
    assert contents.query(scene.to, f"{versions} = {lead}") == [{"title": None}]

    scene.sync(pii="hash", full=True)

    titles = {row["title"] for row in contents.query(scene.to, f"{versions} <> {lead}")}
    assert {len(title) for title in titles if title} == {32}
    scene.sync()


def test_forget_speaks_to_people_and_programs(duckdb_scene: AnyScene, tmp_path: Path) -> None:
    duckdb_scene.sync()

    def said(*arguments: str) -> Ended:
        command = ["forget", "bitrix24", *arguments, "--to", duckdb_scene.to]
        return Leadhouse(command, environment(), tmp_path).end()

    told = said("1", "99999")
    assert (told.status, told.out.partition("\n")[0]) == (2, "lead 1: forgotten")
    assert told.said == ["lead 99999: the warehouse has no such lead; if it comes, it is kept out"]
    again = said("1", "--json")
    assert (again.status, json.loads(again.out)) == (0, {"forgotten": [1], "unknown": [], "also_in": []})


def test_forget_needs_a_dataset_of_this_source(duckdb_scene: AnyScene) -> None:
    with pytest.raises(StateError, match="has no dataset bitrix24 of leadhouse"):
        _forget(duckdb_scene, 1)
    duckdb_scene.sync()
    with pytest.raises(StateError, match="holds nothing of kommo"):
        forget("kommo", [1], to=duckdb_scene.to, dataset="bitrix24")
