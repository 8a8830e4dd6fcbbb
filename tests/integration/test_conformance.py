"""What the tables hold: the same on DuckDB and Postgres, over crm.lead.* and crm.item.*."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import contents
import oracle
from any_scene import AnyScene
from leadhouse.sandbox.bitrix24 import Portal, Quirks, serve
from scene import Scene, small_portal


def columns(scene: AnyScene) -> dict[str, dict[str, str]]:
    return contents.table_columns(scene.to, scene.dataset, scene.source)


def test_the_first_sync_equals_the_portal(every_scene: AnyScene) -> None:
    summary = every_scene.sync()
    every_scene.check(ignoring_deleted=False)
    assert summary.outcome == "done"
    assert summary.leads_read == len(every_scene.portal)
    assert columns(every_scene) == every_scene.promised_columns()


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("size", [0], ids=["empty"])
def test_an_empty_portal_makes_all_tables_and_columns_with_the_contracts_types(crossed_scene: AnyScene) -> None:
    crossed_scene.sync()
    assert columns(crossed_scene) == crossed_scene.promised_columns()


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("size", [0], ids=["empty"])
def test_the_types_stay_when_an_empty_portal_fills(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    scene.invent(60)
    scene.later().sync()
    scene.check()
    assert columns(scene) == scene.promised_columns()


def test_dictionaries_equal_the_portals(either_scene: Scene) -> None:
    either_scene.sync()
    statuses = either_scene.rows("SELECT entity_id, status_id, name, semantics, is_system FROM {statuses}")
    assert sorted((row["entity_id"], row["status_id"], row["name"], row["semantics"]) for row in statuses) == sorted(
        (row["ENTITY_ID"], row["STATUS_ID"], row["NAME"], row["SEMANTICS"]) for row in either_scene.portal.statuses()
    )
    users = either_scene.rows("SELECT id, is_active, name, last_name FROM {users} ORDER BY id")
    assert [(row["id"], row["is_active"], row["name"]) for row in users] == [
        (int(row["ID"]), row["ACTIVE"], row["NAME"]) for row in sorted(either_scene.portal.users(), key=_id)
    ]
    bases = either_scene.rows("SELECT currency FROM {currencies} WHERE is_base")
    assert [row["currency"] for row in bases] == [
        row["CURRENCY"] for row in either_scene.portal.currencies() if row["BASE"] == "Y"
    ]
    custom = either_scene.rows("SELECT name, is_multiple, type FROM {lead_fields} WHERE is_custom ORDER BY name")
    assert [(row["name"], row["is_multiple"], row["type"]) for row in custom] == sorted(
        (row["FIELD_NAME"], row["MULTIPLE"] == "Y", row["USER_TYPE_ID"]) for row in either_scene.portal.userfields()
    )


def _id(row: oracle.Row) -> int:
    return int(row["ID"])


def test_a_renamed_stage_is_renamed_without_any_lead_changing(scene: Scene) -> None:
    scene.synced()
    scene.portal.rename_status("STATUS", "NEW", "Fresh")
    summary = scene.later().sync()
    assert scene.one("SELECT name FROM {statuses} WHERE entity_id = 'STATUS' AND status_id = 'NEW'") == "Fresh"
    assert summary.rows_written == 0


def test_an_option_that_the_portal_dropped_stays_explained(scene: Scene) -> None:
    scene.synced()
    scene.portal.userfield_map["UF_CRM_1704817278"].options.pop(0)
    scene.later().sync()
    options = scene.rows("SELECT id FROM {lead_field_options} WHERE field = 'uf_crm_1704817278' ORDER BY id")
    assert [row["id"] for row in options] == [45, 46, 47, 48]


def test_an_incremental_sync_brings_every_kind_of_change(every_scene: AnyScene) -> None:
    scene = every_scene.synced()
    touched = scene.later().life(seed=5, create=3, edit=4, phone_add=2, phone_remove=2, stage=3)
    summary = scene.later().sync()
    assert summary.leads_read - summary.leads_unchanged == len(touched)
    scene.check()


def test_a_phone_that_is_added_appears(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    owner = scene.later().without_phone()
    scene.add_phone(owner, "+44 7700 900123")
    scene.sync()
    (phone,) = scene.rows(f"SELECT * FROM {{{scene.phones_table}}} WHERE {scene.phones_parent} = {owner}")  # noqa: S608
    assert (phone["value"], phone["position"], phone["e164"]) == ("+44 7700 900123", 0, "+447700900123")
    assert phone["value_type"] in {"MOBILE", "MOB"}
    scene.check()


def test_one_of_two_phones_that_is_removed_disappears(each_scene: AnyScene) -> None:
    scene = each_scene
    owner = scene.with_phone()
    scene.add_phone(owner, "+44 7700 900124")
    scene.sync()
    scene.later().drop_phones(owner, 1)
    scene.sync()
    assert scene.phones(owner) == ["+44 7700 900124"]
    positions = f"SELECT position FROM {{{scene.phones_table}}} WHERE {scene.phones_parent} = {owner}"  # noqa: S608
    assert scene.one(positions) == 0
    scene.check()


def test_somebody_who_lost_the_last_phone_has_none(crossed_scene: AnyScene) -> None:
    owner = crossed_scene.synced().with_phone()
    crossed_scene.later().drop_phones(owner)
    crossed_scene.sync()
    assert crossed_scene.phones(owner) == []
    crossed_scene.check()


def test_a_new_custom_field_is_a_column_in_the_run_that_first_sees_it(either_scene: Scene) -> None:
    scene, portal = either_scene, either_scene.portal
    scene.synced()
    portal.add_userfield("UF_CRM_REGION", "string")
    portal.add_userfield("UF_CRM_DEPOSIT", "money")
    portal.add_userfield("UF_CRM_DOORS", "integer")
    portal.add_userfield("UF_CRM_COLOURS", "string", multiple=True)
    scene.later().sync()
    held = columns(scene)["leads"]
    promised = scene.promised_columns()["leads"]
    for column in ("uf_crm_region", "uf_crm_deposit", "uf_crm_deposit_currency", "uf_crm_doors"):
        assert held[column] == promised[column]
    assert "uf_crm_colours" not in held
    lead_id = int(portal.leads()[0]["ID"])
    portal.update_lead(
        lead_id,
        {"UF_CRM_REGION": "West", "UF_CRM_DEPOSIT": "12.30|EUR", "UF_CRM_DOORS": "4", "UF_CRM_COLOURS": ["red", "blå"]},
    )
    scene.later().sync()
    scene.check()
    assert scene.lead(lead_id)["uf_crm_doors"] == 4


def test_an_idle_run_costs_two_requests_at_most_and_writes_no_lead(crossed_scene: AnyScene) -> None:
    scene = crossed_scene.synced()
    written, cursor = scene.written_at(), scene.state()["cursor"]
    scene.portal.clock.advance(3000)
    summary = scene.sync()
    assert summary.requests <= 2
    assert (summary.leads_read - summary.leads_unchanged, summary.rows_written) == (0, 0)
    assert scene.written_at() == written
    assert scene.state()["cursor"] > cursor


def test_what_the_overlap_brings_again_is_not_written_again(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    touched = scene.later().life(create=5, edit=5, phone_add=5)
    scene.sync()
    written = scene.written_at()
    scene.portal.clock.advance(20)
    summary = scene.sync()
    assert summary.requests <= 2
    assert (summary.leads_read, summary.leads_unchanged, summary.rows_written) == (len(touched), len(touched), 0)
    assert scene.written_at() == written
    scene.check()


def test_the_same_input_twice_writes_nothing_the_second_time(each_scene: AnyScene) -> None:
    scene = each_scene.synced()
    written = scene.written_at()
    summary = scene.sync(since="2000-01-01")
    assert summary.leads_read == summary.leads_unchanged == len(scene.portal)
    assert summary.rows_written == 0
    assert scene.written_at() == written
    scene.check()


def test_both_api_families_give_the_same_tables_to_the_last_value(scene: Scene) -> None:
    scene.synced()
    other = Scene(scene.portal, scene.url, scene.to, api="item", dataset="successor")
    other.sync()
    classic, successor = oracle.actual(scene.to), oracle.actual(scene.to, "successor")
    without_addresses(classic)
    for name in ("leads", *oracle.CHILD_TABLES, "lead_stage_history", "statuses", "users", "currencies"):
        assert _content(classic[name]) == _content(successor[name]), name


def without_addresses(tables: oracle.Tables) -> None:
    for row in tables["leads"].values():
        row.update(dict.fromkeys(oracle.ADDRESS_COLUMNS))


def _content(rows: dict[oracle.Key, oracle.Row]) -> dict[oracle.Key, oracle.Row]:
    service = {*oracle.SERVICE_COLUMNS, "last_seen_at"}
    return {key: {name: cell for name, cell in row.items() if name not in service} for key, row in rows.items()}


def test_a_portal_without_the_lead_methods_is_read_over_its_items(scene: Scene) -> None:
    scene.portal.quirks.lead_methods_removed = True
    scene.sync()
    scene.check(addresses=False, ignoring_deleted=False)
    assert columns(scene) == scene.promised_columns()


def test_a_portal_that_loses_its_lead_methods_is_read_on(scene: Scene) -> None:
    scene.synced()
    scene.portal.quirks.lead_methods_removed = True
    scene.later().portal.live(create=4, edit=6, phone_add=2, phone_remove=2, stage=2)
    scene.later().sync()
    wanted, held = oracle.expected(scene.portal), oracle.actual(scene.to)
    without_addresses(wanted)
    without_addresses(held)
    assert oracle.differences(wanted, held) == []


@pytest.fixture
def odd_portal(request: pytest.FixtureRequest) -> Portal:
    quirks, timezone = request.param
    portal = small_portal(100, timezone=timezone)
    portal.quirks = quirks
    return portal


@pytest.fixture
def odd_scene(odd_portal: Portal, tmp_path: Path) -> Iterator[Scene]:
    with serve(odd_portal) as served:
        yield Scene(odd_portal, served.url, f"duckdb:{tmp_path / 'leads.duckdb'}")


@pytest.mark.parametrize(
    "odd_portal",
    [
        (Quirks(boolean_uf="digits", empty_multiple="list", integers_as_numbers=True), "Asia/Kolkata"),
        (Quirks(short_offsets=True, batch_lists=False, integer_times=True, operating=False), "America/St_Johns"),
        (Quirks(item_boolean_uf="digits", array_cast=False), "Pacific/Auckland"),
        (Quirks(item_boolean_uf="json", original_uf_names_bug=True, total_cap=20), "Asia/Almaty"),
    ],
    ids=["digits", "short offsets", "item digits", "item json"],
    indirect=True,
)
@pytest.mark.parametrize("api", ["lead", "item"])
def test_ways_in_which_portals_differ_do_not_show_in_the_tables(odd_scene: Scene, api: str) -> None:
    odd_scene.api = api
    odd_scene.sync()
    odd_scene.later().portal.live(create=3, edit=8, phone_add=2, phone_remove=2, stage=3)
    odd_scene.later().sync()
    odd_scene.check()
