"""User fields of leads: one of each type, several multiple (reference: bitrix24 section 6.6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fields import Kind

Option = tuple[int, str]

TYPES = (
    "string",
    "integer",
    "double",
    "boolean",
    "datetime",
    "date",
    "money",
    "url",
    "address",
    "enumeration",
    "file",
    "employee",
    "crm_status",
    "iblock_section",
    "iblock_element",
    "crm",
    "resourcebooking",
)
_KINDS: dict[str, Kind] = {
    "integer": "integer",
    "employee": "integer",
    "enumeration": "integer",
    "iblock_section": "integer",
    "iblock_element": "integer",
    "file": "integer",
    "double": "number",
    "boolean": "boolean",
    "datetime": "datetime",
    "date": "date",
    "crm_status": "ref",
    "resourcebooking": "integer",
}
_SETTINGS: dict[str, dict[str, Any]] = {
    "string": {"SIZE": 20, "ROWS": 1, "REGEXP": "", "MIN_LENGTH": 0, "MAX_LENGTH": 0, "DEFAULT_VALUE": ""},
    "integer": {"SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": None},
    "double": {"PRECISION": 4, "SIZE": 20, "MIN_VALUE": 0, "MAX_VALUE": 0, "DEFAULT_VALUE": None},
    "boolean": {"DEFAULT_VALUE": 0, "DISPLAY": "CHECKBOX", "LABEL": ["", ""], "LABEL_CHECKBOX": ""},
    "datetime": {"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}, "USE_SECOND": "Y"},
    "date": {"DEFAULT_VALUE": {"TYPE": "NONE", "VALUE": ""}},
    "money": {"DEFAULT_VALUE": ""},
    "enumeration": {"DISPLAY": "LIST", "LIST_HEIGHT": 1, "CAPTION_NO_VALUE": "", "SHOW_NO_VALUE": "Y"},
    "crm_status": {"ENTITY_TYPE": "SOURCE"},
    "iblock_section": {"IBLOCK_ID": 14, "DEFAULT_VALUE": "", "DISPLAY": "LIST", "LIST_HEIGHT": 1},
    "iblock_element": {"IBLOCK_ID": 14, "DEFAULT_VALUE": "", "DISPLAY": "LIST", "LIST_HEIGHT": 1},
    "crm": {"LEAD": "N", "CONTACT": "Y", "COMPANY": "Y", "DEAL": "Y"},
}


@dataclass
class UserField:
    """A user field of leads.

    ``options`` are the variants of an enumeration (id and text), ``titles`` the labels in other languages than the
    portal's, by their two letters.
    """

    id: int
    name: str
    user_type: str
    multiple: bool = False
    label: str = ""
    options: list[Option] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.label = self.label or self.name
        self.settings = {**_SETTINGS.get(self.user_type, {}), **self.settings}

    @property
    def kind(self) -> Kind:
        """How the field is compared in filters."""
        return _KINDS.get(self.user_type, "string")

    @cached_property
    def item_name(self) -> str:
        """The name in ``crm.item``: camelised, a last part of digits kept apart (reference: bitrix24 7.4)."""
        parts = self.name.lower().split("_")
        text = parts[0] + "".join(part.capitalize() for part in parts[1:-1])
        return text + (f"_{parts[-1]}" if parts[-1].isdigit() else parts[-1].capitalize())

    def empty(self) -> Any:
        """Return the classic answer's value of a lead that has none (reference: bitrix24 section 5.6)."""
        if self.multiple or self.user_type == "boolean":
            return False
        return "" if self.user_type in {"date", "datetime"} else None

    def row(self, lang: str | None) -> dict[str, Any]:
        """Return the field as ``crm.lead.userfield.list`` does; labels only for a language."""
        row: dict[str, Any] = {
            "ID": str(self.id),
            "ENTITY_ID": "CRM_LEAD",
            "FIELD_NAME": self.name,
            "USER_TYPE_ID": self.user_type,
            "XML_ID": None,
            "SORT": str(100 + self.id % 100 * 10),
            "MULTIPLE": "Y" if self.multiple else "N",
            "MANDATORY": "N",
            "SHOW_FILTER": "E",
            "SHOW_IN_LIST": "Y",
            "EDIT_IN_LIST": "Y",
            "IS_SEARCHABLE": "N",
            "SETTINGS": self.settings,
        }
        if lang:
            label = self.titles.get(lang, self.label)
            row |= dict.fromkeys(("EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL"), label)
            row |= {"ERROR_MESSAGE": None, "HELP_MESSAGE": None}
        if self.user_type == "enumeration":
            row["LIST"] = [
                {"ID": str(id_), "SORT": str(10 * (position + 1)), "VALUE": text, "DEF": "N", "XML_ID": f"v{id_:x}"}
                for position, (id_, text) in enumerate(self.options)
            ]
        return row

    def meta(self, *, item: bool = False) -> dict[str, Any]:
        """Return the field as ``crm.lead.fields`` or ``crm.item.fields`` does."""
        meta: dict[str, Any] = {
            "type": self.user_type,
            "isRequired": False,
            "isReadOnly": False,
            "isImmutable": False,
            "isMultiple": self.multiple,
            "isDynamic": True,
            "title": self.label if item else self.name,
        }
        if self.user_type == "enumeration":
            meta["items"] = [{"ID": str(id_), "VALUE": text} for id_, text in self.options]
        if self.user_type == "crm_status":
            meta["statusType"] = self.settings["ENTITY_TYPE"]
        if item:
            return meta | {"settings": self.settings, "upperName": self.name}
        labels = dict.fromkeys(("listLabel", "formLabel", "filterLabel"), self.label)
        return meta | labels | {"settings": self.settings}


def default_userfields() -> list[UserField]:
    """Return the user fields of a new portal: every type but bookings, seven multiple, eight with names of digits."""
    rows: tuple[tuple[str, str, bool, str], ...] = (
        ("UF_CRM_1704817278", "enumeration", False, "Segment"),
        ("UF_CRM_1706782596092", "string", False, "Номер договора"),
        ("UF_CRM_1708952993785", "boolean", False, "Newsletter"),
        ("UF_CRM_1724077760", "enumeration", True, "Interests"),
        ("UF_CRM_SEATS", "integer", False, "Seats"),
        ("UF_CRM_RATING", "double", False, "Rating"),
        ("UF_CRM_1730000000001", "datetime", False, "Demo at"),
        ("UF_CRM_1730000000002", "date", False, "Contract date"),
        ("UF_CRM_BUDGET", "money", False, "Budget"),
        ("UF_CRM_SITE", "url", False, "Site"),
        ("UF_CRM_1730000000003", "address", False, "Delivery address"),
        ("UF_CRM_OFFER_FILE", "file", False, "Offer"),
        ("UF_CRM_CURATOR", "employee", False, "Curator"),
        ("UF_CRM_SECOND_SOURCE", "crm_status", False, "Second source"),
        ("UF_CRM_CATALOG", "iblock_section", False, "Catalog section"),
        ("UF_CRM_1730000000004", "iblock_element", False, "Catalog item"),
        ("UF_CRM_PARTNER", "crm", False, "Partner"),
        ("UF_CRM_TAGS", "string", True, "Теги"),
        ("UF_CRM_VISITS", "datetime", True, "Visits"),
        ("UF_CRM_PAYMENTS", "money", True, "Payments"),
        ("UF_CRM_SIZES", "integer", True, "Sizes"),
        ("UF_CRM_SCANS", "file", True, "Scans"),
        ("UF_CRM_LINKED", "crm", True, "Linked"),
        ("UF_CRM_LEGAL_CONTACT", "crm", False, "Legal contact"),
    )
    options: dict[str, list[Option]] = {
        "UF_CRM_1704817278": [(45, "Retail"), (46, "Опт"), (47, "官公庁"), (48, 'R&D "lab"')],
        "UF_CRM_1724077760": [(51, "Windows"), (52, "Двери"), (53, "Balconies"), (54, "نوافذ")],
    }
    single = {"LEAD": "N", "CONTACT": "Y", "COMPANY": "N", "DEAL": "N"}
    return [
        UserField(6799 + position, name, user_type, multiple, label, options.get(name, []),
                  single if name == "UF_CRM_LEGAL_CONTACT" else {})
        for position, (name, user_type, multiple, label) in enumerate(rows)
    ]  # fmt: skip
