"""What the portal's words mean: stages, users, currencies, titles and variants of fields, also those that are gone."""

from typing import Any

import pytest

import contents
from kommo_scene import KommoScene
from leadhouse.errors import ConfigurationError
from leadhouse.sandbox import kommo
from leadhouse.sandbox.kommo import Account
from scene import Scene

SEGMENT = "UF_CRM_1704817278"


def variants(scene: Scene) -> dict[int, contents.Row]:
    rows = scene.rows(f"SELECT * FROM {{lead_field_options}} WHERE field = '{SEGMENT.lower()}'")  # noqa: S608 - a field
    return {row["id"]: row for row in rows}


def seen(row: contents.Row) -> tuple[Any, ...]:
    """Return the hours of a row's times, None for none."""
    return tuple(row[name] and row[name].hour for name in ("first_seen_at", "last_seen_at", "removed_at"))


def test_every_dictionary_is_there_whole(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    portal = scene.portal
    statuses = scene.rows("SELECT * FROM {statuses}")
    wanted = {(row["ENTITY_ID"], row["STATUS_ID"]) for row in portal.statuses()}
    assert {(row["entity_id"], row["status_id"]) for row in statuses} == wanted
    assert len({entity for entity, _ in wanted}) > 3
    users = {row["id"]: row["is_active"] for row in scene.rows("SELECT * FROM {users}")}
    assert users == {int(row["ID"]): row["ACTIVE"] for row in portal.users()}
    assert False in users.values()
    currencies = scene.rows("SELECT currency FROM {currencies}")
    assert {row["currency"] for row in currencies} == {row["CURRENCY"] for row in portal.currencies()}


def test_stages_have_their_colour_order_and_outcome(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    stages = scene.rows("SELECT * FROM {statuses} WHERE entity_id = 'STATUS' ORDER BY sort")
    assert [row["status_id"] for row in stages][:2] == ["NEW", "IN_PROCESS"]
    assert [row["sort"] for row in stages] == sorted(row["sort"] for row in stages)
    assert all(row["color"].startswith("#") for row in stages)
    outcomes = {row["status_id"]: row["semantics"] for row in stages}
    assert (outcomes["NEW"], outcomes["CONVERTED"], outcomes["JUNK"]) == (None, "S", "F")


@pytest.mark.parametrize(
    ("told", "semantics"), [("process", None), ("success", "S"), ("failure", "F"), ("apology", "F")]
)
def test_a_stage_whose_colour_and_outcome_stand_in_extra_alone_has_them(
    duckdb_scene: Scene, monkeypatch: pytest.MonkeyPatch, told: str, semantics: str | None
) -> None:
    scene = duckdb_scene
    stages = [
        {**row, "COLOR": "", "SEMANTICS": None, "EXTRA": {"COLOR": "#123456", "SEMANTICS": told}}
        if row["ENTITY_ID"] == "STATUS"
        else {**row, "EXTRA": []}
        for row in scene.portal.statuses()
    ]
    monkeypatch.setattr(scene.portal, "statuses", lambda: [dict(row) for row in stages])
    scene.sync()
    found = scene.rows("SELECT DISTINCT color, semantics FROM {statuses} WHERE entity_id = 'STATUS'")
    assert found == [{"color": "#123456", "semantics": semantics}]


def test_titles_come_in_the_configured_language(either_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = either_scene
    scene.portal.userfield_map["UF_CRM_SEATS"].titles["ru"] = "Места"

    def title(name: str) -> Any:
        return scene.one(f"SELECT title FROM {{lead_fields}} WHERE name = '{name}'")  # noqa: S608 - a field

    scene.synced()
    assert title("UF_CRM_SEATS") == "Seats"
    monkeypatch.setenv("SOURCES__BITRIX24__LANGUAGE", "RU")
    scene.sync()
    assert (title("UF_CRM_SEATS"), title("STATUS_ID")) == ("Места", "Stage")


def test_a_language_that_is_none_is_refused(duckdb_scene: Scene) -> None:
    with pytest.raises(ConfigurationError, match="language is 'russian'; it is two letters"):
        duckdb_scene.sync(language="Russian")


def test_a_variant_that_was_deleted_stays_and_says_when(either_scene: Scene) -> None:
    """At 9 it is there, at 10 another comes, at 11 it goes, at 12 it is back."""
    scene = either_scene
    scene.synced()
    options = scene.portal.userfield_map[SEGMENT].options
    first = options[0]
    options.append((99, "Kiosks"))
    scene.later().sync()
    options.remove(first)
    scene.later().sync()
    gone = variants(scene)
    assert (gone[first[0]]["value"], seen(gone[first[0]])) == (first[1], (9, 10, 11))
    assert (gone[99]["value"], seen(gone[99])) == ("Kiosks", (10, 11, None))
    options.insert(0, first)
    scene.later().sync()
    assert seen(variants(scene)[first[0]]) == (9, 12, None)


def test_an_idle_run_asks_once_and_writes_no_dictionary(either_scene: Scene) -> None:
    scene = either_scene
    scene.synced()
    tables = ("statuses", "users", "currencies", "lead_fields", "lead_field_options")
    before = {name: scene.held()[name] for name in tables}
    summary = scene.later().sync()
    assert (summary.requests, summary.rows_written) == (1, 0)
    assert {name: scene.held()[name] for name in tables} == before


def test_a_dictionary_that_somebody_dropped_does_not_hinder(scene: Scene) -> None:
    """It is made anew when something in it changes, as all dictionaries are, and by a full run."""
    scene.synced()
    before = {name: scene.held()[name] for name in ("lead_fields", "statuses")}
    scene.change("DROP TABLE {lead_fields}")
    scene.change("DELETE FROM {statuses}")
    scene.later().edit(scene.ids()[0], "edited")
    assert scene.sync().outcome == "done"
    scene.sync(full=True)
    assert [name for name, rows in before.items() if scene.held()[name].keys() != rows.keys()] == []


def test_a_character_that_postgres_cannot_hold_is_shown(scene: Scene) -> None:
    scene.portal.rename_status("STATUS", "NEW", "New\0born")
    scene.portal.add_userfield("UF_CRM_NUL", "enumeration", False, [(901, "a\0b")], "Ti\0tle")
    told = "\0" if scene.to.startswith("duckdb") else "\u2400"

    for _ in range(2):
        assert scene.sync().outcome == "done"
        assert scene.one("SELECT title FROM {lead_fields} WHERE name = 'UF_CRM_NUL'") == f"Ti{told}tle"
        assert scene.one("SELECT value FROM {lead_field_options} WHERE id = 901") == f"a{told}b"
        assert scene.one("SELECT name FROM {statuses} WHERE status_id = 'NEW' AND entity_id = 'STATUS'") == (
            f"New{told}born"
        )
        scene.later()


def test_the_character_nul_in_an_accounts_dictionaries_hinders_nobody(account: Account, to: str) -> None:
    held = "a\u2400b" if to.startswith("postgres") else "a\0b"
    account.add_user("a\0b", "a@example.com")
    account.add_custom_field("leads", "a\0b", "select", enums=["a\0b"])
    with kommo.serve(account) as served:
        scene = KommoScene(account, served.url, to)
        scene.sync()
        for table, column in (("users", "name"), ("custom_fields", "name"), ("custom_field_options", "value")):
            assert held in {row[column] for row in scene.rows(f"SELECT {column} FROM {{{table}}}")}  # noqa: S608 - ours


def test_a_portal_without_own_fields_is_read(either_scene: Scene) -> None:
    scene = either_scene
    for name in list(scene.portal.userfield_map):
        scene.portal.remove_userfield(name)
    scene.synced()
    assert scene.rows("SELECT * FROM {lead_field_options}") == []


def test_a_dictionary_that_the_portal_emptied_is_empty(either_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = either_scene
    scene.synced()
    assert scene.rows("SELECT * FROM {currencies}")
    monkeypatch.setattr(scene.portal, "currencies", list)
    scene.later().sync()
    assert scene.rows("SELECT * FROM {currencies}") == []
