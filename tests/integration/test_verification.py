"""`verify` finds what differs, says what may differ, and writes nothing."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dlt
import pytest

import contents
from any_scene import AnyScene
from crash.processes import environment
from leadhouse.bitrix24 import census
from leadhouse.errors import CredentialsError, StateError
from leadhouse.inventory import Inventory
from leadhouse.pipeline import opened
from leadhouse.verdict import Verdict
from scene import OLD, Crash, Scene, crash_at


def told(verdict: Verdict) -> list[tuple[int, str, Any, Any]]:
    return [(one.lead, one.place, one.portal, one.warehouse) for one in verdict.differences]


def everything(scene: AnyScene) -> dict[str, list[contents.Row]]:
    """Return all rows of all tables, dlt's own included."""
    tables = scene.rows(
        "SELECT table_schema, table_name FROM information_schema.tables "  # noqa: S608 - a test's own names
        f"WHERE table_schema IN ('{scene.dataset}', '{scene.dataset}_staging') ORDER BY 1, 2"
    )
    names = [f'"{row["table_schema"]}"."{row["table_name"]}"' for row in tables]
    return {name: sorted(scene.rows(f"SELECT * FROM {name}"), key=repr) for name in names}  # noqa: S608


@pytest.fixture
def synced(every_scene: AnyScene) -> AnyScene:
    """A warehouse that equals the portal, and an hour later."""
    return every_scene.synced().later()


@pytest.fixture
def filed(file_scene: AnyScene) -> AnyScene:
    """The same, where neither destination nor family matters."""
    return file_scene.synced().later()


@pytest.fixture
def bitrix24(duckdb_scene: Scene) -> Scene:
    """The same of Bitrix24 alone."""
    duckdb_scene.synced().later()
    return duckdb_scene


def test_an_untouched_warehouse_is_equal_and_nothing_is_written(synced: AnyScene) -> None:
    before = everything(synced)
    verdict = synced.verify()
    assert verdict.equal
    assert (verdict.compared, verdict.apart, told(verdict)) == (len(synced.portal), 0, [])
    assert (verdict.counts.portal, verdict.counts.warehouse, verdict.counts.spans) == (150, 150, ())
    assert len(before[f'"{synced.dataset}"."sync_runs"']) == 1
    assert everything(synced) == before


def test_the_bytes_of_the_file_stay(filed: AnyScene, tmp_path: Path) -> None:
    file = tmp_path / "leads.duckdb"
    before = file.read_bytes()
    filed.delete(filed.ids()[3])
    assert not filed.verify().equal
    assert file.read_bytes() == before
    beside = {path.name for path in tmp_path.glob("leads.duckdb*")} - {"leads.duckdb.copy"}  # the scene's own
    assert beside == {"leads.duckdb"}


# What was altered by hand: the SQL, and what verify says of lead {lead} (with a phone and without e-mails).
_ROWS_OF_A_LEAD = "; ".join(f"DELETE FROM {{{{{name}}}}} WHERE lead_id = {{lead}}" for name in Scene.child_tables)  # noqa: S608
_DAMAGE: dict[str, tuple[str, str]] = {
    "a value": ("UPDATE {{leads}} SET opportunity = opportunity + 0.01 WHERE id = {lead}", "leads.opportunity"),
    "an emptied value": ("UPDATE {{leads}} SET title = NULL WHERE id = {lead}", "leads.title"),
    "an empty text": ("UPDATE {{leads}} SET second_name = '' WHERE id = {lead}", "leads.second_name"),
    "a flag": ("UPDATE {{leads}} SET opened = NOT opened WHERE id = {lead}", "leads.opened"),
    "a time": (
        "UPDATE {{leads}} SET date_create = date_create + INTERVAL '1 hour' WHERE id = {lead}",
        "leads.date_create",
    ),
    "a custom field": ("UPDATE {{leads}} SET uf_crm_seats = 777 WHERE id = {lead}", "leads.uf_crm_seats"),
    "a phone too few": ("DELETE FROM {{lead_phones}} WHERE lead_id = {lead}", "lead_phones[{phone}]"),
    "a phone too many": (
        "INSERT INTO {{lead_phones}} (id, lead_id, position) VALUES (1, {lead}, 9)",
        "lead_phones[1]",
    ),
    "a phone changed": (
        "UPDATE {{lead_phones}} SET e164 = '+447700900001' WHERE lead_id = {lead}",
        "lead_phones[{phone}].e164",
    ),
    "a custom value": (
        "INSERT INTO {{lead_custom_values}} (lead_id, field, position, value) VALUES ({lead}, 'uf_crm_x', 0, 'a')",
        "lead_custom_values[uf_crm_x, 0]",
    ),
    "drift": (
        "INSERT INTO {{schema_drift}} (lead_id, field, position, value) VALUES ({lead}, 'opened', 0, 'a')",
        "schema_drift[opened, 0]",
    ),
    "a lead too few": (f"{_ROWS_OF_A_LEAD}; DELETE FROM {{{{leads}}}} WHERE id = {{lead}}", "leads"),  # noqa: S608
    "a messenger too many": ("INSERT INTO {{lead_ims}} (id, lead_id, position) VALUES (1, {lead}, 9)", "lead_ims[1]"),
    "a mark": ("UPDATE {{leads}} SET deleted_at = synced_at WHERE id = {lead}", "leads.deleted_at"),
    "another mark": ("UPDATE {{leads}} SET out_of_sight_at = synced_at WHERE id = {lead}", "leads.out_of_sight_at"),
    "an older version": (
        "UPDATE {{leads}} SET date_modify = date_modify - INTERVAL '1 day' WHERE id = {lead}",
        "leads.date_modify",
    ),
}


def test_every_damage_is_found_at_its_place(both_scene: Scene) -> None:
    """Each to a lead of its own, all at once: nothing hides another."""
    synced = both_scene.synced().later()
    chosen = [int(lead["ID"]) for lead in synced.portal.leads() if len(lead.get("PHONE", ())) == 1]
    wanted = []
    for lead, (sql, place) in zip(chosen, _DAMAGE.values(), strict=False):
        number = synced.portal.lead(lead)["PHONE"][0]["ID"]
        synced.change(sql.format(lead=lead))
        wanted.append((lead, place.format(phone=number)))
    assert len(wanted) == len(_DAMAGE)
    verdict = synced.verify()
    assert not verdict.equal
    assert [(lead, place) for lead, place, _, _ in told(verdict)] == wanted
    assert verdict.apart == 0


def test_a_lead_that_is_there_twice_is_found_also_outside_the_sample(filed: AnyScene) -> None:
    twice = filed.ids()[5]
    filed.change(f"INSERT INTO {{leads}} SELECT * FROM {{leads}} WHERE id = {twice}")  # noqa: S608
    assert told(filed.verify(sample=0)) == [(twice, "leads", "there", "2 rows")]


@pytest.mark.parametrize("way", ["counts", "listing"])
def test_missing_vanished_and_hidden_leads_are_told_apart(
    bitrix24: Scene, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "counts":
        monkeypatch.setattr(census, "_SMALL_REQUESTS", 0)
        monkeypatch.setattr(census, "_MARGIN_IDS", 10)
        monkeypatch.setattr(census, "_requests_to_come", lambda *_: 0)
    gone, hidden = bitrix24.ids()[10], bitrix24.ids()[90]
    bitrix24.delete(gone)
    bitrix24.hide(hidden)
    (imported,) = bitrix24.portal.import_leads(1, OLD)
    verdict = bitrix24.verify(sample=0)
    assert told(verdict) == [
        (gone, "leads", "not found", "there"),
        (hidden, "leads", "access denied", "there"),
        (imported, "leads", "there", "missing"),
    ]
    assert (verdict.counts.by, verdict.counts.portal, verdict.counts.warehouse) == (way, 149, 150)
    assert sum(span.portal - span.warehouse for span in verdict.counts.spans) == -1


def test_a_lead_that_came_back_hides_none_that_vanished_beside_it(
    bitrix24: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their span has the same count."""
    monkeypatch.setattr(census, "_SMALL_REQUESTS", 0)
    monkeypatch.setattr(census, "_MARGIN_IDS", 10)
    monkeypatch.setattr(census, "MAX_COMMANDS", 2)
    back, gone = bitrix24.ids()[20:22]
    bitrix24.change(f"UPDATE {{leads}} SET out_of_sight_at = synced_at WHERE id = {back}")  # noqa: S608
    bitrix24.delete(gone)
    assert [(lead, place) for lead, place, _, _ in told(bitrix24.verify(sample=0))] == [
        (back, "leads.out_of_sight_at"),
        (gone, "leads"),
    ]


def test_a_lead_that_the_warehouse_has_marked_as_gone_is_no_difference(filed: AnyScene) -> None:
    gone = filed.ids()[10]
    filed.delete(gone)
    filed.change(f"UPDATE {{leads}} SET deleted_at = synced_at WHERE id = {gone}")  # noqa: S608
    verdict = filed.verify()
    assert (verdict.equal, verdict.compared, verdict.counts.warehouse) == (True, 149, 149)


def test_an_edit_that_moves_no_date_is_found(filed: AnyScene) -> None:
    lead = filed.ids()[7]
    title = filed.title_of(lead)
    filed.edit_quietly(lead, "changed quietly")
    assert told(filed.verify()) == [(lead, f"leads.{filed.title_column}", "changed quietly", title)]


def test_what_happened_since_the_last_window_is_set_apart(synced: AnyScene) -> None:
    touched = synced.life(edit=4, stage=2) | {synced.add(f"new {number}") for number in range(3)}
    verdict = synced.verify()
    assert (verdict.equal, verdict.apart, verdict.compared) == (True, len(touched), 150 - len(touched) + 3)
    assert (verdict.counts.portal, verdict.counts.warehouse) == (153, 150)
    synced.sync()
    verdict = synced.verify()
    assert (verdict.equal, verdict.apart, verdict.compared) == (True, 0, 153)


def test_damage_to_a_lead_that_was_edited_before_the_last_window_is_found_at_once(filed: AnyScene) -> None:
    """It lies in the overlap, and the warehouse has that very version."""
    lead = filed.ids()[7]
    filed.edit(lead, "new")
    filed.portal.clock.advance(10)
    filed.sync()
    filed.change(f"UPDATE {{leads}} SET {filed.title_column} = 'damaged' WHERE id = {lead}")  # noqa: S608
    assert told(filed.verify()) == [(lead, f"leads.{filed.title_column}", "new", "damaged")]


def test_a_sample_is_compared_and_every_id_and_time(bitrix24: Scene) -> None:
    lead, stale = bitrix24.ids()[7], bitrix24.ids()[8]
    bitrix24.change(f"UPDATE {{leads}} SET date_modify = date_modify - INTERVAL '1 day' WHERE id = {stale}")  # noqa: S608
    asked = bitrix24.portal.commands["crm.lead.get"]
    verdict = bitrix24.verify(sample=20, seed=4)
    assert [(one.lead, one.column) for one in verdict.differences] == [(stale, "date_modify")]
    assert 20 <= verdict.compared <= 21
    assert bitrix24.portal.commands["crm.lead.get"] - asked == verdict.compared
    bitrix24.change(f"UPDATE {{leads}} SET title = 'damaged' WHERE id <> {lead}")  # noqa: S608
    first = bitrix24.verify(sample=20, seed=4)
    assert first.differences == bitrix24.verify(sample=20, seed=4).differences
    assert first.differences != bitrix24.verify(sample=20, seed=5).differences


def test_a_killed_first_run_has_nothing_to_verify_yet(filed: AnyScene, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = replace(filed, to=filed.to.replace("leads", "fresh"))
    with pytest.raises(StateError, match="run `leadhouse sync` first"):
        fresh.verify()
    with monkeypatch.context() as patch:
        fresh.in_small_packages(patch, leads=50, pages=1)
        crash_at(patch, dlt.Pipeline, "load", 2)
        with pytest.raises(Crash):
            fresh.sync()
    with pytest.raises(StateError, match="run `leadhouse sync` first"):
        fresh.verify()


def test_a_window_that_a_killed_run_left_open_is_set_apart(filed: AnyScene, monkeypatch: pytest.MonkeyPatch) -> None:
    for position, lead in enumerate(filed.ids()):  # each in a second of its own
        filed.portal.clock.advance(position % 2)
        filed.edit(lead, "edited")
    with monkeypatch.context() as patch:
        filed.in_small_packages(patch, leads=50, pages=1)
        crash_at(patch, dlt.Pipeline, "load", 2)
        with pytest.raises(Crash):
            filed.sync()
    verdict = filed.verify()
    assert (verdict.equal, verdict.apart + verdict.compared) == (True, 150)
    assert 0 < verdict.apart < 150


def test_values_that_stores_keep_in_their_own_way_are_equal(both_scene: Scene) -> None:
    """NUL, years 1 and 9999, cents, text of many scripts, values that fit no column."""
    synced = both_scene.synced().later()
    lead = synced.with_phone()
    synced.portal.update_lead(
        lead, {"TITLE": "a\x00b ✓ Σ", "OPPORTUNITY": "9999999999999.99", "PHONE": [{"VALUE": "\x00 7700 900123"}]}
    )
    synced.portal.distort_lead(
        lead,
        {
            "MOVED_TIME": b'"0001-01-01T00:00:00+00:00"',
            "LAST_ACTIVITY_TIME": b'"9999-12-31T23:59:59+00:00"',
            "OPENED": b'"perhaps"',
            "POST": rb'"half a pair \ud83d"',
        },
    )
    synced.sync()
    synced.later()
    assert told(synced.verify()) == []


def test_a_custom_field_that_only_the_portal_knows_is_no_difference_until_it_has_a_value(bitrix24: Scene) -> None:
    bitrix24.portal.add_userfield("UF_CRM_REGION", "string")
    assert bitrix24.verify().equal
    lead = bitrix24.with_phone()
    bitrix24.portal.update_lead(lead, {"UF_CRM_REGION": "West"}, touch=False)
    assert told(bitrix24.verify()) == [(lead, "leads.uf_crm_region", "West", None)]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", ["rate_limited", "html_502", "html_200", "reset"])
def test_faults_are_waited_out(bitrix24: Scene, fault: str) -> None:
    struck = bitrix24.portal.faults.add(fault, times=3, match="batch", every=2)
    verdict = bitrix24.verify()
    assert (verdict.equal, verdict.compared, struck.fired) == (True, 150, 3)
    assert verdict.summary.retries == 3


@pytest.mark.usefixtures("_impatient")
def test_a_command_that_is_left_out_is_asked_again(bitrix24: Scene) -> None:
    struck = bitrix24.portal.faults.add("command_missing", times=5, match="crm.lead.get")
    assert (bitrix24.verify().compared, struck.fired) == (150, 5)


def test_a_refused_access_is_the_operators(filed: AnyScene) -> None:
    filed.refuse()
    before = everything(filed)
    with pytest.raises(CredentialsError):
        filed.verify()
    assert everything(filed) == before


def test_a_run_at_work_is_not_hindered_nor_waited_for(each_scene: AnyScene) -> None:
    """Another run holds the warehouse's locks all the while."""
    scene = each_scene.synced()
    scene.later().life(create=2, edit=3)
    with opened(scene.warehouse(), lock_timeout=5.0):
        assert scene.verify(lock_timeout=0.0).equal


def test_a_sync_between_two_looks_makes_no_difference(
    postgres_url: str, file_scene: AnyScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Postgres, where a run may load while the portal is asked."""
    scene = replace(file_scene, to=postgres_url).synced()
    monkeypatch.setattr("leadhouse.verification._LOT_LEADS", 60)
    looks: list[str] = []

    def followed_by_a_sync(name: str) -> None:
        original = getattr(Inventory, name)

        def look(*given: Any) -> Any:
            seen = original(*given)
            if name not in looks:
                looks.append(name)
                scene.portal.clock.advance(700)
                scene.life(create=2, edit=20, phone_add=5, phone_remove=5, seed=len(looks))
                scene.sync()
            return seen

        monkeypatch.setattr(Inventory, name, look)

    followed_by_a_sync("live")
    followed_by_a_sync("whole")
    verdict = scene.verify()
    assert looks == ["live", "whole"]
    assert (told(verdict), verdict.apart > 0) == ([], True)


# The command


@pytest.fixture
def command(filed: AnyScene, tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run `leadhouse verify` as a person would."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "leadhouse", "verify", filed.source, "--to", filed.to, *arguments],
            env={**os.environ, **environment(**filed.environment())},
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    return run


def test_the_command_exits_with_0_1_and_2(
    filed: AnyScene, command: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    done = command()
    assert (done.returncode, done.stdout.split("\n")[-2]) == (0, "equal"), done.stderr
    owner = filed.with_phone()
    (phone,) = filed.phones(owner)
    damage = f"SET value = '+447700900199' WHERE {filed.phones_parent} = {owner}"
    filed.change(f"UPDATE {{{filed.phones_table}}} {damage}")
    masked, shown, parsed = command(), command("--show-values"), command("--json", "--sample", "all")
    assert [done.returncode for done in (masked, shown, parsed)] == [1, 1, 1]
    assert "1 difference\n" in masked.stdout
    assert f"{filed.phones_table}[" in masked.stdout
    for said in (masked.stdout, masked.stderr, shown.stderr, parsed.stdout, parsed.stderr):
        assert phone not in said
        assert "900199" not in said
    assert phone in shown.stdout
    assert "+447700900199" in shown.stdout
    assert json.loads(parsed.stdout)["differences"][0]["table"] == filed.phones_table
    filed.refuse()
    refused = command("--json")
    assert (refused.returncode, refused.stdout) == (2, "")


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("size", [0], ids=["empty"])
def test_an_empty_portal_equals_an_empty_warehouse(every_scene: AnyScene) -> None:
    every_scene.sync()
    verdict = every_scene.verify()
    assert (verdict.equal, verdict.compared, verdict.counts.portal, verdict.counts.warehouse) == (True, 0, 0, 0)
