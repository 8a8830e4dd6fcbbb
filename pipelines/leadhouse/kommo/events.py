"""What an account's events tell of rows that left it, came back, or were merged into others.

Vendor's page of events: a list without a promised order, filtered by type, entity, id (10 at most) and time. Whether a
merge also tells of a deletion is not documented, so all three types are asked for and the rows themselves decide.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

from leadhouse.kommo.account import Row, rows_of
from leadhouse.kommo.client import KommoClient
from leadhouse.kommo.entity import Entity
from leadhouse.lots import lots

_IDS = 10
# Above this many ids every event is read: fewer requests than asking for ids.
_ASKED = 200


def deletions(client: KommoClient, entity: Entity, ids: Collection[int]) -> dict[int, datetime]:
    """Return when rows were deleted last (UTC), as far as events tell.

    Raises:
        PermissionDeniedError: the access may not read events.
        LeadhouseError: the account refused otherwise, or cannot be read.
    """
    wanted, times = set(ids), dict[int, datetime]()
    kinds = (f"{entity.singular}_deleted", "entity_merged")
    spans = lots(sorted(ids), _IDS) if len(ids) <= _ASKED else iter([()])
    for lot in spans:
        for number, at in _told(client, entity, kinds, [("filter[entity_id][]", str(number)) for number in lot]):
            if number in wanted:
                times[number] = max(at, times.get(number, at))
    return times


def moved(client: KommoClient, entity: Entity, since: datetime) -> set[int]:
    """Return rows that were deleted, restored or merged since then, as far as events tell.

    Raises:
        PermissionDeniedError: the access may not read events.
        LeadhouseError: the account refused otherwise, or cannot be read.
    """
    kinds = (f"{entity.singular}_deleted", f"{entity.singular}_restored", "entity_merged")
    asked = [("filter[created_at][from]", str(int(since.timestamp())))]
    return {number for number, at in _told(client, entity, kinds, asked) if at >= since}


def restorable(client: KommoClient, entity: Entity) -> dict[int, datetime]:
    """Return the rows that the account would still restore, with the time of their deletion (UTC); leads alone.

    Raises:
        LeadhouseError: the account refused, or cannot be read.
    """
    if entity.path != "leads":
        return {}
    times: dict[int, datetime] = {}
    for row in rows_of(client, "leads", "leads", [("with", "only_deleted")]):
        at = _time(row, "updated_at")
        if at is not None and type(row.get("id")) is int:
            times[row["id"]] = at
    return times


def _told(
    client: KommoClient, entity: Entity, kinds: Collection[str], params: list[tuple[str, str]]
) -> Iterator[tuple[int, datetime]]:
    """Yield ids and times of events, and of those alone that were asked for: filters may be ignored."""
    asked = [("filter[type]", ",".join(kinds)), ("filter[entity]", entity.singular), *params]
    for row in rows_of(client, "events", "events", asked):
        number, at = row.get("entity_id"), _time(row, "created_at")
        if row.get("type") in kinds and row.get("entity_type") == entity.singular and type(number) is int and at:
            yield number, at


def _time(row: Row, name: str) -> datetime | None:
    seconds = row.get(name)
    return datetime.fromtimestamp(seconds, UTC) if type(seconds) is int else None
