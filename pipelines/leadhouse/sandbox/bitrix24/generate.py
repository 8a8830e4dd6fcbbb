"""Invented leads, the same for the same seed: sizes, scripts and gaps as real portals have them."""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.people import LOCALES, UTM, Locale, email, phone

from . import times
from .dictionaries import BOT_USER, SYSTEM_USER

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from zoneinfo import ZoneInfo

    from .store import Lead
    from .userfields import UserField

YEARS_BACK = 2
_DAY = 86_400
_STAGE_SHARES = (
    ("NEW", 30), ("IN_PROCESS", 22), ("PROCESSED", 8), ("UC_4KQ8YD", 5), ("7", 2),
    ("JUNK", 12), ("UC_DUPLIC", 3), ("CONVERTED", 18),
)  # fmt: skip
_STAGES = tuple(stage for stage, share in _STAGE_SHARES for _ in range(share))
_SOURCES = ("CALL", "EMAIL", "WEB", "WEB", "WEBFORM", "CALLBACK", "PARTNER", "OTHER", "1", None)
_CURRENCIES = ("RUB", "RUB", "RUB", "USD", "EUR", "KZT", "JPY")
_PHONE_TYPES = ("WORK", "WORK", "MOBILE", "MOBILE", "HOME", "FAX", "OTHER", "MAILING")
_OWNERS = (*range(1, 13), *range(1, 6), BOT_USER, SYSTEM_USER)


class Inventor:
    """Invents leads of one portal; takes ids of multifield values from ``value_ids``."""

    def __init__(
        self,
        rng: random.Random,
        zone: ZoneInfo,
        userfields: list[UserField],
        semantics: dict[str, str],
        value_ids: Iterator[int],
    ) -> None:
        self._rng = rng
        self._random = rng.random
        self._zone = zone
        self._userfields = userfields
        self._semantics = semantics
        self._value_ids = value_ids
        self._files = itertools.count(40_001)
        self._dates = [times.iso_date(date(1950, 1, 1) + timedelta(days=37 * step), zone) for step in range(550)]
        self._makers: dict[str, Callable[[int, UserField], Any]] = {
            "string": lambda _, __: self._pick(self._pick(LOCALES).comments)[:60],
            "integer": lambda _, __: str(int(self._random() * 500) - 20),
            "double": lambda _, __: f"{self._random() * 10:.4f}".rstrip("0"),
            "boolean": lambda _, __: True,
            "datetime": lambda _, __: times.iso(1_735_689_600 + int(self._random() * 50_000_000), zone),
            "date": lambda _, __: self._pick(self._dates),
            "money": lambda _, __: f"{self._amount().removesuffix('.00')}|{self._pick(_CURRENCIES)}",
            "url": lambda id_, _: f"https://example.org/lead/{id_}?a=1&b=%D0%B0",
            "address": lambda id_, _: f"{self._pick(LOCALES[0].streets)}|55.{id_ % 1000:03d};37.6|{id_}",
            "enumeration": lambda _, field: str(self._pick(field.options)[0]) if field.options else None,
            "file": self._file,
            "employee": lambda _, __: str(self._pick(_OWNERS)),
            "crm_status": lambda _, __: self._pick(_SOURCES[:9]),
            "iblock_section": lambda _, __: str(1 + int(self._random() * 9)),
            "iblock_element": lambda _, __: str(100 + int(self._random() * 90)),
            "crm": self._link,
        }

    def _pick(self, pool: Any) -> Any:
        return pool[int(self._random() * len(pool))]

    def _amount(self) -> str:
        roll = self._random()
        if roll < 0.2:
            return "0.00"
        if roll < 0.2005:
            return "9999999999999.99"
        digits = int(self._random() * 6) + 2
        cents = int(self._random() * 100) if self._random() < 0.4 else 0
        return f"{int(self._random() * 10**digits)}.{cents:02d}"

    def _file(self, id_: int, field: UserField) -> dict[str, Any]:
        file = next(self._files)
        query = f"ownerId={id_}&fieldName={field.name}&dynamic=Y&fileId={file}"
        page = "/bitrix/components/bitrix/crm.lead.show/show_file.php?"
        return {"id": file, "showUrl": f"{page}{query}", "downloadUrl": f"{page}auth=&{query}"}

    def _link(self, _: int, field: UserField) -> str:
        target = 1 + int(self._random() * 5000)
        if sum(field.settings.get(kind) == "Y" for kind in ("LEAD", "CONTACT", "COMPANY", "DEAL")) == 1:
            return str(target)
        return f"{self._pick(('C_', 'CO_', 'D_'))}{target}"

    def custom_value(self, id_: int, field: UserField) -> Any:
        """Invent a value of a user field, empty for most leads."""
        roll = self._random()
        if field.multiple:
            if roll > 0.2:
                return field.empty()
            make = self._makers[field.user_type]
            return [make(id_, field) for _ in range(1 + int(self._random() * 3))]
        return self._makers[field.user_type](id_, field) if roll < 0.3 else field.empty()

    def _values(self, kind: str, entries: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [
            {"ID": str(next(self._value_ids)), "VALUE_TYPE": value_type, "VALUE": value, "TYPE_ID": kind}
            for value_type, value in entries
        ]

    def _communications(self, locale: Locale) -> dict[str, list[dict[str, str]]]:
        roll, rng, pick = self._random(), self._rng, self._pick
        found: dict[str, list[dict[str, str]]] = {}
        phones = 0 if roll < 0.22 else 1 if roll < 0.75 else 2 if roll < 0.94 else 3
        if phones:
            found["PHONE"] = self._values("PHONE", [(pick(_PHONE_TYPES), phone(locale, rng)) for _ in range(phones)])
        roll = self._random()
        emails = 0 if roll < 0.45 else 1 if roll < 0.92 else 2
        if emails:
            found["EMAIL"] = self._values(
                "EMAIL", [(pick(("WORK", "HOME", "MAILING")), email(rng)) for _ in range(emails)]
            )
        roll = self._random()
        if roll < 0.04:
            found["WEB"] = self._values("WEB", [("WORK", f"https://example.org/{int(roll * 10**6)}?q=ё&x=1")])
        elif roll < 0.07:
            found["IM"] = self._values("IM", [("TELEGRAM", f"@olga_{int(roll * 10**6)}"), ("VIBER", "viber:000")])
        elif roll < 0.10:
            found["IM"] = self._values("IM", [("OPENLINE", f"imol|livechat|1|{int(roll * 10**6)}|21")])
        elif roll < 0.11:
            found["LINK"] = self._values("LINK", [("USER", str(int(roll * 10**6)))])
        return found

    def lead(self, id_: int, created: int, modified: int) -> Lead:
        """Invent a lead created and last modified at Unix seconds, as ``crm.lead.get`` answers it."""
        random_, pick = self._random, self._pick
        locale: Locale = pick(LOCALES)
        stage = pick(_STAGES) if modified > created else "NEW"
        semantics = self._semantics.get(stage, "P")
        created_text = times.iso(created, self._zone)
        modified_text = created_text if modified == created else times.iso(modified, self._zone)
        moved = created if stage == "NEW" else created + int(random_() * (modified - created))
        moved_text = created_text if moved == created else times.iso(moved, self._zone)
        owner = str(pick(_OWNERS))
        communications = self._communications(locale)
        messengers = communications.get("IM", ())
        named = random_() < 0.85
        addressed = random_() < 0.25
        city = pick(locale.cities) if addressed else ("", "", "")
        company = pick(locale.companies) if random_() < 0.4 else None
        contact = str(1 + int(random_() * 9000)) if random_() < 0.15 else None
        tagged = random_() < 0.3
        imported = random_() < 0.05
        lead: Lead = {
            "ID": str(id_),
            "TITLE": f"Lead #{id_}"
            if random_() < 0.5
            else f"{company or pick(locale.companies)} — {pick(locale.posts)}",
            "HONORIFIC": "HNR_RU_1" if random_() < 0.05 else None,
            "NAME": pick(locale.first) if named else "",
            "SECOND_NAME": pick(locale.middle) if locale.middle and random_() < 0.2 else None,
            "LAST_NAME": pick(locale.last) if named and random_() < 0.8 else None,
            "COMPANY_TITLE": company,
            "COMPANY_ID": pick(("0", "0", None, None, str(id_ % 3000 + 1))),
            "CONTACT_ID": contact,
            "IS_RETURN_CUSTOMER": "Y" if contact else "N",
            "BIRTHDATE": pick(self._dates) if random_() < 0.1 else "",
            "SOURCE_ID": pick(_SOURCES),
            "SOURCE_DESCRIPTION": pick(locale.comments) if random_() < 0.1 else None,
            "STATUS_ID": stage,
            "STATUS_DESCRIPTION": None,
            "POST": pick(locale.posts) if random_() < 0.2 else None,
            "COMMENTS": pick(locale.comments) if random_() < 0.4 else pick((None, "")),
            "CURRENCY_ID": pick(_CURRENCIES),
            "OPPORTUNITY": self._amount(),
            "IS_MANUAL_OPPORTUNITY": "Y" if random_() < 0.5 else "N",
            "HAS_PHONE": "Y" if "PHONE" in communications else "N",
            "HAS_EMAIL": "Y" if "EMAIL" in communications else "N",
            "HAS_IMOL": "Y" if messengers and messengers[0]["VALUE_TYPE"] == "OPENLINE" else "N",
            "ASSIGNED_BY_ID": owner,
            "CREATED_BY_ID": owner,
            "MODIFY_BY_ID": str(pick(_OWNERS)),
            "DATE_CREATE": created_text,
            "DATE_MODIFY": modified_text,
            "DATE_CLOSED": "" if semantics == "P" else moved_text,
            "STATUS_SEMANTIC_ID": semantics,
            "OPENED": "Y" if random_() < 0.9 else "N",
            "ORIGINATOR_ID": "import" if imported else None,
            "ORIGIN_ID": f"x-{id_}" if imported else None,
            "MOVED_BY_ID": owner,
            "MOVED_TIME": moved_text,
            "ADDRESS": pick(locale.streets) if addressed else None,
            "ADDRESS_2": "" if addressed and random_() < 0.3 else None,
            "ADDRESS_CITY": city[0] or None,
            "ADDRESS_POSTAL_CODE": city[2] or None,
            "ADDRESS_REGION": None,
            "ADDRESS_PROVINCE": city[1] or None,
            "ADDRESS_COUNTRY": locale.country[0] if addressed else None,
            "ADDRESS_COUNTRY_CODE": locale.country[1] if addressed and random_() < 0.5 else None,
            "ADDRESS_LOC_ADDR_ID": str(id_ // 3) if addressed and random_() < 0.5 else None,
            **{name: pick(pool) if tagged and random_() < 0.8 else None for name, pool in UTM.items()},
            "LAST_ACTIVITY_BY": owner,
            "LAST_ACTIVITY_TIME": created_text,
        }
        for field in self._userfields:
            lead[field.name] = self.custom_value(id_, field)
        lead.update(communications)
        return lead

    def history(self, count: int, until: int) -> Iterator[tuple[int, int, int]]:
        """Yield ids with gaps and Unix seconds of creation (rising) and modification, up to a moment."""
        span = YEARS_BACK * 365 * _DAY
        random_ = self._random
        id_, created = 0, until - span
        for position in range(count):
            id_ += 1 if random_() < 0.8 else 1 + int(random_() * 7)
            if random_() > 0.03:
                created = max(created, until - span + int(span * (position + random_()) / count))
            roll = random_()
            reach = 0 if roll < 0.25 else _DAY if roll < 0.6 else 30 * _DAY if roll < 0.9 else span
            yield id_, created, min(until, created + int(random_() * reach))
