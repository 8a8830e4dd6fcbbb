"""What a comparison of warehouse and portal found, and how it is told: personal data masked unless asked for."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import takewhile
from typing import Any

from leadhouse.summary import SyncSummary
from leadhouse.tables import Table
from leadhouse.times import utc_text

# Stands for a column where a row as a whole is concerned.
ROW = "-"
_LINES = 50
_WIDTH = 40
_HEADERS = ("lead", "table.column", "portal", "warehouse")
_CURE = (
    "to heal: `leadhouse reconcile {source}` for leads on one side only, `leadhouse sync {source} --full` for values"
)


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        lead: id of the lead.
        table: table of the contract.
        column: its column; ROW where a row is missing on one side.
        portal: what the portal has: a value, or words about the row.
        warehouse: what the warehouse has.
        row: key of a child row beside its lead, "" for the lead itself.
        personal: the values may be personal data.
    """

    lead: int
    table: str
    column: str
    portal: Any = field(repr=False)
    warehouse: Any = field(repr=False)
    row: str = ""
    personal: bool = False

    @property
    def place(self) -> str:
        """Table, row and column in one word."""
        row = f"[{self.row}]" if self.row else ""
        return f"{self.table}{row}" + ("" if self.column == ROW else f".{self.column}")

    def values(self, *, show: bool) -> tuple[Any, Any]:
        """Return portal's and warehouse's value as JSON takes them; personal data masked unless `show`."""
        portal, warehouse = _plain(self.portal), _plain(self.warehouse)
        if show or not self.personal:
            return portal, warehouse
        masked = _masked(portal), _masked(warehouse)
        return masked if masked[0] != masked[1] else (masked[0], _masked(warehouse, ", another"))


def is_personal(table: Table, name: str) -> bool:
    """Tell whether a column may hold personal data; what is in custom fields nobody knows, so they may."""
    column = table.columns.get(name)
    return name != ROW if column is None else column.personal


@dataclass(frozen=True, slots=True)
class SpanCount:
    """Leads with `first` <= id <= `last` that each side has."""

    first: int
    last: int
    portal: int
    warehouse: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many leads each side has.

    Attributes:
        portal: leads that the portal shows.
        warehouse: leads that the warehouse holds as living.
        by: "counts" where the portal counted most of them, "listing" where every id was listed.
        spans: spans of ids in which the two differ.
    """

    portal: int
    warehouse: int
    by: str
    spans: tuple[SpanCount, ...] = ()


@dataclass(slots=True)
class Verdict:
    """What `verify` found.

    Attributes:
        summary: figures of the run: portal, destination, cursor, requests.
        counts: how many leads each side has.
        seed: of the sample.
        compared: leads compared value by value.
        apart: leads set apart: they came or were edited on the portal since the last window; the next sync brings them.
        differences: what differs otherwise.
    """

    summary: SyncSummary
    counts: Counts
    seed: int
    compared: int = 0
    apart: int = 0
    differences: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """True when nothing differs."""
        return not self.differences

    def to_dict(self, *, show_values: bool = False) -> dict[str, Any]:
        """Return the JSON form; personal data masked unless `show_values`."""
        run = self.summary.to_dict()
        told = ("source", "portal", "destination", "dataset", "requests", "retries", "throttled_s", "seconds")
        return {
            "equal": self.equal,
            "counts": asdict(self.counts),
            "compared": self.compared,
            "apart": self.apart,
            "seed": self.seed,
            "cursor": run["cursor_to"],
            "differences": [_as_dict(difference, show=show_values) for difference in self.differences],
            **{name: run[name] for name in told},
        }


def render(verdict: Verdict, *, show_values: bool = False) -> str:
    """Return the verdict for a person: a headline, then the differences as a table."""
    counts, cursor = verdict.counts, verdict.summary.cursor_to
    lines = [
        f"portal {counts.portal:,} leads, warehouse {counts.warehouse:,}; {verdict.compared:,} compared value by value "
        f"(seed {verdict.seed}), {verdict.apart:,} set apart: they came or were edited after the last sync's window"
        + (f" ({cursor:%Y-%m-%dT%H:%M:%SZ})" if cursor else ""),
        *(
            f"ids {span.first:,} to {span.last:,}: portal {span.portal:,}, warehouse {span.warehouse:,}"
            for span in counts.spans
        ),
    ]
    found = verdict.differences
    if not found:
        return "\n".join([*lines, "equal"])
    lines += [f"{len(found):,} difference{'' if len(found) == 1 else 's'}", ""]
    lines += _table([_HEADERS, *(_cells(difference, show=show_values) for difference in found[:_LINES])])
    if len(found) > _LINES:
        lines.append(f"… and {len(found) - _LINES:,} more")
    lines += ["", _CURE.format(source=verdict.summary.source)]
    return "\n".join(lines)


def _as_dict(difference: Difference, *, show: bool) -> dict[str, Any]:
    portal, warehouse = difference.values(show=show)
    return {
        "lead": difference.lead,
        "table": difference.table,
        "row": difference.row,
        "column": difference.column,
        "portal": portal,
        "warehouse": warehouse,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _masked(value: Any, more: str = "") -> str | None:
    """Return how long a value is, and nothing else of it."""
    return None if value is None else f"<length {len(str(value))}{more}>"


def _cells(difference: Difference, *, show: bool) -> tuple[str, ...]:
    portal, warehouse = (_text(value) for value in difference.values(show=show))
    alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(portal, warehouse, strict=False)))
    return str(difference.lead), difference.place, _cut(portal, alike), _cut(warehouse, alike)


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text) or '""'


def _cut(text: str, alike: int) -> str:
    """Return a part that fits into a cell and has the place in it where the values begin to differ."""
    start = max(0, alike - _WIDTH // 2) if alike >= _WIDTH - 1 else 0
    part = ("…" if start else "") + text[start:]
    return part if len(part) <= _WIDTH else f"{part[: _WIDTH - 1]}…"


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
