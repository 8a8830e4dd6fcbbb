"""Dictionaries of a new portal: stages, sources, users, currencies (reference: bitrix24 section 12)."""

from __future__ import annotations

from typing import Any

Rows = list[dict[str, Any]]

_STAGES = (
    ("NEW", "New", "#39A8EF", None),
    ("IN_PROCESS", "Взят в работу", "#2FC6F6", None),
    ("PROCESSED", "Обработан", "#55D0E0", None),
    ("UC_4KQ8YD", "Ждёт «оплату»", "#FFA900", None),
    ("7", "Re-heat 🔥", "#CE8BD9", None),
    ("JUNK", "Junk lead", "#FF5752", "F"),
    ("UC_DUPLIC", "Дубль", "#C4BAED", "F"),
    ("CONVERTED", "Converted", "#7BD500", "S"),
)
_SOURCES = (
    ("CALL", "Call"),
    ("EMAIL", "E-Mail"),
    ("WEB", "Website"),
    ("ADVERTISING", "Реклама"),
    ("PARTNER", "Existing client"),
    ("RECOMMENDATION", "По рекомендации"),
    ("TRADE_SHOW", "Show/Exhibition"),
    ("WEBFORM", "CRM form"),
    ("CALLBACK", "Callback"),
    ("RC_GENERATOR", "Sales boost"),
    ("STORE", "Online store"),
    ("OTHER", "Other"),
    ("1", "テレビ広告"),
)
_HONORIFICS = (("HNR_RU_1", "Господин"), ("HNR_RU_2", "Госпожа"), ("HNR_EN_4", "Dr."))
_OTHERS = {"CONTACT_TYPE": ("CLIENT", "Clients"), "COMPANY_TYPE": ("CUSTOMER", "Client"), "DEAL_TYPE": ("SALE", "Sale")}
_OUTCOMES = {None: "process", "S": "success", "F": "failure"}

SYSTEM_USER = 0
BOT_USER = 97
"""Users that leads point to and user.get never returns (reference: bitrix24 12.2)."""

_USERS = (
    ("Irina", "Ким", True), ("Gleb", "Титов", True), ("Olivia", "O'Neill", True), ("Νίκος", "Ξένος", True),
    ("さくら", "田中", True), ("Jürgen", "Groß", False), ("ليلى", "منصور", True), ("Noa", "Levi", True),
    ("Theo", "Brooks", False), ("ნინო", "ბერიძე", True), ("अनन्या", "नायर", True), ("Zoë", "Fox", True),
)  # fmt: skip


def _status(id_: int, entity: str, status: str, name: str, sort: int) -> dict[str, Any]:
    return {
        "ID": str(id_),
        "ENTITY_ID": entity,
        "STATUS_ID": status,
        "NAME": name,
        "NAME_INIT": name,
        "SORT": str(sort),
        "SYSTEM": "N" if status.isdigit() or status.startswith("UC_") else "Y",
        "CATEGORY_ID": None,
        "COLOR": None,
        "SEMANTICS": None,
    }


def default_statuses() -> Rows:
    """Return the rows of ``crm.status.list``: stages and sources of leads, salutations and some of other objects."""
    rows: Rows = []
    for position, (status, name, color, semantics) in enumerate(_STAGES):
        row = _status(101 + 2 * position, "STATUS", status, name, 10 * (position + 1))
        extra = {"SEMANTICS": "apology" if status == "UC_DUPLIC" else _OUTCOMES[semantics], "COLOR": color}
        rows.append(row | {"COLOR": color, "SEMANTICS": semantics, "EXTRA": extra})
    for position, (status, name) in enumerate(_SOURCES):
        rows.append(_status(151 + 2 * position, "SOURCE", status, name, 10 * (position + 1)))
    for position, (status, name) in enumerate(_HONORIFICS):
        rows.append(_status(201 + 2 * position, "HONORIFIC", status, name, 10 * (position + 1)))
    for position, (entity, (status, name)) in enumerate(_OTHERS.items()):
        rows.append(_status(221 + 2 * position, entity, status, name, 10))
    return rows


def user_row(id_: int, name: str, last_name: str, *, active: bool = True) -> dict[str, Any]:
    """Return a row of ``user.get``."""
    return {
        "ID": str(id_),
        "XML_ID": None,
        "ACTIVE": active,
        "NAME": name,
        "LAST_NAME": last_name,
        "SECOND_NAME": "",
        "EMAIL": f"user{id_}@example.com",
        "LAST_LOGIN": "2026-11-20T09:00:00+03:00" if active else "",
        "DATE_REGISTER": "2021-03-01T03:00:00+03:00",
        "IS_ONLINE": "N",
        "TIMESTAMP_X": {},
        "LAST_ACTIVITY_DATE": {},
        "PERSONAL_GENDER": "",
        "PERSONAL_BIRTHDAY": "",
        "WORK_POSITION": "Sales",
        "UF_DEPARTMENT": [1 + id_ % 3],
        "USER_TYPE": "employee",
    }


def default_users() -> Rows:
    """Return the users of a new portal, two of them dismissed."""
    return [user_row(id_, name, last, active=active) for id_, (name, last, active) in enumerate(_USERS, start=1)]


def default_currencies() -> Rows:
    """Return the rows of ``crm.currency.list``."""
    rates = (
        ("RUB", "1.0000", "Рубль", "# ₽"),
        ("USD", "92.5000", "US dollar", "$#"),
        ("EUR", "99.1200", "Euro", "€#"),
        ("KZT", "17.9000", "Теңге", "# ₸"),
        ("JPY", "61.2000", "日本円", "¥#"),
    )
    return [
        {
            "CURRENCY": code,
            "AMOUNT_CNT": "100" if code in {"KZT", "JPY"} else "1",
            "AMOUNT": amount,
            "SORT": str(100 * position),
            "BASE": "Y" if code == "RUB" else "N",
            "FULL_NAME": name,
            "LID": "ru",
            "FORMAT_STRING": pattern,
            "DEC_POINT": ".",
            "THOUSANDS_SEP": " ",
            "DECIMALS": "0" if code == "JPY" else "2",
            "DATE_UPDATE": "2026-01-12T10:00:00+03:00",
        }
        for position, (code, amount, name, pattern) in enumerate(rates, start=1)
    ]


def stage_row(position: int, status: str, name: str, semantics: str | None) -> dict[str, Any]:
    """Return a row of ``crm.status.list`` for a further stage of leads."""
    row = _status(301 + 2 * position, "STATUS", status, name, 10 * (position + 1))
    return row | {
        "COLOR": "#A0A0A0",
        "SEMANTICS": semantics,
        "EXTRA": {"SEMANTICS": _OUTCOMES[semantics], "COLOR": "#A0A0A0"},
    }
