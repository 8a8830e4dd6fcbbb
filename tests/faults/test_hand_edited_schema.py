"""Tables changed by hand: whatever is done to them, data is complete, or one line says what to undo."""

import pytest

from leadhouse.errors import WarehouseRefusedError
from scene import Scene

# The change, what is said of it, and what undoes it.
_REFUSED: dict[str, tuple[str, str, str]] = {
    "a column was dropped": (
        "ALTER TABLE {leads} DROP COLUMN title",
        "bitrix24.leads lacks the column title",
        "ALTER TABLE {leads} ADD COLUMN title VARCHAR",
    ),
    "the date of modification was dropped": (
        "ALTER TABLE {leads} DROP COLUMN date_create",
        "bitrix24.leads lacks the column date_create",
        "ALTER TABLE {leads} ADD COLUMN date_create TIMESTAMP WITH TIME ZONE",
    ),
    "a column of child rows was dropped": (
        "ALTER TABLE {lead_phones} DROP COLUMN value_type",
        "bitrix24.lead_phones lacks the column value_type",
        "ALTER TABLE {lead_phones} ADD COLUMN value_type VARCHAR",
    ),
    "a column was renamed": (
        "ALTER TABLE {leads} RENAME COLUMN post TO job",
        "bitrix24.leads lacks the column post",
        "ALTER TABLE {leads} RENAME COLUMN job TO post",
    ),
    "money was made whole": (
        "ALTER TABLE {leads} ALTER COLUMN opportunity TYPE BIGINT",
        "bigint in the column opportunity instead of decimal",
        "ALTER TABLE {leads} ALTER COLUMN opportunity TYPE DECIMAL(18,2)",
    ),
    "money lost its cents": (
        "ALTER TABLE {leads} ALTER COLUMN opportunity TYPE DECIMAL(18,0)",
        "too few decimals in the column opportunity",
        "ALTER TABLE {leads} ALTER COLUMN opportunity TYPE DECIMAL(18,2)",
    ),
    "a time was made a text": (
        "ALTER TABLE {leads} ALTER COLUMN moved_time TYPE VARCHAR",
        "text in the column moved_time instead of timestamp",
        "ALTER TABLE {leads} ALTER COLUMN moved_time TYPE TIMESTAMPTZ USING CAST(moved_time AS TIMESTAMPTZ)",
    ),
}


@pytest.fixture(params=["duckdb", "postgres"])
def kept(scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """A warehouse of each kind, and news on the portal."""
    if request.param == "postgres":
        scene.to = request.getfixturevalue("postgres_url")
    scene.synced().later()
    scene.drop_views()
    scene.portal.live(create=3, edit=4, phone_remove=2, seed=6)
    return scene


def test_a_change_that_would_lose_data_is_refused_and_when_it_is_undone_all_is_read(kept: Scene) -> None:
    for name, (change, words, undo) in _REFUSED.items():
        kept.change(change)
        asked = kept.portal.http_requests
        with pytest.raises(WarehouseRefusedError, match=words) as refused:
            kept.sync()
        assert refused.value.exit_code == 2, name
        assert "put it back as it was and run `leadhouse sync` with --full" in str(refused.value)
        assert kept.portal.http_requests == asked, "nothing is read that cannot be kept"
        kept.change(undo)
    kept.sync(full=True)
    kept.check()


def test_a_table_that_was_dropped_is_missed_and_another_dataset_is_complete(kept: Scene) -> None:
    kept.change("DROP TABLE {lead_phones}")
    with pytest.raises(WarehouseRefusedError, match=r"bitrix24\.lead_phones is missing; .* --dataset"):
        kept.sync()
    kept.dataset = "bitrix24_again"
    kept.sync()
    kept.check()


def test_views_and_columns_of_ones_own_hinder_nothing(kept: Scene) -> None:
    kept.change("CREATE VIEW big AS SELECT l.*, p.value FROM {leads} l LEFT JOIN {lead_phones} p ON p.lead_id = l.id")
    kept.change("CREATE INDEX my_index ON {leads} (title)")
    kept.sync()
    assert len({row["id"] for row in kept.rows("SELECT id FROM big")}) == len(kept.portal)
    kept.check()
    kept.change("DROP VIEW big")
    kept.change('DROP INDEX "bitrix24".my_index')
    kept.change("ALTER TABLE {leads} ADD COLUMN my_note VARCHAR")
    kept.later().portal.live(create=2, edit=3, seed=7)
    kept.sync()
    assert kept.one("SELECT count(*) FROM {leads} WHERE my_note IS NULL") == len(kept.portal)
    kept.change("ALTER TABLE {leads} DROP COLUMN my_note")
    kept.check()


def test_values_are_not_told_when_a_column_cannot_take_them(kept: Scene) -> None:
    """Where the check at the start is too early to see it: the column is changed while the portal is read."""

    def change(method: str, _: object, __: object) -> None:
        if method == "crm.lead.list":
            kept.portal.before_command.clear()
            kept.change("ALTER TABLE {leads} ALTER COLUMN title TYPE INTEGER USING 0")

    kept.portal.update_lead(1, {"TITLE": "Wanda Invented, +7 700 123-45-67 / wanda@example.com"})
    kept.portal.before_command.append(change)
    with pytest.raises(WarehouseRefusedError, match="by hand") as refused:
        kept.sync()
    assert not any(word in str(refused.value) for word in ("Wanda", "700", "@example"))
    kept.change("ALTER TABLE {leads} ALTER COLUMN title TYPE VARCHAR USING ''")
    kept.sync(full=True)
    kept.check()
