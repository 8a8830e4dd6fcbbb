"""Dictionaries of an account: a row that comes on two pages is one row."""

from leadhouse.kommo.account import _table


def test_a_user_that_comes_on_two_pages_is_one_row_as_told_last() -> None:
    rows = [{"id": 7, "name": "Wanda"}, {"id": 8, "name": "Noa"}, {"id": 7, "name": "Wanda Invented"}]

    made = _table("users", rows).select(["id", "name"]).to_pylist()

    assert made == [{"id": 7, "name": "Wanda Invented"}, {"id": 8, "name": "Noa"}]


def test_a_variant_is_known_by_its_field_too() -> None:
    rows = [{"entity_type": kind, "field_id": field, "id": 1} for kind in ("leads", "contacts") for field in (2, 3)]

    assert _table("custom_field_options", rows).num_rows == 4
