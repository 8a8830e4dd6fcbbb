"""`verify` of an account: what differs is found at its place, faults are waited out."""

from typing import Any

import pytest

from kommo_scene import KommoScene
from leadhouse.verdict import Verdict

_PHONE = 771_002

# What was altered by hand: the SQL, and what verify says of the row of that id.
_DAMAGE: dict[str, tuple[str, str, str]] = {
    "a value": ("leads", "UPDATE {{leads}} SET price = price + 0.01 WHERE id = {id}", "leads.price"),
    "an emptied value": ("leads", "UPDATE {{leads}} SET name = NULL WHERE id = {id}", "leads.name"),
    "an empty text": ("leads", "UPDATE {{leads}} SET visitor_uid = '' WHERE id = {id}", "leads.visitor_uid"),
    "a flag": ("leads", "UPDATE {{leads}} SET is_deleted = true WHERE id = {id}", "leads.is_deleted"),
    "a time": (
        "leads",
        "UPDATE {{leads}} SET created_at = created_at + INTERVAL '1 hour' WHERE id = {id}",
        "leads.created_at",
    ),
    "an older version": (
        "leads",
        "UPDATE {{leads}} SET updated_at = updated_at - INTERVAL '1 day' WHERE id = {id}",
        "leads.updated_at",
    ),
    "a lead too few": ("leads", "DELETE FROM {{leads}} WHERE id = {id}", "leads"),
    "a custom value": (
        "leads",
        "INSERT INTO {{lead_custom_values}} (lead_id, field_id, position, value) VALUES ({id}, 7, 0, 'a')",
        "lead_custom_values[7, 0]",
    ),
    "a tag": ("leads", "INSERT INTO {{lead_tags}} (lead_id, position, tag_id) VALUES ({id}, 9, 1)", "lead_tags[9]"),
    "a link": (
        "leads",
        "INSERT INTO {{lead_contacts}} (lead_id, position, contact_id) VALUES ({id}, 9, 1)",
        "lead_contacts[9]",
    ),
    "drift": (
        "leads",
        "INSERT INTO {{schema_drift}} (lead_id, field, position, value) VALUES ({id}, 'score', 0, 'a')",
        "schema_drift[score, 0]",
    ),
    "a mark": ("leads", "UPDATE {{leads}} SET deleted_at = synced_at WHERE id = {id}", "leads.deleted_at"),
    "another mark": (
        "leads",
        "UPDATE {{leads}} SET out_of_sight_at = synced_at WHERE id = {id}",
        "leads.out_of_sight_at",
    ),
    "a contact": ("contacts", "UPDATE {{contacts}} SET name = 'Nobody' WHERE id = {id}", "contacts.name"),
    "a contact too few": ("contacts", "DELETE FROM {{contacts}} WHERE id = {id}", "contacts"),
    "a phone too few": (
        "contacts",
        "DELETE FROM {{contact_phones}} WHERE contact_id = {id}",
        f"contact_phones[{_PHONE}, 0]",
    ),
    "a phone too many": (
        "contacts",
        "INSERT INTO {{contact_phones}} (contact_id, field_id, position) VALUES ({id}, 7, 9)",
        "contact_phones[7, 9]",
    ),
    "a phone changed": (
        "contacts",
        "UPDATE {{contact_phones}} SET e164 = '+447700900001' WHERE contact_id = {id}",
        f"contact_phones[{_PHONE}, 0].e164",
    ),
    "a mark of a contact": (
        "contacts",
        "UPDATE {{contacts}} SET deleted_at = synced_at WHERE id = {id}",
        "contacts.deleted_at",
    ),
    "a company": ("companies", "UPDATE {{companies}} SET name = 'Nobody & Sons' WHERE id = {id}", "companies.name"),
}


@pytest.fixture
def scene(kommo_scene: KommoScene) -> KommoScene:
    """A warehouse that equals the account, and an hour later."""
    return kommo_scene.synced().later()


def told(verdict: Verdict) -> list[tuple[int, str, Any, Any]]:
    return [(one.lead, one.place, one.portal, one.warehouse) for one in verdict.differences]


def test_every_damage_is_found_at_its_place(scene: KommoScene) -> None:
    """Each to a row of its own, all at once: nothing hides another."""
    with_phone = [one["id"] for one in scene.account.contacts() if len(scene.phones_of(one["id"])) == 1]
    rows = {
        "leads": iter(scene.ids()),
        "contacts": iter(with_phone),
        "companies": iter([one["id"] for one in scene.account.companies()]),
    }
    wanted = []
    for table, sql, place in _DAMAGE.values():
        number = next(rows[table])
        scene.change(sql.format(id=number))
        wanted.append((number, place))
    verdict = scene.verify()
    assert not verdict.equal
    assert sorted((number, place) for number, place, _, _ in told(verdict)) == sorted(wanted)
    assert verdict.apart == 0


def test_missing_and_vanished_leads_are_told(scene: KommoScene) -> None:
    gone, hidden = scene.ids()[10], scene.ids()[90]
    scene.delete(gone)
    scene.hide(hidden)
    (imported,) = scene.import_old(1)
    verdict = scene.verify(sample=0)
    of_leads = [difference for difference in told(verdict) if difference[1] == "leads"]
    assert of_leads == [
        (gone, "leads", "not found", "there"),
        (hidden, "leads", "not found", "there"),
        (imported, "leads", "there", "missing"),
    ]
    assert (verdict.counts.by, verdict.counts.portal, verdict.counts.warehouse) == ("listing", 149, 150)


def test_edits_of_contacts_since_the_last_window_are_set_apart(scene: KommoScene) -> None:
    loser, winner = scene.with_phone(), scene.without_phone()
    scene.drop_phones(loser)
    scene.add_phone(winner, "+44 7700 900123")
    verdict = scene.verify()
    assert (verdict.equal, verdict.apart, verdict.compared) == (True, 2, 150)


def test_a_sample_takes_fewer_requests(scene: KommoScene) -> None:
    lead = scene.ids()[8]
    scene.change(f"UPDATE {{leads}} SET updated_at = updated_at - INTERVAL '1 day' WHERE id = {lead}")  # noqa: S608
    verdict = scene.verify(sample=20, seed=4)
    assert [(one.lead, one.column) for one in verdict.differences] == [(lead, "updated_at")]
    assert 20 <= verdict.compared <= 21


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("fault", ["rate_limited", "html_502", "html_200", "reset", "truncated_json", "error_504"])
def test_faults_are_waited_out(scene: KommoScene, fault: str) -> None:
    struck = scene.account.faults.add(fault, times=3, match="/api/v4/leads")
    verdict = scene.verify()
    assert (verdict.equal, verdict.compared, struck.fired) == (True, 150, 3)


def test_an_account_that_ignores_lists_of_ids_is_read_lead_by_lead(scene: KommoScene) -> None:
    scene.account.switches.filter_enabled = False
    verdict = scene.verify(sample=20)
    assert (verdict.equal, verdict.compared) == (True, 20)
