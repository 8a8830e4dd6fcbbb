"""Traps of dlt and of portals into which others fell: a test each, in the order of the list that the project keeps."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

import dlt
import pytest

import leadhouse
import oracle
from leadhouse.errors import OperatorError, PagingError, WarehouseLockedError
from scene import Crash, Scene, crash_at, in_small_packages, leftovers

_HOLDER = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(1, flush=True); sys.stdin.read()"


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", ["repeated_page", "unordered_page", "filter_ignored"])
def test_1_an_id_never_comes_twice_into_a_package(duckdb_scene: Scene, fault: str) -> None:
    """A page that repeats or goes back is not taken; what is taken again comes once."""
    scene = duckdb_scene
    scene.portal.faults.add(fault, times=None, match="crm.lead.list", after=1)
    with pytest.raises(PagingError):
        scene.sync()
    assert oracle.actual(scene.to).get("leads", {}).keys() <= oracle.expected(scene.portal)["leads"].keys()
    scene.portal.faults.clear()
    scene.portal.faults.add(fault, times=1, match="crm.lead.list", after=1)
    scene.sync()
    scene.check()


@pytest.mark.parametrize("overlap", [5.0, 0.0])
def test_2_a_lead_changed_again_in_the_same_second_is_written_again(duckdb_scene: Scene, overlap: float) -> None:
    scene = duckdb_scene
    lead_id = int(scene.portal.leads()[0]["ID"])
    for title in ("first", "second", "third"):
        scene.portal.update_lead(lead_id, {"TITLE": title})
        scene.sync(overlap_minutes=overlap)
        assert scene.lead(lead_id)["title"] == title
    scene.check()


@pytest.mark.parametrize("zone", ["America/St_Johns", "Pacific/Auckland"])
def test_3_a_portal_that_changes_its_offset_loses_no_edit(family_scene: Scene, zone: str) -> None:
    """Compared as text, 05:35-03:30 lies before 12:00+03:00, and 22:00+13:00 after it."""
    scene = family_scene
    scene.synced()
    scene.portal.zone = scene.portal.editor._zone = scene.portal.inventor._zone = ZoneInfo(zone)
    for seed in (1, 9):
        scene.portal.clock.advance(240)
        changes = scene.portal.live(create=2, edit=3, seed=seed)
        summary = scene.sync()
        assert summary.leads_read - summary.leads_unchanged == len(changes.created) + len(changes.edited)
    scene.check()


def test_4_empty_texts_in_typed_columns_make_no_second_column(scene: Scene) -> None:
    """The portal sends "" for an empty date; dlt would keep it in a column of its own."""
    lead = next(lead for lead in scene.portal.leads() if lead["BIRTHDATE"] == lead["DATE_CLOSED"] == "")
    scene.sync()
    row = scene.lead(int(lead["ID"]))
    assert row["birthdate"] is None
    assert row["date_closed"] is None
    assert [name for name in oracle.columns(scene.to)["leads"] if "__" in name] == []


# Raw JSON that the field's type forbids: dlt and Arrow would stop at it, now or in every later run, or round it.
_IMPOSSIBLE = {
    "OPPORTUNITY": (b'"12.345"', "opportunity", "12.345"),
    "DATE_CLOSED": (b'"next Tuesday"', "date_closed", "next Tuesday"),
    "ASSIGNED_BY_ID": (b'"1.5"', "assigned_by_id", "1.5"),
    "ADDRESS_LOC_ADDR_ID": (b'"99999999999999999999"', "address_loc_addr_id", "99999999999999999999"),
    "BIRTHDATE": (b'{"day":1}', "birthdate", '{"day":1}'),
    "OPENED": (b'"perhaps"', "opened", "perhaps"),
    "UF_CRM_SEATS": (b"2.5", "uf_crm_seats", "2.5"),
    "UF_CRM_BUDGET": (b'"1e30|EUR"', "uf_crm_budget", "1e30|EUR"),
}


def test_5_a_value_that_no_column_can_hold_poisons_no_package(scene: Scene) -> None:
    bad = int(scene.portal.leads()[3]["ID"])
    scene.portal.distort_lead(bad, {name: raw for name, (raw, _, _) in _IMPOSSIBLE.items()})
    assert scene.sync().misfits == len(_IMPOSSIBLE)
    row = scene.lead(bad)
    kept = {drift["field"]: drift for drift in scene.rows("SELECT * FROM {schema_drift}")}
    assert {field: drift["value"] for field, drift in kept.items()} == {
        column: text for _, column, text in _IMPOSSIBLE.values()
    }
    assert {drift["lead_id"] for drift in kept.values()} == {bad}
    assert [row[column] for _, column, _ in _IMPOSSIBLE.values()] == [None] * len(_IMPOSSIBLE)

    scene.portal.oddities.clear()
    scene.portal.store.forget_encoded()
    scene.later().portal.update_lead(bad, {"TITLE": "healed"})
    assert scene.sync().misfits == 0
    scene.check()


def test_5_a_field_that_changes_its_type_poisons_no_package(scene: Scene) -> None:
    portal = scene.portal
    scene.synced()
    lead_id = next(int(lead["ID"]) for lead in portal.leads() if lead["UF_CRM_SEATS"])
    seats = scene.lead(lead_id)["uf_crm_seats"]
    portal.remove_userfield("UF_CRM_SEATS")
    portal.add_userfield("UF_CRM_SEATS", "string")
    scene.later().portal.update_lead(lead_id, {"UF_CRM_SEATS": "a dozen"})
    scene.sync()
    scene.later().portal.update_lead(lead_id, {"UF_CRM_SEATS": "twelve"})
    scene.sync()
    row = scene.lead(lead_id)
    assert (row["uf_crm_seats"], row["uf_crm_seats_2"]) == (seats, "twelve")
    assert scene.rows("SELECT * FROM {schema_drift}") == []
    assert oracle.columns(scene.to)["leads"]["uf_crm_seats"] == "bigint"


def test_6_a_fraction_is_not_rounded_into_a_whole_number(scene: Scene) -> None:
    lead_id = int(scene.portal.leads()[0]["ID"])
    scene.portal.distort_lead(lead_id, {"COMPANY_ID": b"1.5", "CONTACT_ID": b"2.0"})
    scene.sync()
    row = scene.lead(lead_id)
    assert (row["company_id"], row["contact_id"]) == (None, 2)
    assert scene.rows("SELECT field, value FROM {schema_drift}") == [{"field": "company_id", "value": "1.5"}]


@contextmanager
def reader_of(path: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that has the DuckDB file open for reading until its input ends."""
    command = [sys.executable, "-c", _HOLDER, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_7_a_reader_of_the_file_is_named_and_leaves_nothing_pending(duckdb_scene: Scene) -> None:
    scene = duckdb_scene
    scene.synced()
    scene.later().portal.live(create=2, edit=2)
    with reader_of(scene.to.removeprefix("duckdb:")) as reader:
        with pytest.raises(WarehouseLockedError) as locked:
            scene.sync(lock_timeout=0.0)
        assert str(reader.pid) in str(locked.value)
    scene.sync()
    scene.check()


def test_7_a_reader_that_comes_during_the_run_is_waited_for(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = duckdb_scene
    scene.synced()
    scene.later().portal.live(create=2, edit=2)
    sleep = time.sleep
    with reader_of(scene.to.removeprefix("duckdb:")) as reader:

        def leave(seconds: float) -> None:
            if reader.stdin is not None and not reader.stdin.closed:
                reader.stdin.close()
                reader.wait()
            sleep(seconds)

        monkeypatch.setattr("leadhouse.warehouse.time.sleep", leave)
        scene.sync(lock_timeout=30.0)
        assert reader.returncode == 0
    scene.check()


def test_8_a_dataset_that_was_dropped_is_filled_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        in_small_packages(patch, leads=50, pages=1)
        crash_at(patch, dlt.Pipeline, "load", 3)
        with pytest.raises(Crash):
            scene.sync()
    scene.change('DROP SCHEMA "bitrix24" CASCADE')
    summary = scene.later().sync()
    assert summary.leads_read == len(scene.portal)
    assert summary.cursor_from is None
    scene.check()


def test_9_postgres_finds_leads_and_their_child_rows_by_index(postgres_url: str, duckdb_scene: Scene) -> None:
    scene = Scene(duckdb_scene.portal, duckdb_scene.url, postgres_url)
    scene.sync()
    indexes = scene.rows("SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'bitrix24'")
    indexed = {(row["tablename"], row["indexdef"].rsplit("(", 1)[1].split(",")[0].rstrip(")")) for row in indexes}
    assert {("leads", "id"), ("leads", "date_modify")} <= indexed
    assert {(table, "lead_id") for table in oracle.CHILD_TABLES} <= indexed
    assert {(table, "id") for table in oracle.MULTIFIELD_TABLES.values()} <= indexed
    unique = [row["tablename"] for row in indexes if "CREATE UNIQUE INDEX leads_pkey " in row["indexdef"]]
    assert unique == ["leads"]


@pytest.mark.parametrize("end", ["done", "refused", "crash"])
def test_10_no_working_file_stays(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    scene.synced()
    scene.later().portal.live(create=2, edit=2)
    if end == "refused":
        scene.portal.quirks.webhook_expired = True
        with pytest.raises(OperatorError):
            scene.sync()
    elif end == "crash":
        crash_at(monkeypatch, dlt.Pipeline, "load", 1)
        with pytest.raises(Crash):
            scene.sync()
    else:
        scene.sync()
    assert leftovers(tmp_path / "dlt") == []


def test_10_the_staging_dataset_keeps_no_rows(scene: Scene) -> None:
    scene.sync()
    staged = oracle.columns(scene.to, "bitrix24_staging")
    assert "lead_phones" in staged
    for table in staged:
        assert scene.one(f'SELECT count(*) FROM "bitrix24_staging"."{table}"') == 0, table  # noqa: S608


def test_11_pages_are_asked_for_in_ascending_id(family_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_packages(monkeypatch, leads=50, pages=2)
    family_scene.sync()
    key = {"lead": ">ID", "item": ">id"}[family_scene.api]
    asked = [
        int(params["filter"][key])
        for method, params in family_scene.portal.log
        if method == f"crm.{family_scene.api}.list" and str(params.get("filter", {}).get(key)).isdigit()
    ]
    starts = [
        after for after in asked if after == 0 or after in {int(lead["ID"]) for lead in family_scene.portal.leads()}
    ]
    assert starts == sorted(starts)
    assert len(starts) >= len(family_scene.portal) // 50


def test_12_a_dlt_users_pipeline_on_the_same_dataset_does_not_disturb(duckdb_scene: Scene, tmp_path: Path) -> None:
    scene = duckdb_scene
    pipeline = dlt.pipeline(
        "mine",
        pipelines_dir=str(tmp_path / "pipelines"),
        destination=dlt.destinations.duckdb(scene.to.removeprefix("duckdb:")),
        dataset_name="bitrix24",
    )
    scene.synced()
    scene.later().portal.live(create=2, edit=2, phone_remove=1)
    pipeline.run(leadhouse.bitrix24(scene.url))
    scene.check()
    scene.portal.live(edit=2, phone_remove=2, seed=4)
    scene.sync()
    scene.check()
