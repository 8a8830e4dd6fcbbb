"""Keys of a Postgres dataset: there for analysts, never in the way of a run."""

import psycopg2
import pytest
import structlog

from any_scene import AnyScene
from contents import contract, execute, query
from scene import Scene

pytestmark = pytest.mark.parametrize("to", ["postgres"], indirect=True)


def _keys(scene: AnyScene, kind: str) -> set[str]:
    rows = query(
        scene.to,
        "SELECT conrelid::regclass::text AS name, pg_get_constraintdef(oid) AS told FROM pg_constraint "  # noqa: S608
        f"WHERE contype = '{kind}' AND connamespace = '{scene.dataset}'::regnamespace",
    )
    return {f"{row['name'].rpartition('.')[2]}: {row['told']}" for row in rows}


def _warnings(logs: list[structlog.typing.EventDict]) -> list[tuple[str, str]]:
    return [(told["name"], told["why"]) for told in logs if "could not be made" in told["event"]]


def test_tables_have_keys_and_child_rows_refer_to_their_lead(each_scene: AnyScene) -> None:
    each_scene.sync(history=True)

    foreign = {
        f"{name}: FOREIGN KEY ({column}) REFERENCES {each_scene.dataset}.{about['references'].replace('.id', '(id)')} "
        "DEFERRABLE INITIALLY DEFERRED"
        for name, table in contract(each_scene.source).items()
        for column, about in table["columns"].items()
        if "references" in about
    }
    assert len(foreign) > 5
    assert _keys(each_scene, "f") == foreign
    assert {"leads: PRIMARY KEY (id)", "users: PRIMARY KEY (id)"} <= _keys(each_scene, "p")


def test_no_index_is_the_beginning_of_another(each_scene: AnyScene) -> None:
    each_scene.sync(history=True)
    each_scene.later().sync()  # the table of versions had no keys before

    told = "SELECT indexdef FROM pg_indexes WHERE schemaname = '{}'"
    made = [
        row["indexdef"].partition(" ON ")[2].rstrip(")") for row in each_scene.rows(told.format(each_scene.dataset))
    ]

    assert f"{each_scene.dataset}.lead_versions USING btree (id, valid_from" in made
    assert [(one, other) for one in made for other in made if other.startswith(f"{one}, ")] == []
    assert len(set(made)) == len(made)


def test_life_goes_on_under_keys(each_scene: AnyScene) -> None:
    each_scene.sync(history=True)
    for seed in range(2):
        each_scene.later().life(seed=seed, create=5, edit=20, delete=3, phone_remove=3)
        with structlog.testing.capture_logs() as logs:
            each_scene.sync(reconcile=True)
        assert _warnings(logs) == []
        each_scene.check()
    each_scene.sync(full=True)
    each_scene.reconcile()
    each_scene.check()


def test_a_new_field_comes_under_keys(scene: Scene) -> None:
    scene.sync()
    scene.portal.add_userfield("UF_CRM_NEW", "string", label="New")
    scene.portal.update_lead(1, {"UF_CRM_NEW": "x"})
    scene.later().sync()
    scene.check()


def test_a_phone_that_moved_to_another_lead_is_with_both(scene: Scene) -> None:
    """The portal merged two leads: the value keeps its id, and the deleted lead its rows."""
    scene.sync()
    giver = scene.with_phone()
    phone = scene.portal.lead(giver)["PHONE"][0]
    scene.delete(giver)
    taker = scene.later().add("Wanda Invented")
    with scene.portal.lock:
        row = scene.portal.store.rows[taker]
        scene.portal._save({**row.lead(), "PHONE": [phone], "HAS_PHONE": "Y"}, scene.portal.clock.second())

    scene.sync(reconcile=True)

    held = scene.rows(f"SELECT lead_id FROM {{lead_phones}} WHERE id = {phone['ID']}")  # noqa: S608
    assert {row["lead_id"] for row in held} == {giver, taker}


def test_a_person_is_deleted_in_one_transaction(scene: Scene) -> None:
    scene.sync()
    lead = scene.with_phone()
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        scene.change(f"DELETE FROM {{leads}} WHERE id = {lead}")  # noqa: S608
    rows = "; ".join(f"DELETE FROM {{{name}}} WHERE lead_id = {lead}" for name in scene.child_tables)  # noqa: S608
    scene.change(f"DELETE FROM {{leads}} WHERE id = {lead}; {rows}")  # noqa: S608
    assert scene.rows(f"SELECT id FROM {{leads}} WHERE id = {lead}") == []  # noqa: S608


def test_what_an_older_release_left_is_keyed_or_told_and_the_run_is_done(scene: Scene) -> None:
    scene.sync()
    scene.drop_views()
    scene.change("ALTER TABLE {leads} DROP CONSTRAINT leads_pkey CASCADE")
    scene.change("CREATE UNIQUE INDEX leads_id ON {leads} (id)")
    scene.change("INSERT INTO {lead_webs} (id, lead_id, position) VALUES (1, 999999, 0)")

    with structlog.testing.capture_logs() as logs:
        assert scene.later().sync().outcome == "done"

    ((name, why),) = _warnings(logs)
    assert name == "lead_webs_lead_id_fkey"
    assert 'violates foreign key constraint "lead_webs_lead_id_fkey"' in why
    assert "999999" not in why
    assert "leads: PRIMARY KEY (id)" in _keys(scene, "p")
    assert len(_keys(scene, "f")) == 6
    scene.change("DELETE FROM {lead_webs} WHERE lead_id = 999999")
    with structlog.testing.capture_logs() as logs:
        scene.later().sync()
    assert (_warnings(logs), len(_keys(scene, "f"))) == ([], 7)


def test_a_right_that_lacks_is_a_warning(scene: Scene) -> None:
    scene.sync()
    scene.drop_views()
    scene.change("ALTER TABLE {lead_webs} DROP CONSTRAINT lead_webs_lead_id_fkey")
    execute(scene.to, "CREATE ROLE loader LOGIN PASSWORD 'unused'")
    owner = scene.to
    try:
        execute(owner, "GRANT USAGE, CREATE ON SCHEMA bitrix24, bitrix24_staging TO loader")
        execute(owner, "GRANT ALL ON ALL TABLES IN SCHEMA bitrix24, bitrix24_staging TO loader")
        scene.to = owner.replace("postgres:unused@", "loader:unused@")
        with structlog.testing.capture_logs() as logs:
            assert scene.later().sync().outcome == "done"
    finally:
        scene.to = owner
        execute(owner, "DROP OWNED BY loader CASCADE; DROP ROLE loader")

    assert ("lead_webs_lead_id_fkey", "must be owner of table lead_webs") in _warnings(logs)
