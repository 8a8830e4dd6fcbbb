"""What `verify` tells, masks and counts, and which leads it takes."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from leadhouse.bitrix24.crm import CRM
from leadhouse.comparison import compare, service_columns
from leadhouse.crm import Difference as Ids
from leadhouse.errors import ConfigurationError
from leadhouse.live import NEVER, Live
from leadhouse.summary import SyncSummary
from leadhouse.verdict import ROW, Counts, Difference, SpanCount, Verdict, is_personal, render
from leadhouse.verification import _counts, _News, sampled, verify

NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)
PHONE, OTHER_PHONE = "+447700900123", "+447700900999"
COLUMNS = ("id", "title", "opportunity", "date_modify")


def verdict(*differences: Difference) -> Verdict:
    summary = SyncSummary(
        run_id="r",
        source="bitrix24",
        command="verify",
        portal="acme.example.com",
        destination="duckdb:leads.duckdb",
        dataset="bitrix24",
        started_at=NOON,
        cursor_to=NOON,
    )
    counts = Counts(1003, 1001, "listing", (SpanCount(501, 600, 52, 50),))
    return Verdict(summary, counts, 7, compared=200, apart=3, differences=list(differences))


def phone(portal: Any, warehouse: Any) -> Difference:
    return Difference(17, "lead_phones", "value", portal, warehouse, "9001", personal=True)


# Masks


@pytest.mark.parametrize(
    ("table", "column", "personal"),
    [
        ("leads", "last_name", True),
        ("leads", "status_id", False),
        ("leads", "opportunity", False),
        ("leads", "uf_crm_anything", True),
        ("leads", ROW, False),
        ("lead_phones", "e164", True),
        ("lead_phones", "position", False),
        ("lead_custom_values", "value", True),
        ("schema_drift", "value", True),
    ],
)
def test_the_contract_says_what_is_personal_and_custom_fields_always_are(
    table: str, column: str, personal: bool
) -> None:
    assert is_personal(CRM.contract[table], column) is personal


def test_masked_values_tell_their_length_and_that_they_differ_and_nothing_else() -> None:
    assert phone(PHONE, None).values(show=False) == ("<length 13>", None)
    assert phone(PHONE, "1").values(show=False) == ("<length 13>", "<length 1>")
    assert phone(PHONE, OTHER_PHONE).values(show=False) == ("<length 13>", "<length 13, another>")


def test_values_are_shown_to_whoever_asks_for_them() -> None:
    assert phone(PHONE, OTHER_PHONE).values(show=True) == (PHONE, OTHER_PHONE)


@pytest.mark.parametrize("show", [False, True])
def test_neither_text_nor_json_nor_repr_tells_a_phone_unasked(show: bool) -> None:
    found = verdict(phone(PHONE, OTHER_PHONE))
    for told in (render(found, show_values=show), json.dumps(found.to_dict(show_values=show))):
        assert (PHONE in told, OTHER_PHONE in told) == (show, show)
    assert PHONE not in repr(found)


# Telling


def test_the_headline_tells_counts_compared_and_set_apart() -> None:
    first, span, last = render(verdict()).split("\n")
    assert first == (
        "portal 1,003 leads, warehouse 1,001; 200 compared value by value (seed 7), 3 set apart: they came or were "
        "edited after the last sync's window (2026-11-21T09:00:00Z)"
    )
    assert (span, last) == ("ids 501 to 600: portal 52, warehouse 50", "equal")


def test_differences_are_a_table_of_fifty_rows_at_most() -> None:
    told = render(verdict(*(Difference(n, "leads", "status_id", "NEW", None) for n in range(1, 54)))).split("\n")
    table = told[told.index("53 differences") + 2 :]
    assert table[0].split() == ["lead", "table.column", "portal", "warehouse"]
    assert table[1].split() == ["1", "leads.status_id", "NEW", "NULL"]
    assert table[50].split() == ["50", "leads.status_id", "NEW", "NULL"]
    assert table[51] == "… and 3 more"
    assert "leadhouse reconcile bitrix24" in table[-1]


def test_a_row_that_one_side_lacks_is_named_by_its_key() -> None:
    assert Difference(17, "lead_phones", ROW, "there", "missing", "9001").place == "lead_phones[9001]"
    assert Difference(17, "lead_custom_values", "value", "a", "b", "uf_crm_x, 0").place == (
        "lead_custom_values[uf_crm_x, 0].value"
    )
    assert Difference(17, "leads", "title", "a", "b").place == "leads.title"


def test_long_texts_are_cut_to_where_they_differ_and_control_characters_are_written_out() -> None:
    long = "x" * 100
    told = render(verdict(Difference(1, "leads", "post", f"{long}\x1b[31mred", f"{long}blue")), show_values=True)
    assert r"…xxxxxxxxxxxxxxxxxxxx\x1b[31mred" in told
    assert "…xxxxxxxxxxxxxxxxxxxxblue" in told
    assert "\x1b" not in told


def test_json_has_every_difference_and_values_as_json_takes_them() -> None:
    found = verdict(
        Difference(1, "leads", "opportunity", Decimal("1.50"), None),
        Difference(1, "leads", "date_create", NOON, date(2026, 1, 2)),
        Difference(1, "leads", "opened", True, False),
    )
    told = json.loads(json.dumps(found.to_dict()))
    assert told["equal"] is False
    assert told["counts"] == {
        "portal": 1003,
        "warehouse": 1001,
        "by": "listing",
        "spans": [{"first": 501, "last": 600, "portal": 52, "warehouse": 50}],
    }
    assert (told["compared"], told["apart"], told["seed"], told["cursor"]) == (200, 3, 7, "2026-11-21T09:00:00Z")
    assert [(one["column"], one["portal"], one["warehouse"]) for one in told["differences"]] == [
        ("opportunity", "1.50", None),
        ("date_create", "2026-11-21T09:00:00Z", "2026-01-02"),
        ("opened", True, False),
    ]


# The sample


def test_the_same_seed_takes_the_same_leads_and_another_takes_others() -> None:
    ids = range(1, 10_001)
    assert sampled(ids, 200, 1) == sampled(ids, 200, 1)
    assert sampled(ids, 200, 1) != sampled(ids, 200, 2)
    assert len(set(sampled(ids, 200, 1))) == 200
    assert sampled(ids, 20_000, 1) == list(ids)


def test_a_lead_that_comes_or_goes_changes_one_of_the_sample_at_most() -> None:
    before = set(sampled(range(1, 10_001), 200, 1))
    assert len(before - set(sampled(range(1, 10_002), 200, 1))) <= 1
    assert len(before - set(sampled(range(2, 10_001), 200, 1))) <= 1


def test_a_sample_is_spread_over_all_ids() -> None:
    taken = sampled(range(10_000), 400, 3)
    quarters = [sum(low <= number < low + 2500 for number in taken) for low in range(0, 10_000, 2500)]
    assert min(quarters) > 50


def test_a_negative_sample_is_the_operators_mistake() -> None:
    with pytest.raises(ConfigurationError, match="a number of leads, or all"):
        verify("bitrix24", sample=-1)


# What is newer than the last window


@pytest.mark.parametrize(
    ("modified", "held", "newer"),
    [
        (699, 500, False),  # before the overlap: the window has read it
        (700, 500, True),  # a transaction that committed late
        (999, 999, False),  # read by the window, and yet it differs
        (1000, 1000, True),  # edited again in the second of the cursor
        (1200, 500, True),
        (1200, NEVER, True),
    ],
)
def test_a_lead_is_set_apart_only_if_the_next_sync_brings_it(modified: int, held: int, newer: bool) -> None:
    assert _News(cursor=1000, lower=700).has(modified, held) is newer


# Counts


def test_spans_are_told_where_their_counts_differ() -> None:
    live = Live.of((number, None) for number in range(1, 501))
    found = Ids(vanished=[12, 13, 400], unknown=[505, 510], portal=499, by="listing")
    told = _counts(live, found)
    assert (told.portal, told.warehouse, told.by) == (499, 500, "listing")
    assert [(span.portal - span.warehouse) for span in told.spans] == [-2, -1, 2]
    assert sum(span.last - span.first + 1 for span in told.spans) < 100


def test_an_empty_warehouse_is_counted() -> None:
    assert _counts(Live((), ()), Ids(unknown=[3], portal=1)).spans == (SpanCount(1, 3, 1, 0),)
    assert _counts(Live((), ()), Ids()) == Counts(0, 0, "counts")


# Comparing rows


def leads(*rows: dict[str, Any]) -> pa.Table:
    schema = pa.schema(
        {
            "id": pa.int64(),
            "title": pa.string(),
            "opportunity": pa.decimal128(18, 2),
            "date_modify": pa.timestamp("us", "UTC"),
        }
    )
    return pa.Table.from_pylist(list(rows), schema)


def phones(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))


LEAD: dict[str, Any] = {"id": 17, "title": "a", "opportunity": Decimal("1.50"), "date_modify": NOON}
NUMBER: dict[str, Any] = {
    "id": 9001, "lead_id": 17, "position": 0, "value": PHONE, "value_type": "WORK", "e164": PHONE,
}  # fmt: skip


def found(told: dict[str, pa.Table], held: dict[str, list[dict[str, Any]]], left_out: tuple[str, ...] = ()) -> Any:
    return {
        lead: [(one.place, one.column, one.portal, one.warehouse) for one in differences]
        for lead, differences in compare(
            CRM.contract, CRM.leads, told, held, columns=COLUMNS, left_out=left_out
        ).items()
    }


def test_equal_leads_are_not_told_whatever_a_store_makes_of_decimals_and_times() -> None:
    held = LEAD | {"opportunity": Decimal("1.5"), "date_modify": NOON.replace(tzinfo=None), "more": 1}
    told = {"leads": leads(LEAD), "lead_phones": phones(NUMBER)}
    assert found(told, {"leads": [held], "lead_phones": [NUMBER]}) == {}


def test_a_value_that_differs_or_is_empty_is_told() -> None:
    held = LEAD | {"title": None, "opportunity": Decimal("1.51")}
    assert found({"leads": leads(LEAD)}, {"leads": [held]}) == {
        17: [
            ("leads.title", "title", "a", None),
            ("leads.opportunity", "opportunity", Decimal("1.50"), Decimal("1.51")),
        ]
    }


def test_a_column_that_the_warehouse_lost_counts_as_empty() -> None:
    held = {name: value for name, value in LEAD.items() if name != "title"}
    assert found({"leads": leads(LEAD)}, {"leads": [held]}) == {17: [("leads.title", "title", "a", None)]}


def test_child_rows_that_lack_or_are_too_many_are_told() -> None:
    told = {"leads": leads(LEAD), "lead_phones": phones(NUMBER)}
    assert found(told, {"leads": [LEAD], "lead_phones": []}) == {17: [("lead_phones[9001]", ROW, "there", "missing")]}
    assert found({"leads": leads(LEAD)}, {"leads": [LEAD], "lead_phones": [NUMBER]}) == {
        17: [("lead_phones[9001]", ROW, "missing", "there")]
    }
    assert found(told, {"leads": [LEAD], "lead_phones": [NUMBER, NUMBER]}) == {
        17: [("lead_phones[9001]", ROW, "there", "2 rows")]
    }


def test_of_a_lead_that_the_warehouse_lacks_its_child_rows_are_not_told() -> None:
    told = {"leads": leads(LEAD), "lead_phones": phones(NUMBER)}
    assert found(told, {"leads": [], "lead_phones": []}) == {17: [("leads", ROW, "there", "missing")]}


def test_rows_of_leads_that_the_portal_did_not_send_are_not_compared() -> None:
    held = {"leads": [LEAD, LEAD | {"id": 18}], "lead_phones": [NUMBER | {"lead_id": 18}]}
    assert found({"leads": leads(LEAD)}, held) == {}


def test_values_of_fields_left_out_are_not_compared() -> None:
    drift = phones({"lead_id": 17, "field": "contact_ids", "position": 0, "value": "[1,2]"})
    told = {"leads": leads(LEAD), "schema_drift": drift}
    held: dict[str, list[dict[str, Any]]] = {"leads": [LEAD], "schema_drift": []}
    assert found(told, held, left_out=("contact_ids",)) == {}
    assert found(told, held) == {17: [("schema_drift[contact_ids, 0]", ROW, "there", "missing")]}


def test_service_columns_are_those_of_the_contract() -> None:
    assert service_columns(CRM.contract["leads"]) == {"synced_at", "deleted_at", "out_of_sight_at", "_fingerprint"}
