"""One contract, whatever the destination: what is promised of DuckDB holds on Postgres and on lakes as well."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import contents
from any_scene import AnyScene, Crash, crash_at, leftovers, lose_disk
from leadhouse import state
from leadhouse.errors import OperatorError
from leadhouse.flow import LeadFlow
from leadhouse.status import status
from leadhouse.views import _reviewed


def test_a_life_with_bitrix24(scene: AnyScene, tmp_path: Path) -> None:
    """A first sync, edits, removed phones, a new field, a lost disk: the tables equal the portal throughout."""
    assert scene.sync().leads_read == len(scene.portal)
    scene.check(ignoring_deleted=False)
    assert contents.table_columns(scene.to, scene.dataset, scene.source) == scene.promised_columns()

    owner, last = scene.with_phone(), scene.ids()[-1]
    scene.later().drop_phones(owner)
    scene.portal.add_userfield("UF_CRM_DEPOSIT", "money")
    touched = scene.life(seed=5, create=3, edit=4, phone_add=2, phone_remove=2, stage=3)
    scene.portal.update_lead(last, {"UF_CRM_DEPOSIT": "0.10|EUR", "OPPORTUNITY": "9999999999999.99"})
    lose_disk(tmp_path / "dlt")
    summary = scene.sync()
    assert summary.leads_read - summary.leads_unchanged == len(touched | {owner, last})
    assert scene.phones(owner) == []
    row = scene.lead(last)
    assert (row["uf_crm_deposit"], row["opportunity"]) == (Decimal("0.10"), Decimal("9999999999999.99"))
    scene.check()
    assert contents.table_columns(scene.to, scene.dataset, scene.source) == scene.promised_columns()

    written, cursor = scene.written_at(), scene.state()["cursor"]
    summary = scene.later().sync()
    assert (summary.leads_read - summary.leads_unchanged, summary.rows_written) == (0, 0)
    assert summary.requests <= 2
    assert scene.written_at() == written
    assert scene.state()["cursor"] > cursor
    assert leftovers(tmp_path / "dlt" / "pipelines") == []


@pytest.mark.long
def test_a_life_with_kommo(kommo_scene: AnyScene) -> None:
    """Three chains of tables; events tell of deletions."""
    scene = kommo_scene
    scene.sync()
    scene.check(ignoring_deleted=False)
    assert contents.table_columns(scene.to, scene.dataset, scene.source) == scene.promised_columns()
    owner, gone = scene.with_phone(), scene.ids()[3]
    scene.later().drop_phones(owner)
    scene.life(create=3, edit=4, seed=2)
    scene.delete(gone)
    scene.sync()
    assert scene.phones(owner) == []
    assert scene.marks() == ({gone}, set())
    scene.check()
    assert scene.sync().rows_written == 0


@pytest.mark.long
def test_the_operators_commands(scene: AnyScene) -> None:
    """Reconcile, lead, status, state, a span read again, everything read again."""
    scene.sync()
    first, second, third, *_ = scene.ids()
    scene.delete(first)
    scene.hide(second)
    (old,) = scene.import_old(1)
    summary = scene.later().reconcile()
    assert (summary.leads_deleted, summary.leads_out_of_sight, summary.leads_recovered) == (1, 1, 1)
    assert scene.marks() == ({first}, {second})
    assert scene.lead(old)["id"] == old
    marked_at = scene.lead(first)["deleted_at"]
    scene.reveal(second)
    scene.reconcile()
    assert scene.marks() == ({first}, set())
    assert scene.lead(first)["deleted_at"] == marked_at

    scene.edit(third, "asked for")
    scene.fetch(third)
    assert scene.title(third) == "asked for"

    told = status(scene.warehouse(), scene.source, lock_timeout=5.0)
    assert told["rows"]["leads"] == len(scene.ids()) + 1
    assert [run["outcome"] for run in told["runs"]] == ["done"] * 4
    json.dumps(told)

    written = scene.written_at()
    summary = scene.sync(since="2000-01-01")
    assert (summary.leads_read, summary.rows_written) == (len(scene.ids()), 0)
    assert scene.written_at() == written
    state.rewind_to(scene.warehouse(), scene.source, datetime(2001, 1, 1, tzinfo=UTC), lock_timeout=5.0)
    assert scene.sync().leads_read == len(scene.ids())
    state.reset(scene.warehouse(), scene.source, lock_timeout=5.0)
    assert scene.state()["cursor"] is None
    assert scene.sync().leads_read == len(scene.ids())
    assert scene.sync(full=True).rows_written > len(scene.ids())
    scene.check(ignoring_deleted=False)


def test_a_run_that_breaks_off_is_read_on(scene: AnyScene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch:
        scene.in_small_packages(patch, leads=25, pages=1)
        crash_at(patch, LeadFlow, "package", 2)
        with pytest.raises(Crash):
            scene.sync()
    lose_disk(tmp_path / "dlt")
    scene.life(create=2, edit=4, phone_remove=2, seed=9)
    assert scene.later().sync().leads_read < 2 * len(scene.portal)
    scene.check()


def test_the_reviewed_views_run_over_the_tables(scene: AnyScene) -> None:
    scene.sync()
    for view, sql in _reviewed().items():
        found = contents.query(scene.to, sql["bitrix24"].replace("{dataset}", f'"{scene.dataset}"'))
        if view == "leads":
            amounts = {row["lead_id"]: (row["title"], row["amount"], row["created_at"]) for row in found}
            held = contents.actual(scene.to)["leads"].values()
            assert amounts == {row["id"]: (row["title"], row["opportunity"], row["date_create"]) for row in held}
        assert found


def test_a_warehouse_that_was_never_filled_has_nothing_to_show(scene: AnyScene, tmp_path: Path) -> None:
    for looking in (scene.state, scene.verify):
        with pytest.raises(OperatorError):
            looking()
    assert not (tmp_path / "bucket").exists()
