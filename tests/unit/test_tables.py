"""The reviewed schema files against the contract of the design, column by column."""

import pyarrow as pa
import pytest

from leadhouse.columns import MONEY, TIMESTAMP, Kind
from leadhouse.files import reviewed
from leadhouse.tables import tables

# The contract's words: every column of `leads`, by type.
TEXTS = [
    "title",
    "honorific",
    "name",
    "second_name",
    "last_name",
    "company_title",
    "source_id",
    "source_description",
    "status_id",
    "status_description",
    "status_semantic_id",
    "post",
    "comments",
    "currency_id",
    "address",
    "address_2",
    "address_city",
    "address_postal_code",
    "address_region",
    "address_province",
    "address_country",
    "address_country_code",
    "originator_id",
    "origin_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_content",
    "utm_term",
]
NUMBERS = [
    "id",
    "company_id",
    "contact_id",
    "assigned_by_id",
    "created_by_id",
    "modify_by_id",
    "moved_by_id",
    "last_activity_by",
    "address_loc_addr_id",
]
FLAGS = ["is_return_customer", "is_manual_opportunity", "has_phone", "has_email", "has_imol", "opened"]
TIMES = [
    "date_create",
    "date_modify",
    "date_closed",
    "moved_time",
    "last_activity_time",
    "synced_at",
    "deleted_at",
    "out_of_sight_at",
]
LEADS: dict[str, pa.DataType] = {
    **dict.fromkeys(TEXTS, pa.string()),
    **dict.fromkeys(NUMBERS, pa.int64()),
    **dict.fromkeys(FLAGS, pa.bool_()),
    **dict.fromkeys(TIMES, TIMESTAMP),
    "birthdate": pa.date32(),
    "opportunity": MONEY,
}
VALUES = ["id", "lead_id", "position", "value", "value_type"]
OTHERS: dict[str, list[str]] = {
    "lead_phones": [*VALUES, "e164"],
    "lead_emails": VALUES,
    "lead_ims": VALUES,
    "lead_webs": VALUES,
    "lead_links": VALUES,
    "lead_custom_values": ["lead_id", "field", "position", "value"],
    "sync_runs": [
        "run_id",
        "source",
        "started_at",
        "finished_at",
        "outcome",
        "cursor_from",
        "cursor_to",
        "leads_read",
        "rows_written",
        "requests",
        "retries",
        "throttled_s",
        "error",
        "command",
        "leads_deleted",
        "leads_out_of_sight",
        "leads_recovered",
        "portal",
    ],
}


def test_leads_has_exactly_the_contracts_columns_in_their_types() -> None:
    schema = tables("bitrix24")["leads"].schema()
    assert {field.name: field.type for field in schema if not field.name.startswith("_")} == LEADS


def test_times_are_utc_and_money_has_two_decimals() -> None:
    assert pa.timestamp("us", "UTC") == TIMESTAMP
    assert pa.decimal128(18, 2) == MONEY


@pytest.mark.parametrize(("name", "columns"), OTHERS.items(), ids=OTHERS.keys())
def test_the_other_tables_of_the_contract_have_exactly_their_columns(name: str, columns: list[str]) -> None:
    assert list(tables("bitrix24")[name].columns) == columns


def test_every_table_of_the_contract_is_there() -> None:
    dictionaries = {"lead_fields", "lead_field_options", "statuses", "users", "currencies", "lead_stage_history"}
    assert set(tables("bitrix24")) == {"leads", "schema_drift", "lead_versions", *OTHERS, *dictionaries}


@pytest.mark.parametrize("source", ["bitrix24", "kommo"])
def test_versions_have_what_the_portal_fills_of_a_lead_and_when_it_was_so(source: str) -> None:
    leads, found = tables(source)["leads"].columns, tables(source)["lead_versions"]
    filled = {name for name, column in leads.items() if column.field}
    assert set(found.columns) == {*filled, "valid_from", "valid_to"}
    assert {name for name, column in found.columns.items() if column.personal} == {
        name for name, column in leads.items() if column.personal
    }
    assert found.stamps < filled


def test_only_keys_refuse_null() -> None:
    for table in tables("bitrix24").values():
        assert table.key
        assert {field.name for field in table.schema() if not field.nullable} == set(table.key)


def test_every_table_and_column_says_what_it_is() -> None:
    for table in tables("bitrix24").values():
        assert table.grain
        assert table.question.endswith("?")
        assert all(column.about for column in table.columns.values())


def test_people_are_marked_as_personal_data() -> None:
    marked = {
        f"{table.name}.{column.name}"
        for table in tables("bitrix24").values()
        for column in table.columns.values()
        if column.personal
    }
    assert marked >= {
        *(f"leads.{name}" for name in ("title", "name", "last_name", "birthdate", "comments", "address")),
        *("lead_phones.value", "lead_phones.e164", "lead_emails.value", "lead_ims.value", "users.email"),
        *("lead_custom_values.value", "schema_drift.value"),
    }


def test_a_portals_own_columns_come_after_the_contracts() -> None:
    schema = tables("bitrix24")["leads"].schema([("uf_crm_1", Kind.DATE)])
    assert schema.names[-1] == "uf_crm_1"
    assert schema.field("uf_crm_1").type == pa.date32()
    assert schema.field("uf_crm_1").nullable


def test_a_reviewed_file_that_is_missing_says_to_reinstall() -> None:
    with pytest.raises(FileNotFoundError, match="reinstall"):
        reviewed("schemas/bitrix24/absent.toml")
