"""From the portal's metadata to columns: names, types, and where values go."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import given, settings
from hypothesis import strategies as st

from leadhouse.bitrix24.dictionaries import field_tables
from leadhouse.bitrix24.families import ITEM, LEAD, Family
from leadhouse.bitrix24.fields import Field, Fields, Role
from leadhouse.columns import Kind
from leadhouse.tables import tables
from unit.fuzz import QUICK

CONTRACT = tables("bitrix24")["leads"].columns


def userfield(name: str, kind: str, multiple: str = "N") -> dict[str, Any]:
    return {"FIELD_NAME": name, "USER_TYPE_ID": kind, "MULTIPLE": multiple}


def made(*rows: Mapping[str, Any], **options: Any) -> dict[str, Field]:
    """Return the fields of a portal with these user fields, by name."""
    described = {row["FIELD_NAME"]: {"type": row["USER_TYPE_ID"]} for row in rows}
    return {field.name: field for field in Fields(LEAD, described, rows, **options).all}


@pytest.mark.parametrize(
    ("told", "kind", "role"),
    [
        ("string", Kind.TEXT, Role.COLUMN),
        ("integer", Kind.BIGINT, Role.COLUMN),
        ("double", Kind.DOUBLE, Role.COLUMN),
        ("boolean", Kind.BOOLEAN, Role.COLUMN),
        ("datetime", Kind.TIMESTAMP, Role.COLUMN),
        ("date", Kind.DATE, Role.COLUMN),
        ("money", Kind.DECIMAL, Role.MONEY),
        ("url", Kind.TEXT, Role.COLUMN),
        ("address", Kind.TEXT, Role.COLUMN),
        ("enumeration", Kind.BIGINT, Role.COLUMN),
        ("file", Kind.BIGINT, Role.FILE),
        ("employee", Kind.BIGINT, Role.COLUMN),
        ("crm_status", Kind.TEXT, Role.COLUMN),
        ("iblock_section", Kind.BIGINT, Role.COLUMN),
        ("iblock_element", Kind.BIGINT, Role.COLUMN),
        ("crm", Kind.TEXT, Role.COLUMN),
        ("resourcebooking", Kind.TEXT, Role.COLUMN),
        ("app_rest_2_of_somebody", Kind.TEXT, Role.COLUMN),
        ("", Kind.TEXT, Role.COLUMN),
    ],
)
def test_the_type_of_a_user_field_is_the_portals(told: str, kind: Kind, role: Role) -> None:
    field = made(userfield("UF_CRM_1", told))["UF_CRM_1"]
    assert (field.column, field.kind, field.role) == ("uf_crm_1", kind, role)


@pytest.mark.parametrize("told", ["string", "money", "file", "enumeration", "datetime"])
def test_a_multiple_field_goes_to_the_custom_values_and_makes_no_column(told: str) -> None:
    row = userfield("UF_CRM_1", told, "Y")
    assert made(row)["UF_CRM_1"].role is Role.VALUES
    assert Fields(LEAD, {}, [row]).extra_columns() == []


def test_the_list_of_user_fields_wins_over_the_description_of_fields() -> None:
    described = {"UF_CRM_1": {"type": "string", "isMultiple": True}}
    field = {field.name: field for field in Fields(LEAD, described, [userfield("UF_CRM_1", "date")]).all}["UF_CRM_1"]
    assert (field.kind, field.role) == (Kind.DATE, Role.COLUMN)


def test_without_the_list_of_user_fields_the_description_of_fields_tells() -> None:
    described: dict[str, dict[str, Any]] = {
        "UF_CRM_1": {"type": "double"},
        "UF_CRM_2": {"type": "double", "isMultiple": True},
    }
    roles = {field.name: (field.kind, field.role) for field in Fields(LEAD, described).all}
    assert roles["UF_CRM_1"] == (Kind.DOUBLE, Role.COLUMN)
    assert roles["UF_CRM_2"] == (Kind.DOUBLE, Role.VALUES)


@pytest.mark.parametrize(
    ("told", "kind"),
    [("integer", Kind.BIGINT), ("crm_entity", Kind.BIGINT), ("user", Kind.BIGINT), ("char", Kind.BOOLEAN),
     ("datetime", Kind.TIMESTAMP), ("date", Kind.DATE), ("string", Kind.TEXT), ("crm_status", Kind.TEXT),
     ("new", Kind.TEXT)],
)  # fmt: skip
def test_a_new_standard_field_becomes_a_column_of_its_type(told: str, kind: Kind) -> None:
    assert ("parent_id_1222", kind) in Fields(LEAD, {"PARENT_ID_1222": {"type": told}}).extra_columns()


def test_money_is_two_columns() -> None:
    fields = Fields(LEAD, {}, [userfield("UF_CRM_1", "money")])
    assert fields.extra_columns() == [("uf_crm_1", Kind.DECIMAL), ("uf_crm_1_currency", Kind.TEXT)]


def test_the_contract_has_its_types_whatever_the_portal_says_of_them() -> None:
    fields = Fields(LEAD, {"OPPORTUNITY": {"type": "string"}, "ID": {"type": "string"}})
    kinds = {field.column: field.kind for field in fields.columns}
    assert {name: kinds[name] for name in CONTRACT if name in kinds} == {
        name: column.kind for name, column in CONTRACT.items() if column.field
    }
    assert fields.extra_columns() == []


@pytest.mark.parametrize("name", ["SYNCED_AT", "DELETED_AT", "_FINGERPRINT"])
def test_a_field_named_like_a_service_column_gets_a_column_of_its_own(name: str) -> None:
    columns = [column for column, _ in Fields(LEAD, {name: {"type": "string"}}).extra_columns()]
    assert len(columns) == 1
    assert not set(columns) & CONTRACT.keys()


def test_fields_that_come_to_one_name_are_numbered_in_a_stable_order() -> None:
    described = {name: {"type": "string"} for name in ("UF_CRM__A", "UF_CRM_A", "UF_CRM_A_")}
    columns = {field.name: field.column for field in Fields(LEAD, described).all if field.name.startswith("UF_")}
    assert sorted(columns.values()) == ["uf_crm_a", "uf_crm_a_2", "uf_crm_a_3"]
    backwards = dict(reversed(described.items()))
    assert {f.name: f.column for f in Fields(LEAD, backwards).all if f.name.startswith("UF_")} == columns


def test_a_currency_column_never_takes_the_place_of_a_field() -> None:
    fields = Fields(LEAD, {}, [userfield("UF_CRM_A", "money"), userfield("UF_CRM_A_CURRENCY", "integer")])
    assert fields.extra_columns() == [
        ("uf_crm_a", Kind.DECIMAL),
        ("uf_crm_a_currency", Kind.TEXT),
        ("uf_crm_a_currency_2", Kind.BIGINT),
    ]
    described = {"CURRENCY": {"type": "string"}, "UF": {"type": "string"}}
    taken = [name for name, _ in Fields(LEAD, described, [userfield("UF_CRM_B", "money")]).extra_columns()]
    assert len(taken) == len(set(taken)) == 4


AMOUNT, CURRENCY = userfield("UF_CRM_A", "money"), userfield("UF_CRM_A_CURRENCY", "string")


@pytest.mark.parametrize("first", [[AMOUNT], [CURRENCY], [AMOUNT, CURRENCY]], ids=["money", "text", "both"])
@pytest.mark.parametrize("last", [[AMOUNT], [CURRENCY]], ids=["text goes", "money goes"])
def test_a_column_keeps_its_field_whatever_fields_come_and_go(
    first: list[dict[str, str]], last: list[dict[str, str]]
) -> None:
    stored: dict[str, Kind] = {}
    meant: dict[str, str] = {}
    for rows in (first, [AMOUNT, CURRENCY], [CURRENCY, AMOUNT], last):
        fields = Fields(LEAD, {}, rows, stored=stored)
        columns = fields.extra_columns()
        assert len(dict(columns)) == len(columns)
        for field in fields.all:
            if field.name.startswith("UF_"):
                assert meant.setdefault(field.name, field.column) == field.column
                assert field.role is (Role.MONEY if field.name == "UF_CRM_A" else Role.COLUMN)
        stored |= dict(columns)
    assert len(stored) == 3


def test_a_text_that_became_money_takes_no_currency_from_another_field() -> None:
    stored = {"uf_crm_a": Kind.TEXT, "uf_crm_a_currency": Kind.TEXT}
    fields = {field.name: field.column for field in Fields(LEAD, {}, [AMOUNT, CURRENCY], stored=stored).all}
    assert fields["UF_CRM_A_CURRENCY"] == "uf_crm_a_currency"
    assert fields["UF_CRM_A"] == "uf_crm_a_2"


@pytest.mark.parametrize(
    ("name", "column"),
    [("UF_CRM_ORDER", "uf_crm_order"), ("ORDER", "order"), ("SELECT", "select"), ("UF_CRM_ИМЯ", "uf_crm"),
     ("Имя", "field"), ("UF CRM-1", "uf_crm_1")],
)  # fmt: skip
def test_a_name_becomes_a_column_that_dlt_leaves_alone(name: str, column: str) -> None:
    assert {field.name: field.column for field in Fields(LEAD, {name: {}}).all}[name] == column


@QUICK
@given(st.text("ABZaz019_ -йЫ.$漢", min_size=1, max_size=20))
def test_dlt_changes_no_columns_name(name: str) -> None:
    column = {field.name: field.column for field in Fields(LEAD, {f"x{name}": {}}).all}[f"x{name}"]
    naming = NamingConvention()
    assert naming.normalize_identifier(column) == column
    (other,) = [field.column for field in Fields(LEAD, {}, unknown=[f"1{name}"]).all if field.wire == f"1{name}"]
    assert naming.normalize_identifier(other) == other


NAMES = st.text("ABZaz019_ -йЫ.", min_size=1, max_size=12)


@settings(QUICK, max_examples=25)
@given(
    st.dictionaries(
        NAMES, st.sampled_from(["string", "money", "integer", "double", "file", "boolean", "x"]), max_size=8
    ),
    st.sampled_from([LEAD, ITEM]),
)
def test_no_two_fields_ever_share_a_column(types: dict[str, str], family: Family) -> None:
    rows = [userfield(f"UF_{name}", told) for name, told in types.items()]
    described = {row["FIELD_NAME"]: {"type": row["USER_TYPE_ID"], "upperName": row["FIELD_NAME"]} for row in rows}
    fields = Fields(family, described, rows, unknown=["ПОЛЕ_Ж", "new_1", "UF_X"])
    extra = [name for name, _ in fields.extra_columns()]
    assert len(extra) == len(set(extra))
    assert not set(extra) & CONTRACT.keys()
    assert {"ПОЛЕ_Ж", "new_1", "UF_X"} <= fields.attributes.keys()


def test_a_standard_fields_column_keeps_the_type_that_it_has_in_the_warehouse() -> None:
    fields = Fields(LEAD, {"PARENT_ID_7": {"type": "crm_entity"}}, stored={"parent_id_7": Kind.TEXT})
    assert fields.extra_columns() == [("parent_id_7", Kind.TEXT)]


@pytest.mark.parametrize(
    "stored",
    [
        {"uf_crm_1": Kind.TEXT},
        {"uf_crm_1": Kind.DECIMAL, "uf_crm_1_currency": Kind.BIGINT},
        {"uf_crm_1_currency": Kind.TEXT},
    ],
    ids=["text", "currency of another type", "currency alone"],
)
def test_a_field_that_became_money_gets_two_columns_of_its_own(stored: dict[str, Kind]) -> None:
    fields = Fields(LEAD, {}, [userfield("UF_CRM_1", "money")], stored=stored)
    assert fields.extra_columns() == [("uf_crm_1_2", Kind.DECIMAL), ("uf_crm_1_2_currency", Kind.TEXT)]


def remembering(fields: Fields, *before: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what `lead_fields` holds after a run with these fields; what was there before stays as removed."""
    now = field_tables(fields)["lead_fields"].to_pylist()
    columns = {row["column_name"] for row in now}
    gone = [{**row, "removed_at": "then"} for row in before if row["column_name"] not in columns]
    return [*({**row, "removed_at": None} for row in now), *gone]


TYPES = ("string", "integer", "double", "boolean", "date", "datetime", "enumeration", "money", "file", "crm", "url")


@QUICK
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["UF_A", "UF_A_2", "UF_A_CURRENCY", "UF_A_2_CURRENCY"]),
                st.sampled_from(TYPES),
                st.sampled_from("YN"),
            ),
            unique_by=lambda field: field[0],
            max_size=4,
        ),
        min_size=2,
        max_size=6,
    ),
    st.sampled_from([LEAD, ITEM]),
)
def test_a_column_has_one_field_and_one_type_for_good_whatever_fields_become(
    lives: list[list[tuple[str, str, str]]], family: Family
) -> None:
    """Also the currency beside an amount; and a field that had a type before has its column of then again."""
    stored: dict[str, Kind] = {}
    remembered: list[dict[str, Any]] = []
    meant: dict[str, tuple[str, str, str]] = {}
    had: dict[tuple[str, str, str], str] = {}
    for life in lives:
        rows = [userfield(name, told, multiple) for name, told, multiple in life]
        described = {row["FIELD_NAME"]: {"type": row["USER_TYPE_ID"], "upperName": row["FIELD_NAME"]} for row in rows}
        fields = Fields(family, described, rows, stored=stored, remembered=remembered)
        placed = {field.name: field for field in fields.all}
        for name, told, multiple in life:
            column = placed[name].column
            owner = (name, told, multiple)
            assert had.setdefault(owner, column) == column
            single_money = told == "money" and multiple == "N"
            for taken in (column, *([f"{column}_currency"] if single_money else ())):
                assert meant.setdefault(taken, owner) == owner
        extra = dict(fields.extra_columns())
        assert {name: stored[name] for name in extra.keys() & stored.keys()} == {
            name: extra[name] for name in extra.keys() & stored.keys()
        }
        stored |= extra
        remembered = remembering(fields, *remembered)


def test_a_field_that_nobody_describes_any_more_keeps_its_column() -> None:
    """Its values come, and its metadata does not: the right to see the list of user fields was taken away."""
    before = Fields(LEAD, {}, [userfield("UF_CRM_1", "money")])
    stored, remembered = dict(before.extra_columns()), remembering(before)
    after = Fields(LEAD, {}, unknown=["UF_CRM_1"], stored=stored, remembered=remembered)
    assert dict(after.extra_columns()) == stored
    assert remembering(after, *remembered) == remembered


def test_another_family_looks_like_no_change() -> None:
    rows = [userfield("UF_CRM_17", "date"), userfield("UF_CRM_9", "crm", "Y")]
    lead = Fields(
        LEAD, {"ADDRESS": {"type": "string", "title": "Address"}, "UF_CRM_17": {"listLabel": "Seventeen"}}, rows
    )
    remembered = remembering(lead)
    described = {"ufCrm_17": {"upperName": "UF_CRM_17", "title": "Seventeen"}, "ufCrm_9": {"upperName": "UF_CRM_9"}}
    item = Fields(ITEM, described, rows, stored=dict(lead.extra_columns()), remembered=remembered)
    assert remembering(item, *remembered) == remembered


def test_a_field_that_answers_show_and_nobody_describes_is_text() -> None:
    fields = Fields(LEAD, {}, unknown=["LAST_COMMUNICATION_TIME"])
    assert fields.extra_columns() == [("last_communication_time", Kind.TEXT)]


@pytest.mark.parametrize(
    ("family", "wire"),
    [(LEAD, "CONTACT_IDS"), (ITEM, "dateModify"), (ITEM, "statusId"), (ITEM, "web"), (ITEM, "CONTACTS")],
    ids=["not listed", "another name of the time", "another name of the stage", "a multifield's name", "upper case"],
)  # fmt: skip
def test_a_field_that_answers_show_is_placed_whatever_its_name(family: Family, wire: str) -> None:
    described = {"updatedTime": {}, "stageId": {}} if family is ITEM else {"CONTACT_IDS": {"isMultiple": True}}
    fields = Fields(family, described, unknown=[wire])
    assert wire in fields.attributes
    placed = next(field for field in fields.all if field.wire == wire)
    assert placed.column
    assert placed.column not in CONTRACT
    assert fields.page.decode(msgspec.json.encode([{wire: [1, 2]}]))


def test_an_item_ignores_what_is_derived_or_disabled() -> None:
    described = {
        name: {"type": "string"} for name in ("searchContent", "phoneMobile", "webformId", "observers", "contactIds")
    }
    fields = Fields(ITEM, described)
    assert fields.extra_columns() == []
    assert {field.role for field in fields.all if field.wire in described} == {Role.IGNORED}


def test_both_families_make_the_same_columns() -> None:
    rows = [userfield("UF_CRM_17", "date"), userfield("UF_CRM_3_DIGIT", "money"), userfield("UF_CRM_9", "crm", "Y")]
    lead = Fields(LEAD, {**{row["FIELD_NAME"]: {} for row in rows}, "PARENT_ID_7": {"type": "crm_entity"}}, rows)
    wires = {"ufCrm_17": "UF_CRM_17", "ufCrm3Digit": "UF_CRM_3_DIGIT", "ufCrm_9": "UF_CRM_9"}
    described = {**{wire: {"upperName": name} for wire, name in wires.items()}, "parentId7": {"type": "crm_entity"}}
    assert sorted(Fields(ITEM, described, rows).extra_columns()) == sorted(lead.extra_columns())


@pytest.mark.parametrize("name", ["UF_CRM_" + "A" * 43, "UF_CRM_" + "A" * 44, "UF_CRM_" + "LONG_" * 40])
def test_a_column_has_room_in_postgres_for_a_number_and_a_currency(name: str) -> None:
    """Postgres cuts names off at 63 bytes, and lead_fields would name columns that are not there."""
    column = made(userfield(name, "money"))[name].column
    assert len(f"{column}_99_currency") <= 63
    assert (column == name.lower()) is (len(name) <= 50)
    assert NamingConvention().normalize_identifier(column) == column


def test_long_names_that_begin_alike_have_columns_of_their_own() -> None:
    names = ["UF_CRM_" + "A" * 60 + end for end in "BC"]
    fields = made(*(userfield(name, "string") for name in names))
    assert len({fields[name].column for name in names}) == 2
    assert made(userfield(names[1], "string"))[names[1]].column == fields[names[1]].column


@pytest.mark.parametrize("family", [LEAD, ITEM])
def test_variants_come_as_a_list_or_as_an_object(family: Family) -> None:
    """PHP sends a list with gaps as an object."""
    variants = [{"ID": "45", "VALUE": "Retail"}, {"ID": "47", "VALUE": "Wholesale"}]
    name = "UF_CRM_1" if family is LEAD else "ufCrm_1"
    for told in (variants, {"0": variants[0], "2": variants[1]}):
        for rows, items in (([userfield("UF_CRM_1", "enumeration") | {"LIST": told}], None), ([], told)):
            about = {"type": "enumeration", "upperName": "UF_CRM_1", "items": items}
            options = field_tables(Fields(family, {name: about}, rows))["lead_field_options"].to_pylist()
            assert [(row["field"], row["id"], row["value"]) for row in options] == [
                ("uf_crm_1", 45, "Retail"),
                ("uf_crm_1", 47, "Wholesale"),
            ]
