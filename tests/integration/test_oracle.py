"""The comparison that all these tests rely on notices what it must."""

from dataclasses import replace
from pathlib import Path

import pytest

from any_scene import AnyScene

DAMAGE = {
    "bitrix24": {
        "a value": "UPDATE {leads} SET opportunity = opportunity + 0.01 WHERE id = (SELECT min(id) FROM {leads})",
        "a time": "UPDATE {leads} SET date_create = date_create + INTERVAL '1 hour'",
        "an empty text": "UPDATE {leads} SET second_name = '' WHERE second_name IS NULL",
        "a flag": "UPDATE {leads} SET opened = NOT opened",
        "a custom field": "UPDATE {leads} SET uf_crm_seats = 77",
        "a row too few": "DELETE FROM {lead_emails} WHERE id = (SELECT min(id) FROM {lead_emails})",
        "a row too many": "INSERT INTO {lead_phones} (id, lead_id, position) SELECT 1, min(id), 9 FROM {leads}",
        "an order": "UPDATE {lead_phones} SET position = position + 1",
        "a row twice": "INSERT INTO {lead_phones} SELECT * FROM {lead_phones} WHERE position = 0",
        "history": "DELETE FROM {lead_stage_history} WHERE type_id = 1",
        "a lead marked deleted that lives": "UPDATE {leads} SET deleted_at = synced_at",
        "a second column for a value": "ALTER TABLE {leads} ADD COLUMN birthdate__v_text VARCHAR",
    },
    "kommo": {
        "a value": "UPDATE {leads} SET price = price + 0.01 WHERE id = (SELECT min(id) FROM {leads})",
        "a time": "UPDATE {leads} SET created_at = created_at + INTERVAL '1 hour'",
        "an empty text": "UPDATE {contacts} SET first_name = '' WHERE first_name IS NULL",
        "a flag": "UPDATE {leads} SET is_deleted = NOT is_deleted",
        "a custom field": "UPDATE {lead_custom_values} SET value = '77' WHERE type = 'date'",
        "a row too few": "DELETE FROM {contact_emails} WHERE contact_id % 9 = 0",
        "a row too many": "INSERT INTO {contact_phones} (contact_id, field_id, position) SELECT min(id), 1, 9 "
        "FROM {contacts}",
        "an order": "UPDATE {contact_phones} SET position = position + 1",
        "a row twice": "INSERT INTO {lead_tags} SELECT * FROM {lead_tags}",
        "a company": "UPDATE {companies} SET name = 'Another'",
        "a stage": "UPDATE {statuses} SET kind = 'open'",
        "a variant": "DELETE FROM {custom_field_options}",
        "a contact marked deleted that lives": "UPDATE {contacts} SET deleted_at = synced_at",
        "a second column for a value": "ALTER TABLE {leads} ADD COLUMN price__v_text VARCHAR",
    },
}


@pytest.fixture
def whole(file_scene: AnyScene) -> AnyScene:
    file_scene.synced()
    return file_scene.check(ignoring_deleted=False)


def test_every_damage_is_noticed(whole: AnyScene) -> None:
    """Each is done to a copy of one good warehouse."""
    good = Path(whole.to.removeprefix("duckdb:"))
    unnoticed = []
    for damage, sql in DAMAGE[whole.source].items():
        copy = good.with_name("copy.duckdb")
        copy.write_bytes(good.read_bytes())
        damaged = replace(whole, to=f"duckdb:{copy}")
        damaged.change(sql)
        try:
            lines = damaged.differences()
        except AssertionError:
            continue
        if not lines:
            unnoticed.append(damage)
    assert unnoticed == []


def test_leads_that_left_the_portal_may_stay_until_they_are_marked(whole: AnyScene) -> None:
    gone = whole.ids()[7]
    whole.delete(gone)
    whole.check()
    with pytest.raises(AssertionError, match=rf"leads\[{gone}\] is in the warehouse, not on the portal"):
        whole.check(ignoring_deleted=False)
    whole.change(f"UPDATE {{leads}} SET deleted_at = synced_at WHERE id = {gone}")  # noqa: S608
    whole.check(ignoring_deleted=False)
