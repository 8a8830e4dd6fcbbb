"""Invented leads, contacts and companies, the same for the same seed: sizes, scripts and gaps as real accounts have."""

# ruff: noqa: RUF001 - people of many scripts are the point

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from leadhouse.sandbox.people import LOCALES, UTM, email, phone

from .custom_fields import ADDRESS_PARTS
from .dictionaries import CATALOG, GONE_USER, SOURCES
from .office import LOST, WON

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator
    from zoneinfo import ZoneInfo

    from .custom_fields import CustomField
    from .office import Office
    from .store import Card

YEARS_BACK = 2
_DAY = 86_400
_FILLED = 0.12
_NAMES = ("Order {}", "Window order {}", "Сделка №{}", "Lead #{}", "Angebot {} – Küche", "案件{}", "{}")


class Inventor:
    """Invents cards of one account."""

    def __init__(self, rng: random.Random, office: Office, zone: ZoneInfo) -> None:
        self._rng = rng
        self._random = rng.random
        self._office = office
        users = [row["id"] for row in office.users()]
        self._owners = [*users, *users, GONE_USER]
        self._groups = {user: office.group_of(user) for user in self._owners}
        self._stages = [
            (pipeline, status) for pipeline, stages in office.stages.items() for status in (*stages[1:-2], *stages[-2:])
        ]
        main = self._stages[: len(office.stages[self._stages[0][0]]) - 1]
        self._stages += main * 4
        self._closed = {WON, LOST}
        self._reasons = [row["id"] for row in office.loss_reasons()]
        self._days = [self._midnight(date(1950, 1, 1) + timedelta(days=37 * step), zone) for step in range(550)]
        self._coming = [self._midnight(date(2025, 1, 1) + timedelta(days=step), zone) for step in range(800)]
        text: Callable[[int, CustomField], Any] = lambda _, __: [{"value": self._pick(self._pick(LOCALES).comments)}]  # noqa: E731
        self._makers: dict[str, Callable[[int, CustomField], list[dict[str, Any]]]] = {
            "text": text,
            "textarea": text,
            "url": lambda id_, _: [{"value": f"https://example.org/order/{id_}?a=1&b=%D0%B0"}],
            "streetaddress": lambda _, __: [{"value": self._pick(self._pick(LOCALES).streets)}],
            "tracking_data": lambda _, own: [{"value": self._pick(UTM.get(own.code or "", ("x",)))}],
            "numeric": lambda _, __: [{"value": f"{self._random() * 500:.2f}".rstrip("0").rstrip(".")}],
            "monetary": lambda _, __: [{"value": str(int(self._random() * 9_000) / 4)}],
            "checkbox": lambda _, __: [{"value": True}],
            "select": lambda _, own: [own.choice(self._pick(own.enums))],
            "radiobutton": lambda _, own: [own.choice(self._pick(own.enums))],
            "multiselect": lambda _, own: [own.choice(enum) for enum in own.enums[: 1 + int(self._random() * 4)]],
            "date": lambda _, __: [{"value": self._pick(self._coming)}],
            "date_time": lambda _, __: [{"value": 1_735_689_600 + int(self._random() * 60_000_000)}],
            "birthday": lambda _, __: [{"value": self._pick(self._days)}],
            "smart_address": self._address,
            "legal_entity": self._legal_entity,
            "chained_list": lambda id_, _: [
                {"catalog_id": CATALOG, "catalog_element_id": 300_000 + (id_ + step) % 900}
                for step in range(1 + int(self._random() * 3))
            ],
            "file": self._file,
        }

    @staticmethod
    def _midnight(day: date, zone: ZoneInfo) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())

    def _pick(self, pool: Any) -> Any:
        return pool[int(self._random() * len(pool))]

    def _address(self, _: int, __: CustomField) -> list[dict[str, Any]]:
        locale = self._pick(LOCALES)
        city = self._pick(locale.cities)
        parts = (self._pick(locale.streets), "", city[0], city[1], city[2], locale.country[1])
        return [
            {"value": part, "enum_id": position, "enum_code": ADDRESS_PARTS[position - 1]}
            for position, part in enumerate(parts, start=1)
            if part
        ]

    def _legal_entity(self, id_: int, __: CustomField) -> list[dict[str, Any]]:
        locale = self._pick(LOCALES)
        return [
            {
                "value": {
                    "name": self._pick(locale.companies),
                    "entity_type": 2,
                    "vat_id": f"0000{id_ % 10**6:06d}",
                    "tax_registration_reason_code": None,
                    "address": self._pick(locale.streets),
                    "kpp": "000000000",
                    "external_uid": None,
                }
            }
        ]

    def _file(self, id_: int, __: CustomField) -> list[dict[str, Any]]:
        uuid = f"{id_:08x}-0000-4000-8000-{int(self._random() * 16**12):012x}"
        value = {
            "file_uuid": uuid,
            "version_uuid": uuid[::-1],
            "file_name": f"договор {id_}.pdf",
            "file_size": id_ % 10**6,
        }
        return [{"value": {**value, "is_deleted": False}}]

    def _values(self, entity: str, id_: int, filled: float) -> list[dict[str, Any]] | None:
        found = [
            own.value(self._makers[own.type](id_, own))
            for own in self._office.fields[entity].values()
            if own.type in self._makers and self._random() < filled
        ]
        return found or None

    def _head(self, id_: int, name: str, created: int, updated: int) -> Card:
        owner = self._pick(self._owners)
        return {
            "id": id_,
            "name": name,
            "responsible_user_id": owner,
            "group_id": self._groups[owner],
            "created_by": 0 if self._random() < 0.3 else owner,
            "updated_by": 0 if self._random() < 0.1 else owner,
            "created_at": created,
            "updated_at": updated,
            "closest_task_at": updated + 3_600 if self._random() < 0.2 else None,
            "is_deleted": False,
        }

    def lead(self, id_: int, created: int, updated: int, contacts: list[int], company: int | None) -> Card:
        """Invent a lead created and last updated at Unix seconds, linked to contacts, the first of them main."""
        random_ = self._random
        pipeline, status = self._pick(self._stages)
        closed = created + int(random_() * (updated - created)) if status in self._closed else None
        price = 0 if random_() < 0.2 else int(10 ** (1 + random_() * 5))
        source = self._pick(SOURCES)[0] if random_() < 0.4 else None
        tags = [dict(tag) for tag in self._office.tags if random_() < 0.12]
        elements = int(random_() * 3) + 1 if random_() < 0.08 else 0
        lead = self._head(id_, self._pick(_NAMES).format(id_), created, updated)
        lead |= {
            "price": price,
            "price_with_minor_units": price + 0.5 if random_() < 0.1 else price,
            "status_id": status,
            "pipeline_id": pipeline,
            "loss_reason_id": self._pick(self._reasons) if status == LOST and random_() < 0.8 else None,
            "source_id": source,
            "closed_at": closed,
            "custom_fields_values": self._values("leads", id_, _FILLED) if random_() < 0.8 else None,
            "score": int(random_() * 100) if random_() < 0.1 else None,
            "account_id": self._office.account_id,
            "labor_cost": int(random_() * 90_000) if random_() < 0.1 else None,
            "is_price_computed": False,
            "is_price_modified_by_robot": random_() < 0.1,
            "_embedded": {
                "tags": tags,
                "companies": [] if company is None else [{"id": company}],
                "contacts": [{"id": contact, "is_main": not place} for place, contact in enumerate(contacts)],
                "catalog_elements": [
                    {
                        "id": 300_000 + (id_ + step) % 900,
                        "metadata": {"quantity": step + 1, "catalog_id": CATALOG, "price_id": None},
                    }
                    for step in range(elements)
                ],
            },
        }
        return lead

    def contact(self, id_: int, created: int, updated: int, company: int | None) -> Card:
        """Invent a contact."""
        locale, random_ = self._pick(LOCALES), self._random
        first, last = self._pick(locale.first), self._pick(locale.last)
        contact = self._head(id_, f"{first} {last}", created, updated)
        fields = self._office.fields["contacts"]
        values = [] if random_() < 0.1 else self._communications(locale, fields)
        values += self._values("contacts", id_, 0.08) or []
        order = list(fields)
        contact |= {
            "first_name": first if random_() < 0.9 else "",
            "last_name": last if random_() < 0.9 else "",
            "is_unsorted": False,
            "custom_fields_values": sorted(values, key=lambda entry: order.index(entry["field_id"])) or None,
            "account_id": self._office.account_id,
            "_embedded": {
                "tags": [],
                "companies": [] if company is None else [{"id": company}],
                "catalog_elements": [],
                "customers": [],
            },
        }
        return contact

    def _communications(self, locale: Any, fields: dict[int, CustomField]) -> list[dict[str, Any]]:
        rng, random_ = self._rng, self._random
        by_code = {own.code: own for own in fields.values() if own.type == "multitext"}
        makers: tuple[tuple[str, float, Callable[[], str]], ...] = (
            ("PHONE", 0.9, lambda: phone(locale, rng)),
            ("EMAIL", 0.6, lambda: email(rng)),
            ("IM", 0.1, lambda: f"@olga_{int(random_() * 10**6)}"),
        )
        found = []
        for code, share, make in makers:
            own = by_code.get(code)
            if own is not None and random_() < share:
                values = [
                    own.choice(self._pick(own.enums)) | {"value": make()} for _ in range(2 if random_() < 0.25 else 1)
                ]
                found.append(own.value(values))
        return found

    def company(self, id_: int, created: int, updated: int) -> Card:
        """Invent a company."""
        locale = self._pick(LOCALES)
        company = self._head(id_, self._pick(locale.companies), created, updated)
        own = next((field for field in self._office.fields["companies"].values() if field.code == "PHONE"), None)
        values = [own.value([own.choice(own.enums[0]) | {"value": phone(locale, self._rng)}])] if own else []
        values += self._values("companies", id_, 0.2) or []
        company |= {
            "custom_fields_values": values or None,
            "account_id": self._office.account_id,
            "_embedded": {"tags": [], "catalog_elements": [], "customers": []},
        }
        return company

    def history(self, count: int, until: int) -> Iterator[tuple[int, int, int]]:
        """Yield rises of id and Unix seconds of creation (rising) and update, up to a moment."""
        span = YEARS_BACK * 365 * _DAY
        random_ = self._random
        created = until - span
        for position in range(count):
            if random_() > 0.03:
                created = max(created, until - span + int(span * (position + random_()) / count))
            roll = random_()
            reach = 0 if roll < 0.25 else _DAY if roll < 0.6 else 30 * _DAY if roll < 0.9 else span
            rise = 2 if random_() < 0.8 else 2 + 2 * int(random_() * 7)
            yield rise, created, min(until, created + int(random_() * reach))

    def linked(self, known: list[int]) -> tuple[list[int], int]:
        """Choose what a new lead is linked to: known contacts, and how many new ones."""
        roll = self._random()
        wanted = 0 if roll < 0.06 else 1 if roll < 0.82 else 2 if roll < 0.95 else 3
        old = [self._pick(known) for _ in range(wanted) if known and self._random() < 0.25]
        return list(dict.fromkeys(old)), wanted - len(old)
