"""The standard fields of a lead: names, types and metadata (reference: bitrix24 sections 5.5, 6.5 and 7.4)."""

from __future__ import annotations

from typing import Any, Literal

Kind = Literal["string", "ref", "integer", "number", "datetime", "date", "boolean", "multi"]

MULTIFIELDS = ("PHONE", "EMAIL", "WEB", "IM", "LINK")

# name, type, read only, name in crm.item, title
_STANDARD: tuple[tuple[str, str, bool, str | None, str], ...] = (
    ("ID", "integer", True, "id", "ID"),
    ("TITLE", "string", False, "title", "Lead name"),
    ("HONORIFIC", "crm_status", False, "honorific", "Salutation"),
    ("NAME", "string", False, "name", "First name"),
    ("SECOND_NAME", "string", False, "secondName", "Second name"),
    ("LAST_NAME", "string", False, "lastName", "Last name"),
    ("COMPANY_TITLE", "string", False, "companyTitle", "Company name"),
    ("COMPANY_ID", "crm_company", False, "companyId", "Company"),
    ("CONTACT_ID", "crm_contact", False, "contactId", "Contact"),
    ("IS_RETURN_CUSTOMER", "char", True, "isReturnCustomer", "Repeat lead"),
    ("BIRTHDATE", "date", False, "birthdate", "Date of birth"),
    ("SOURCE_ID", "crm_status", False, "sourceId", "Source"),
    ("SOURCE_DESCRIPTION", "string", False, "sourceDescription", "Source information"),
    ("STATUS_ID", "crm_status", False, "stageId", "Stage"),
    ("STATUS_DESCRIPTION", "string", False, "statusDescription", "Stage information"),
    ("POST", "string", False, "post", "Position"),
    ("COMMENTS", "string", False, "comments", "Comment"),
    ("CURRENCY_ID", "crm_currency", False, "currencyId", "Currency"),
    ("OPPORTUNITY", "double", False, "opportunity", "Amount"),
    ("IS_MANUAL_OPPORTUNITY", "char", False, "isManualOpportunity", "Manual amount"),
    ("HAS_PHONE", "char", True, "hasPhone", "Has phone"),
    ("HAS_EMAIL", "char", True, "hasEmail", "Has e-mail"),
    ("HAS_IMOL", "char", True, "hasImol", "Has open channel"),
    ("ASSIGNED_BY_ID", "user", False, "assignedById", "Responsible"),
    ("CREATED_BY_ID", "user", True, "createdBy", "Created by"),
    ("MODIFY_BY_ID", "user", True, "updatedBy", "Modified by"),
    ("DATE_CREATE", "datetime", True, "createdTime", "Created on"),
    ("DATE_MODIFY", "datetime", True, "updatedTime", "Modified on"),
    ("DATE_CLOSED", "datetime", True, "dateClosed", "Completed on"),
    ("STATUS_SEMANTIC_ID", "string", True, "stageSemanticId", "Stage semantics"),
    ("OPENED", "char", False, "opened", "Available to everyone"),
    ("ORIGINATOR_ID", "string", False, "originatorId", "External source"),
    ("ORIGIN_ID", "string", False, "originId", "Item ID in the external source"),
    ("MOVED_BY_ID", "user", True, "movedBy", "Stage changed by"),
    ("MOVED_TIME", "datetime", True, "movedTime", "Stage changed on"),
    ("ADDRESS", "string", False, None, "Address"),
    ("ADDRESS_2", "string", False, None, "Address (line 2)"),
    ("ADDRESS_CITY", "string", False, None, "City"),
    ("ADDRESS_POSTAL_CODE", "string", False, None, "Postal code"),
    ("ADDRESS_REGION", "string", False, None, "Region"),
    ("ADDRESS_PROVINCE", "string", False, None, "Province"),
    ("ADDRESS_COUNTRY", "string", False, None, "Country"),
    ("ADDRESS_COUNTRY_CODE", "string", False, None, "Country code"),
    ("ADDRESS_LOC_ADDR_ID", "integer", False, None, "Location address ID"),
    ("UTM_SOURCE", "string", False, "utmSource", "Ad system"),
    ("UTM_MEDIUM", "string", False, "utmMedium", "Medium"),
    ("UTM_CAMPAIGN", "string", False, "utmCampaign", "Ad campaign UTM"),
    ("UTM_CONTENT", "string", False, "utmContent", "Campaign contents"),
    ("UTM_TERM", "string", False, "utmTerm", "Campaign search term"),
    ("LAST_ACTIVITY_BY", "user", True, "lastActivityBy", "Last activity by"),
    ("LAST_ACTIVITY_TIME", "datetime", True, "lastActivityTime", "Last activity"),
)

STANDARD = tuple(row[0] for row in _STANDARD)
TYPES = {row[0]: row[1] for row in _STANDARD}
READ_ONLY = frozenset(row[0] for row in _STANDARD if row[2])
ITEM_NAMES = {row[0]: row[3] for row in _STANDARD if row[3]}
CLASSIC_NAMES = {item: classic for classic, item in ITEM_NAMES.items()}

# crm.item.fields names the columns of the newer tables (reference: bitrix24 section 7.3).
_UPPER_NAMES = {
    "createdTime": "CREATED_TIME",
    "updatedTime": "UPDATED_TIME",
    "createdBy": "CREATED_BY",
    "updatedBy": "UPDATED_BY",
    "movedBy": "MOVED_BY",
    "stageId": "STAGE_ID",
    "stageSemanticId": "STAGE_SEMANTIC_ID",
}
_STATUS_TYPES = {"HONORIFIC": "HONORIFIC", "SOURCE_ID": "SOURCE", "STATUS_ID": "STATUS"}
_KINDS: dict[str, Kind] = {
    "integer": "integer",
    "user": "integer",
    "crm_company": "integer",
    "crm_contact": "integer",
    "double": "number",
    "datetime": "datetime",
    "date": "date",
    "crm_status": "ref",
    "crm_currency": "ref",
    "char": "ref",
}


def kind(name: str) -> Kind:
    """Return how a standard field is compared in filters."""
    return _KINDS.get(TYPES[name], "string")


def _meta(name: str, kind_name: str, read_only: bool, multiple: bool, title: str) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "type": kind_name,
        "isRequired": False,
        "isReadOnly": read_only,
        "isImmutable": False,
        "isMultiple": multiple,
        "isDynamic": False,
        "title": title,
    }
    if name in _STATUS_TYPES:
        meta["statusType"] = _STATUS_TYPES[name]
    if name == "COMPANY_ID":
        meta["settings"] = {"parentEntityTypeId": 4}
    if name == "CONTACT_ID":
        meta["isDeprecated"] = True
    return meta


def classic_fields() -> dict[str, dict[str, Any]]:
    """Return the standard part of ``crm.lead.fields``."""
    fields = {name: _meta(name, type_, locked, False, title) for name, type_, locked, _, title in _STANDARD}
    fields["CONTACT_IDS"] = _meta("CONTACT_IDS", "crm_contact", False, True, "Contacts")
    for name, title in zip(MULTIFIELDS, ("Phone", "E-mail", "Website", "Messenger", "Link"), strict=True):
        fields[name] = _meta(name, "crm_multifield", False, True, title)
    return fields


def item_fields() -> dict[str, dict[str, Any]]:
    """Return the standard part of ``crm.item.fields``, each with its ``upperName``."""
    fields = {
        item: _meta(name, type_, locked, False, title) | {"upperName": _UPPER_NAMES.get(item, name)}
        for name, type_, locked, item, title in _STANDARD
        if item
    }
    fields["contactIds"] = _meta("CONTACT_IDS", "crm_contact", False, True, "Contacts") | {"upperName": "CONTACT_IDS"}
    fields["observers"] = _meta("OBSERVERS", "user", False, True, "Observers") | {"upperName": "OBSERVERS"}
    fields["webformId"] = _meta("WEBFORM_ID", "integer", False, False, "Web form") | {"upperName": "WEBFORM_ID"}
    fields["fm"] = _meta("FM", "crm_multifield", False, True, "Communications") | {"upperName": "FM"}
    return fields
