"""Settings of a new account: users, pipelines, loss reasons, tags, custom fields (reference: kommo section 10)."""

from __future__ import annotations

from typing import Any

from .custom_fields import CustomField

FIRST_USER = 410_021
GONE_USER = 409_007
"""A user that cards point to and lists never name."""
CATALOG = 5_077
COMMENT_FIELD = 880_101
SOURCES = ((2_311, "Website form"), (2_312, "Телефон 📞"), (2_313, "Instagram"))
_PEOPLE = (
    ("Olivia O'Neill", "owner@example.com", 0, True), ("Тимур Ким", "timur@example.com", 0, False),
    ("Jürgen Groß", "jurgen@example.org", 512_001, False), ("さくら 田中", "sakura@example.net", 512_001, False),
    ("Noa Levi", "noa@example.com", 0, False),
)  # fmt: skip
_PIPELINES = (
    (7_100_901, "Sales", True, ("New request", "Qualified", "Offer sent", "Ждёт «оплату»")),
    (7_100_902, "Опт 🏭", False, ("Заявка", "Договор", "Отгрузка")),
    (7_100_903, "Archive 2019", False, ("Waiting",)),
)
_COLORS = ("#99ccff", "#ffff99", "#ffcc66", "#ffcccc", "#d6eaff")
_REASONS = ("Too expensive", "Нет бюджета", "Bought elsewhere", "No answer")
_CITIES = ("Leeds", "Казань", "München", "Nîmes", "大阪市")
_LEAD_FIELDS = (
    ("Comment", "text", None, ()), ("Wishes", "textarea", None, ()), ("Site", "url", None, ()),
    ("Delivery street", "streetaddress", None, ()), ("Area, m²", "numeric", None, ()),
    ("Deposit", "monetary", None, ()), ("VIP", "checkbox", None, ()), ("City", "select", None, _CITIES),
    ("Доставка", "radiobutton", None, ("Courier", "Самовывоз")),
    ("Products", "multiselect", None, ("Windows", "Doors", "Roof", "Двери")), ("Install date", "date", None, ()),
    ("Meeting", "date_time", None, ()), ("Birthday", "birthday", None, ()), ("Address", "smart_address", None, ()),
    ("Legal details", "legal_entity", None, ()), ("Catalogue", "chained_list", None, ()),
    ("Contract", "file", None, ()), ("utm_source", "tracking_data", "UTM_SOURCE", ()),
    ("utm_medium", "tracking_data", "UTM_MEDIUM", ()), ("utm_campaign", "tracking_data", "UTM_CAMPAIGN", ()),
    ("utm_content", "tracking_data", "UTM_CONTENT", ()), ("utm_term", "tracking_data", "UTM_TERM", ()),
)  # fmt: skip
_PHONES = ("WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER")
_MAILS = ("WORK", "PRIV", "OTHER")
_MESSENGERS = ("SKYPE", "TELEGRAM", "WHATSAPP", "OTHER")
_CONTACT_FIELDS = (
    ("Position", "text", "POSITION", ()), ("Phone", "multitext", "PHONE", _PHONES),
    ("Email", "multitext", "EMAIL", _MAILS), ("IM", "multitext", "IM", _MESSENGERS),
    ("Birthday", "birthday", None, ()), ("Язык", "select", None, ("English", "Русский", "Deutsch")),
    ("User agreement", "checkbox", "USER_AGREEMENT", ()),
)  # fmt: skip
_COMPANY_FIELDS = (
    ("Phone", "multitext", "PHONE", _PHONES), ("Email", "multitext", "EMAIL", _MAILS), ("Web", "url", "WEB", ()),
    ("Address", "textarea", "ADDRESS", ()), ("Legal entity", "legal_entity", None, ()),
)  # fmt: skip


def user(id_: int, name: str, email: str, group: int = 0, *, admin: bool = False) -> dict[str, Any]:
    """Return a row of ``GET /users``."""
    level = dict.fromkeys(("view", "edit", "add", "delete", "export"), "A" if admin else "G")
    rights = {key: dict(level) for key in ("leads", "contacts", "companies")}
    return {
        "id": id_,
        "name": name,
        "email": email,
        "lang": "en",
        "rights": {
            **rights,
            "tasks": {"edit": "A", "delete": "A"},
            "mail_access": admin,
            "catalog_access": True,
            "files_access": True,
            "status_rights": None if admin else [],
            "is_admin": admin,
            "is_free": False,
            "is_active": True,
            "group_id": group,
            "role_id": None if admin else 1,
        },
    }


def users() -> list[dict[str, Any]]:
    """Return the users of a new account."""
    return [
        user(FIRST_USER + position, name, email, group, admin=admin)
        for position, (name, email, group, admin) in enumerate(_PEOPLE)
    ]


def embedded_of(row: dict[str, Any], base: str) -> dict[str, Any]:
    """Return roles and groups of a user, as ``with=role,group`` embeds them."""
    role, group = row["rights"]["role_id"], row["rights"]["group_id"]
    roles = [{"id": role, "name": "Manager", "_links": {"self": {"href": f"{base}/api/v4/roles/{role}"}}}]
    return {"roles": roles if role else [], "groups": [{"id": group, "name": "Sales" if group == 0 else "Wholesale"}]}


def status(pipeline: int, id_: int, name: str, sort: int, *, kind: int = 0, color: str = "#c1c1c1") -> dict[str, Any]:
    """Return a status of a pipeline without links; ``kind`` 1 is incoming leads."""
    editable = id_ > 1_000 and kind == 0
    found = {"id": id_, "name": name, "sort": sort, "is_editable": editable, "pipeline_id": pipeline}
    return {**found, "color": color, "type": kind}


def pipelines() -> list[dict[str, Any]]:
    """Return the pipelines of a new account, with ``statuses``: 142 and 143 repeat in each."""
    rows = []
    for position, (id_, name, main, names) in enumerate(_PIPELINES):
        first = 61_200_340 + 20 * position
        statuses = [status(id_, first, "Incoming leads", 10, kind=1)]
        statuses += [
            status(id_, first + 1 + at, label, 20 + 10 * at, color=_COLORS[at % len(_COLORS)])
            for at, label in enumerate(names)
        ]
        statuses += [
            status(id_, 142, "Closed - won", 10_000, color="#CCFF66"),
            status(id_, 143, "Closed - lost", 11_000, color="#D5D8DB"),
        ]
        rows.append(
            {
                "id": id_,
                "name": name,
                "sort": 1 + position,
                "is_main": main,
                "is_unsorted_on": main,
                "is_archive": position == 2,
                "statuses": statuses,
            }
        )
    return rows


def loss_reasons() -> list[dict[str, Any]]:
    """Return the loss reasons of a new account without links."""
    return [
        {
            "id": 90_001 + at,
            "name": name,
            "sort": 100 * at,
            "created_at": 1_640_995_200,
            "updated_at": 1_640_995_200 + at,
        }
        for at, name in enumerate(_REASONS)
    ]


def tags() -> list[dict[str, Any]]:
    """Return the tags of leads of a new account."""
    names = (("web", None), ("Срочно", "FF8F92"), ("vip ⭐", "FFDC7F"), ("repeat", "94E3CD"), ("a,b;c", None))
    return [{"id": 70_011 + at, "name": name, "color": color} for at, (name, color) in enumerate(names)]


def custom_fields() -> dict[str, dict[int, CustomField]]:
    """Return the custom fields of a new account by entity and id: on leads one of every type that leads can have."""
    enum_id = 551_000
    made: dict[str, dict[int, CustomField]] = {}
    for entity, first, fields in (
        ("leads", COMMENT_FIELD, _LEAD_FIELDS),
        ("contacts", 771_001, _CONTACT_FIELDS),
        ("companies", 772_001, _COMPANY_FIELDS),
    ):
        made[entity] = {}
        for position, (name, kind, code, values) in enumerate(fields):
            enums: list[tuple[int, str, str | None]] = []
            for value in values:
                enum_id += 1
                enums.append((enum_id, value, value if kind == "multitext" else None))
            currency = "GBP" if kind == "monetary" else None
            own = CustomField(first + position, entity, name, kind, code, enums, 500 + position, currency)
            made[entity][own.id] = own
    return made
