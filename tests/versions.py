"""What `lead_versions` must hold, whatever happened before."""

from itertools import pairwise

import contents
from any_scene import AnyScene

# They move with every edit, and make no version alone.
STAMPS = {"bitrix24": {"date_modify", "modify_by_id"}, "kommo": {"updated_at", "updated_by"}}
ENDS = ("valid_from", "valid_to")


def kept(scene: AnyScene, lead_id: int | None = None) -> list[contents.Row]:
    """Return the versions, of one lead or of all, in their order."""
    chosen = "" if lead_id is None else f"WHERE id = {lead_id}"
    return scene.rows(f"SELECT * FROM {{lead_versions}} {chosen} ORDER BY id, valid_from")  # noqa: S608 - an integer


def without(row: contents.Row, names: set[str]) -> contents.Row:
    return {name: value for name, value in row.items() if name not in names}


def check_intervals(scene: AnyScene) -> None:
    """Fail unless each lead's versions follow one another, and the last of a living one looks as the lead does."""
    leads = {row["id"]: row for row in scene.rows("SELECT * FROM {leads}")}
    found: dict[int, list[contents.Row]] = {}
    for row in kept(scene):
        found.setdefault(row["id"], []).append(row)
    assert found.keys() == leads.keys()
    for number, rows in found.items():
        assert all(row["valid_to"] is None or row["valid_from"] < row["valid_to"] for row in rows), number
        assert all(before["valid_to"] and before["valid_to"] <= row["valid_from"] for before, row in pairwise(rows))
        last, lead = rows[-1], leads[number]
        assert (last["valid_to"] is None) == (lead["deleted_at"] is None), number
        if lead["deleted_at"] is None:
            left_out = STAMPS[scene.source] | set(ENDS)
            assert without(last, left_out) == {name: lead[name] for name in last if name not in left_out}
