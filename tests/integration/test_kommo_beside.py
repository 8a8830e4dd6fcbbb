"""What is read beside the leads: contacts, companies, dictionaries; when, and at which price."""

from collections import Counter
from typing import Any

import dlt
import pytest

from any_scene import Crash, crash_at
from kommo_scene import KommoScene

DICTIONARIES = ("/api/v4/leads/pipelines", "/api/v4/users", "/api/v4/leads/loss_reasons", "/api/v4/leads/custom_fields")


@pytest.fixture
def scene(kommo_scene: KommoScene) -> KommoScene:
    """A warehouse that equals the account."""
    return kommo_scene.synced()


def asked(scene: KommoScene, **options: Any) -> Counter[str]:
    """Sync; return the requests that it took, by path."""
    scene.account.requests.clear()
    scene.sync(**options)
    return scene.account.requests.copy()


def test_phones_of_a_contact_come_without_any_change_of_a_lead(scene: KommoScene) -> None:
    loser, winner = scene.with_phone(), scene.without_phone()
    written = scene.written_at()
    scene.later().drop_phones(loser)
    scene.add_phone(winner, "+44 7700 900123")
    summary = scene.sync()
    assert summary.leads_read == summary.leads_unchanged
    assert (scene.phones(loser), scene.phones(winner)) == ([], ["+44 7700 900123"])
    assert scene.written_at() == written
    scene.check(ignoring_deleted=False)


def test_a_company_comes_with_the_next_change_or_within_the_hour(scene: KommoScene) -> None:
    company = scene.account.companies()[0]["id"]
    scene.account.clock.advance(600)
    scene.account.update_company(company, {"name": "Renamed Ltd", "tags_to_add": [{"name": "vip ⭐"}]})
    scene.sync()
    scene.account.clock.advance(600)
    scene.edit(scene.ids()[0], "edited")
    scene.sync()
    scene.check(ignoring_deleted=False)
    scene.account.clock.advance(600)
    scene.account.update_company(company, {"name": "Renamed again Ltd"})
    scene.later().sync()
    assert scene.one(f"SELECT name FROM {{companies}} WHERE id = {company}") == "Renamed again Ltd"  # noqa: S608
    scene.check(ignoring_deleted=False)


def test_an_idle_run_takes_two_requests_and_writes_no_rows(scene: KommoScene) -> None:
    written = scene.written_at()
    for seconds in (1, 120, 600, 1200):
        scene.account.clock.advance(seconds)
        summary = scene.sync()
        assert (summary.requests, summary.leads_read, summary.rows_written) == (2, summary.leads_unchanged, 0)
        assert summary.cursor_to == scene.account.clock.now()
    assert scene.written_at() == written


@pytest.mark.parametrize("bounds", ["inclusive", "exclusive"])
def test_an_idle_run_right_after_a_busy_one_takes_two_requests(scene: KommoScene, bounds: Any) -> None:
    scene.account.switches.bounds = bounds
    scene.later().life(seed=8, create=10, edit=30, phone_add=10, phone_remove=5, stage=5)
    scene.sync()
    written = scene.written_at()
    for seconds in (0, 1, 60, 200, 400):
        scene.account.clock.advance(seconds)
        summary = scene.sync()
        assert (summary.requests, summary.rows_written) == (2, 0)
    assert scene.written_at() == written
    scene.check(ignoring_deleted=False)


def test_dictionaries_are_read_again_when_something_changed_or_after_an_hour(scene: KommoScene) -> None:
    pipeline, stages = next(iter(scene.account.stages.items()))
    scene.account.rename_stage(pipeline, stages[1], "Fresh")
    scene.account.clock.advance(1800)
    assert not asked(scene).keys() & set(DICTIONARIES)
    scene.account.clock.advance(600)
    scene.edit(scene.ids()[0], "edited")
    assert asked(scene).keys() >= set(DICTIONARIES)
    scene.check(ignoring_deleted=False)
    scene.account.rename_stage(pipeline, stages[1], "Fresher")
    scene.account.clock.advance(3599)
    assert not asked(scene).keys() & set(DICTIONARIES)
    scene.account.clock.advance(1)
    assert asked(scene).keys() >= set(DICTIONARIES)
    scene.check(ignoring_deleted=False)


def test_a_change_of_a_contact_alone_makes_dictionaries_be_read(scene: KommoScene) -> None:
    scene.account.add_user("New Colleague", "colleague@example.com")
    scene.account.clock.advance(600)
    scene.add_phone(scene.without_phone(), "+44 7700 900123")
    scene.sync()
    scene.check(ignoring_deleted=False)


def test_what_the_account_drops_of_dictionaries_goes_and_variants_stay_explained(scene: KommoScene) -> None:
    field = next(own for own in scene.account.fields["leads"].values() if own.type == "select")
    dropped, *_ = field.enums.pop(0)
    gone = scene.account.users()[-1]["id"]
    scene.account.remove_user(gone)
    scene.later().sync()
    assert scene.rows(f"SELECT id FROM {{users}} WHERE id = {gone}") == []  # noqa: S608
    assert scene.one(f"SELECT count(*) FROM {{custom_field_options}} WHERE id = {dropped}") == 1  # noqa: S608
    scene.check(ignoring_deleted=False)


def test_somebody_who_is_no_administrator_reads_all_but_users(kommo_scene: KommoScene) -> None:
    scene = kommo_scene
    scene.account.switches.non_admin = True
    summary = scene.sync()
    assert summary.unavailable == ["users"]
    assert 0 < summary.leads_read == len(scene.account) < 150
    scene.check(ignoring_deleted=False)
    scene.later().life(seed=1, edit=3)
    scene.sync()
    scene.check()


def test_users_stay_when_the_access_loses_its_rights(scene: KommoScene) -> None:
    held = scene.rows("SELECT * FROM {users} ORDER BY id")
    scene.later().account.switches.non_admin = True
    assert scene.sync().unavailable == ["users"]
    assert scene.rows("SELECT * FROM {users} ORDER BY id") == held


@pytest.mark.parametrize(("since", "until"), [("2001-01-01", None), ("2001-01-01", "2026-11-21T12:00:00Z")])
def test_a_crashed_backfill_is_read_on(
    scene: KommoScene, monkeypatch: pytest.MonkeyPatch, since: str, until: str | None
) -> None:
    before = scene.state()["cursor"]
    scene.change("UPDATE {leads} SET name = 'damaged', _fingerprint = 0")
    scene.change("UPDATE {contacts} SET name = 'damaged', _fingerprint = 0")
    with monkeypatch.context() as patch:
        scene.in_small_packages(patch, leads=50, pages=1)
        crash_at(patch, dlt.Pipeline, "load", 2)
        with pytest.raises(Crash):
            scene.sync(since=since, until=until)
        damaged = scene.one("SELECT count(*) FROM {leads} WHERE name = 'damaged'")
        assert 0 < damaged < 150
    assert scene.state()["cursor"] == before
    summary = scene.sync(since=since, until=until)
    assert damaged <= summary.leads_read < 150
    assert scene.state()["cursor"] == before
    assert scene.state()["backfill"] is None
    scene.check(ignoring_deleted=False)


def test_a_backfill_reads_its_span_alone(scene: KommoScene) -> None:
    early, late, contact = scene.ids()[0], scene.ids()[1], scene.with_phone()
    scene.later().edit(early, "at one")
    scene.add_phone(contact, "+44 7700 900123")
    scene.later().edit(late, "at two")
    scene.later().sync()
    scene.change("UPDATE {leads} SET name = 'damaged', _fingerprint = 0")
    scene.change("DELETE FROM {contact_phones}")
    scene.change("UPDATE {contacts} SET _fingerprint = 0")
    summary = scene.sync(since="2026-11-21T09:30:00Z", until="2026-11-21T10:30:00Z")
    assert summary.leads_read == 1
    assert (scene.title(early), scene.title(late)) == ("at one", "damaged")
    assert len(scene.phones(contact)) == 2
    assert scene.one("SELECT count(DISTINCT contact_id) FROM {contact_phones}") == 1


def test_companies_and_deletions_are_not_forgotten_by_a_crashed_window(
    scene: KommoScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first page showed nothing new, so at first it did not look at them."""
    with monkeypatch.context() as patch:
        scene.in_small_packages(patch, leads=50, pages=1)
        scene.later().storm(scene.ids()[:60], "before the cursor")
        scene.sync()
        scene.account.clock.advance(60)
        company = scene.account.companies()[0]["id"]
        scene.account.update_company(company, {"name": "Renamed Ltd"})
        scene.delete(scene.ids()[-1])
        scene.account.clock.advance(60)
        scene.storm(scene.ids()[60:], "behind the first page")
        crash_at(patch, dlt.Pipeline, "load", 2)
        with pytest.raises(Crash):
            scene.sync()
    scene.sync()
    scene.later().sync()
    scene.check(ignoring_deleted=False)
