"""The two API families, seen as one: names both ways, commands on the wire, shapes of pages."""

from datetime import datetime
from urllib.parse import parse_qsl

import msgspec
import pytest

from leadhouse.bitrix24.client import Command
from leadhouse.bitrix24.families import ITEM, LEAD, Family, classic
from leadhouse.bitrix24.fields import Fields
from leadhouse.tables import tables

# The vendor's map of classic names to those of crm.item (addresses have none).
FIELD_MAP = {
    "ID": "id",
    "TITLE": "title",
    "HONORIFIC": "honorific",
    "NAME": "name",
    "SECOND_NAME": "secondName",
    "LAST_NAME": "lastName",
    "BIRTHDATE": "birthdate",
    "COMPANY_TITLE": "companyTitle",
    "SOURCE_ID": "sourceId",
    "SOURCE_DESCRIPTION": "sourceDescription",
    "STATUS_ID": "stageId",
    "STATUS_DESCRIPTION": "statusDescription",
    "STATUS_SEMANTIC_ID": "stageSemanticId",
    "POST": "post",
    "CURRENCY_ID": "currencyId",
    "OPPORTUNITY": "opportunity",
    "IS_MANUAL_OPPORTUNITY": "isManualOpportunity",
    "OPENED": "opened",
    "COMMENTS": "comments",
    "HAS_PHONE": "hasPhone",
    "HAS_EMAIL": "hasEmail",
    "HAS_IMOL": "hasImol",
    "ASSIGNED_BY_ID": "assignedById",
    "CREATED_BY_ID": "createdBy",
    "MODIFY_BY_ID": "updatedBy",
    "MOVED_BY_ID": "movedBy",
    "DATE_CREATE": "createdTime",
    "DATE_MODIFY": "updatedTime",
    "MOVED_TIME": "movedTime",
    "DATE_CLOSED": "dateClosed",
    "COMPANY_ID": "companyId",
    "CONTACT_ID": "contactId",
    "IS_RETURN_CUSTOMER": "isReturnCustomer",
    "ORIGINATOR_ID": "originatorId",
    "ORIGIN_ID": "originId",
    "UTM_SOURCE": "utmSource",
    "UTM_MEDIUM": "utmMedium",
    "UTM_CAMPAIGN": "utmCampaign",
    "UTM_CONTENT": "utmContent",
    "UTM_TERM": "utmTerm",
    "LAST_ACTIVITY_TIME": "lastActivityTime",
    "LAST_ACTIVITY_BY": "lastActivityBy",
}


@pytest.mark.parametrize(("name", "wire"), FIELD_MAP.items(), ids=FIELD_MAP.keys())
def test_a_classic_name_and_its_item_name_are_one_field_both_ways(name: str, wire: str) -> None:
    assert ITEM.classic_name(wire, {}) == name
    assert {field.name: field.wire for field in Fields(ITEM, {}).all}[name] == wire


def test_the_map_covers_every_column_but_the_addresses() -> None:
    promised = {column.field for column in tables("bitrix24")["leads"].columns.values() if column.field}
    assert {name for name in promised - FIELD_MAP.keys() if not name.startswith("ADDRESS")} == set()


@pytest.mark.parametrize(
    ("camel", "name"),
    [("parentId1222", "PARENT_ID_1222"), ("ufCrm_17", "UF_CRM_17"), ("ufCrm3Digit", "UF_CRM_3_DIGIT"),
     ("lastCommunicationTime", "LAST_COMMUNICATION_TIME"), ("id", "ID"), ("", "")],
)  # fmt: skip
def test_an_item_name_nobody_mapped_is_spelled_classically(camel: str, name: str) -> None:
    assert classic(camel) == name


def test_a_user_field_is_called_as_the_portal_says_and_a_standard_one_is_not() -> None:
    assert ITEM.classic_name("ufCrm3Digit", {"upperName": "UF_CRM_3DIGIT"}) == "UF_CRM_3DIGIT"
    assert ITEM.classic_name("createdTime", {"upperName": "CREATED_TIME"}) == "DATE_CREATE"
    assert ITEM.classic_name("ufCrm_1", {"upperName": ""}) == "UF_CRM_1"
    assert LEAD.classic_name("UF_CRM_1", {"upperName": "X"}) == "UF_CRM_1"


def params(command: Command) -> list[tuple[str, str]]:
    """Return a command's parameters as the portal decodes them."""
    return parse_qsl(command.encode().partition("?")[2], keep_blank_values=True)


LOWER = datetime.fromisoformat("2026-11-21T11:55:00+03:00")
UNTIL = datetime.fromisoformat("2026-11-21T12:00:00+03:00")


def test_a_page_of_leads_goes_by_id_inside_the_window_in_the_portals_offset() -> None:
    assert params(LEAD.page("70", LOWER, UNTIL)) == [
        ("filter[>=DATE_MODIFY]", "2026-11-21T11:55:00+03:00"),
        ("filter[<DATE_MODIFY]", "2026-11-21T12:00:00+03:00"),
        ("filter[>ID]", "70"),
        ("order[ID]", "ASC"),
        *(("select[]", name) for name in ("*", "UF_*", "PHONE", "EMAIL", "IM", "WEB", "LINK")),
        ("start", "-1"),
    ]


def test_a_page_of_items_selects_all_for_only_that_brings_the_phones() -> None:
    command = ITEM.page("70", LOWER, None)
    assert command.method == "crm.item.list"
    assert params(command) == [
        ("filter[>=updatedTime]", "2026-11-21T11:55:00+03:00"),
        ("filter[>id]", "70"),
        ("order[id]", "ASC"),
        ("entityTypeId", "1"),
        ("select[]", "*"),
        ("start", "-1"),
    ]


@pytest.mark.parametrize("family", [LEAD, ITEM])
def test_the_newest_and_the_recent_ask_for_ids_and_times_only(family: Family) -> None:
    newest, recent = params(family.newest(LOWER, None)), params(family.recent())
    for asked in (newest, recent):
        assert [value for name, value in asked if name == "select[]"] == [family.id_field, family.modified_field]
    assert (f"order[{family.id_field}]", "DESC") in newest
    assert (f"filter[>={family.modified_field}]", LOWER.isoformat()) in newest
    assert (f"order[{family.modified_field}]", "DESC") in recent
    assert not any(name.startswith("filter") for name, _ in recent)


def test_a_reference_points_to_the_fiftieth_row() -> None:
    assert LEAD.last_id_of("p3") == "$result[p3][49][ID]"
    assert ITEM.last_id_of("p3") == "$result[p3][items][49][id]"
    encoded = LEAD.page(LEAD.last_id_of("p0"), None, None).encode()
    assert "filter[%3EID]=$result[p0][49][ID]&" in encoded


def test_rows_and_descriptions_are_found_in_either_shape() -> None:
    assert bytes(LEAD.rows(msgspec.Raw(b'[{"ID":"1"}]'))) == b'[{"ID":"1"}]'
    assert bytes(ITEM.rows(msgspec.Raw(b'{"items":[{"id":1}]}'))) == b'[{"id":1}]'
    assert LEAD.descriptions(msgspec.Raw(b'{"ID":{"type":"integer"}}')) == {"ID": {"type": "integer"}}
    assert ITEM.descriptions(msgspec.Raw(b'{"fields":{"id":{"type":"integer"}}}')) == {"id": {"type": "integer"}}
    assert LEAD.describe().encode() == "crm.lead.fields"
    assert ITEM.describe().encode() == "crm.item.fields?entityTypeId=1"


@pytest.mark.parametrize("shape", [b"[]", b'{"rows":[]}', b"null", b'"x"'])
def test_items_of_another_shape_are_refused(shape: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        ITEM.rows(msgspec.Raw(shape))
