"""The tables as sources of a dbt project: a `sources.yml` with meanings, types, tests and freshness.

Written for dbt 1.10 and newer. Keys are tested as unique and not NULL, a composite key by the expression that its
columns make together (dbt_utils is not needed), and references by `relationships`. Views get no tests: they are made of
tables that have some.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

from leadhouse.columns import SQL_TYPES
from leadhouse.dictionary import ColumnEntry, Section, TableEntry

_RUNS = "sync_runs"
_JINJA = re.compile(r"\{[{%#]")
_TYPES = {kind.value: told.lower().replace(", ", ",") for kind, told in SQL_TYPES.items()}
# Up to when a dataset is complete, by the portal's clock: it moves with every good run, also where the portal is idle,
# and not with a backfill. The rows' own synced_at stands still while nobody edits a lead.
_FRESHNESS = {
    "loaded_at_field": "cursor_to",
    "freshness": {
        "warn_after": {"count": 2, "period": "hour"},
        "error_after": {"count": 24, "period": "hour"},
    },
}


def sources_yml(sections: Sequence[Section]) -> str:
    """Return the text of a `sources.yml`."""
    told = {"version": 2, "sources": [_source(section) for section in sections]}
    text: str = yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=120)
    return f"# Made by `leadhouse schema --dbt`; make it anew rather than edit it.\n{text}"


def _source(section: Section) -> dict[str, Any]:
    about = f"what leadhouse keeps of {section.source}" if section.source else "every dataset of leadhouse in one"
    there = [entry for entry in section.tables if entry.there or (entry.there is None and not entry.optional)]
    return {
        "name": section.dataset,
        "schema": section.dataset,
        "description": about,
        "tables": [_table(section, entry) for entry in there],
    }


def _table(section: Section, entry: TableEntry) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": entry.name,
        "description": f"{entry.grain}\n\nKey: {', '.join(entry.key)}. {entry.question}",
    }
    if entry.name == _RUNS:
        told["config"] = _FRESHNESS
    if not entry.is_view and len(entry.key) > 1:
        parts = " || '|' || ".join(f"cast({name} as text)" for name in entry.key)
        name = f"{section.dataset}_{entry.name}_key_is_unique"
        told["data_tests"] = [{"unique": {"name": name, "arguments": {"column_name": parts}}}]
    told["columns"] = [_column(section, entry, column) for column in entry.columns]
    return told


def _column(section: Section, entry: TableEntry, column: ColumnEntry) -> dict[str, Any]:
    title = f"{column.title}: " if column.title else ""
    told: dict[str, Any] = {"name": _as_it_is(column.name), "data_type": _type(column.type)}
    told["description"] = _as_it_is(f"{title}{column.about}")
    if not column.name.replace("_", "a").isalnum() or not column.name.isascii() or column.name != column.name.lower():
        told["quote"] = True
    if column.personal:
        told["config"] = {"meta": {"personal_data": True}}
    tests: list[Any] = []
    if column.key and not entry.is_view:
        tests = ["not_null", "unique"] if len(entry.key) == 1 else ["not_null"]
    if column.references and not entry.is_view:
        table, _, key = column.references.partition(".")
        to = {"to": f"source('{section.dataset}', '{table}')", "field": key}
        tests.append({"relationships": {"arguments": to}})
    if tests:
        told["data_tests"] = tests
    return told


def _as_it_is(text: str) -> str:
    """Return a text so that dbt, which renders it, makes it what it is: a portal calls its fields what it likes."""
    return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}" if _JINJA.search(text) else text


def _type(told: str) -> str:
    item = told.removesuffix("[]")
    return _TYPES.get(item, item) + told[len(item) :]
