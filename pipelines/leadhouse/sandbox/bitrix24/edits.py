"""What an edit makes of a lead: typed fields, stages, multifield values (reference: bitrix24 6.2 and 6.3)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox import php

from . import times
from .fields import MULTIFIELDS, READ_ONLY, STANDARD, TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from zoneinfo import ZoneInfo

    from .store import Lead
    from .userfields import UserField

_DEFAULT_TYPES = {"IM": "OTHER", "LINK": "USER"}
_REFERENCES = frozenset({"user", "crm_company", "crm_contact"})


class Editor:
    """Applies the fields of an add or update call to a lead; unknown names and impossible values are ignored."""

    def __init__(
        self,
        zone: ZoneInfo,
        userfields: Mapping[str, UserField],
        semantics: Mapping[str, str],
        value_ids: Iterator[int],
    ) -> None:
        self._zone = zone
        self._userfields = userfields
        self._semantics = semantics
        self._value_ids = value_ids

    def apply(self, lead: Lead, fields: Mapping[str, Any]) -> None:
        """Change the lead in place; dates and authors of the change are the caller's to set."""
        for name, value in fields.items():
            if name in MULTIFIELDS:
                self._edit_values(lead, name, php.values(value) if php.is_array(value) else [])
            elif name in self._userfields:
                self._edit_custom(lead, self._userfields[name], value)
            elif name in TYPES and name not in READ_ONLY:
                self._edit_standard(lead, name, value)
        if "COMPANY_ID" in fields or "CONTACT_ID" in fields:
            linked = php.integer(lead["COMPANY_ID"]) or php.integer(lead["CONTACT_ID"])
            lead["IS_RETURN_CUSTOMER"] = "Y" if linked else "N"

    def _edit_standard(self, lead: Lead, name: str, value: Any) -> None:
        kind = TYPES[name]
        if name == "STATUS_ID":
            if value in self._semantics:
                lead["STATUS_ID"], lead["STATUS_SEMANTIC_ID"] = value, self._semantics[value]
        elif kind == "double":
            lead[name] = amount(value) or lead[name]
        elif kind == "date":
            day = times.parse_date(value)
            lead[name] = times.iso_date(day, self._zone) if day else ""
        elif kind in _REFERENCES:
            lead[name] = str(php.integer(value)) if value not in (None, "") else None
        elif kind == "char":
            lead[name] = "Y" if php.truthy(value) and value != "N" else "N"
        else:
            lead[name] = None if value is None else str(value)

    def _edit_custom(self, lead: Lead, field: UserField, value: Any) -> None:
        if field.multiple:
            kept = [made for entry in php.values(value) if (made := self._custom(field, entry)) not in (None, "")]
            lead[field.name] = kept or field.empty()
            return
        made = self._custom(field, value[0] if isinstance(value, list) and value else value)
        if made is not None:
            lead[field.name] = made
        elif value in (None, "", False):
            lead[field.name] = field.empty()

    def _custom(self, field: UserField, value: Any) -> Any:  # noqa: PLR0911 - one return a type
        if field.user_type == "boolean":
            return str(value).upper() in {"1", "Y", "TRUE"}
        if value in (None, "", False):
            return None
        if field.user_type == "file":
            return value if isinstance(value, dict) else None
        if field.user_type == "datetime":
            second = times.parse_datetime(value, self._zone)
            return None if second is None else times.iso(second, self._zone)
        if field.user_type == "date":
            day = times.parse_date(value)
            return None if day is None else times.iso_date(day, self._zone)
        if field.user_type == "enumeration":
            return str(value) if php.integer(value) in {id_ for id_, _ in field.options} else None
        return str(php.integer(value)) if field.kind == "integer" else str(value)

    def _edit_values(self, lead: Lead, kind: str, items: list[Any]) -> None:
        current: dict[str, dict[str, Any]] = {entry["ID"]: dict(entry) for entry in lead.get(kind, ())}
        for item in items:
            if not isinstance(item, dict):
                continue
            id_ = str(item.get("ID") or "")
            value = item.get("VALUE")
            if id_ in current:
                if item.get("DELETE") == "Y" or value == "":
                    del current[id_]
                    continue
                if value is not None:
                    current[id_]["VALUE"] = str(value)
                current[id_]["VALUE_TYPE"] = str(item.get("VALUE_TYPE") or current[id_]["VALUE_TYPE"])
            elif value not in (None, "") and item.get("DELETE") != "Y":
                new = str(next(self._value_ids))
                value_type = str(item.get("VALUE_TYPE") or _DEFAULT_TYPES.get(kind, "WORK"))
                current[new] = {"ID": new, "VALUE_TYPE": value_type, "VALUE": str(value), "TYPE_ID": kind}
        lead.pop(kind, None)
        if current:
            lead[kind] = list(current.values())

    def blank(self, id_: int, user: str, now: str) -> Lead:
        """Return a new lead without values."""
        lead: Lead = dict.fromkeys(STANDARD)
        lead |= {
            "ID": str(id_), "TITLE": f"Lead #{id_}", "COMPANY_ID": "0", "IS_RETURN_CUSTOMER": "N", "BIRTHDATE": "",
            "STATUS_ID": "NEW", "STATUS_SEMANTIC_ID": "P", "CURRENCY_ID": "RUB", "OPPORTUNITY": "0.00",
            "IS_MANUAL_OPPORTUNITY": "N", "ASSIGNED_BY_ID": user, "CREATED_BY_ID": user, "MODIFY_BY_ID": user,
            "DATE_CREATE": now, "DATE_MODIFY": now, "DATE_CLOSED": "", "OPENED": "Y", "MOVED_BY_ID": user,
            "MOVED_TIME": now, "LAST_ACTIVITY_BY": user, "LAST_ACTIVITY_TIME": now,
        }  # fmt: skip
        lead |= {field.name: field.empty() for field in self._userfields.values()}
        return lead


def in_order(lead: Lead, userfields: Mapping[str, UserField]) -> Lead:
    """Return the lead with its marks recomputed and its keys in the portal's order, missing user fields empty."""
    lead["HAS_PHONE"] = "Y" if lead.get("PHONE") else "N"
    lead["HAS_EMAIL"] = "Y" if lead.get("EMAIL") else "N"
    lead["HAS_IMOL"] = "Y" if any(entry["VALUE_TYPE"] in {"OPENLINE", "IMOL"} for entry in lead.get("IM", ())) else "N"
    whole: Lead = {name: lead[name] for name in STANDARD}
    whole |= {name: lead.get(name, field.empty()) for name, field in userfields.items()}
    whole |= {kind: sorted(lead[kind], key=lambda e: int(e["ID"])) for kind in MULTIFIELDS if lead.get(kind)}
    return whole


def amount(value: Any) -> str | None:
    """Return an amount as the portal keeps it, text with two decimals, None when it is no number."""
    text = php.number(value)
    if text is None:
        return "0.00" if value in (None, "") else None
    try:
        return format(Decimal(text).quantize(Decimal("0.01"), ROUND_HALF_UP), "f")
    except InvalidOperation:
        return None
