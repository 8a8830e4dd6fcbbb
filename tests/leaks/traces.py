"""Everything that a run leaves behind, as text to search: files of any kind, tables, exceptions, log records."""

import base64
import binascii
import gzip
import logging
import pickle
import traceback
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

import oracle

_SERVER_LOGGERS = ("uvicorn", "asyncio")


class Heard(logging.Handler):
    """Keeps every record of every logger at DEBUG, exceptions included, as a careless library user's log would.

    The sandbox's own server is left out: it is not a part of a user's process.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record, with all that was attached to it."""
        if not record.name.startswith(_SERVER_LOGGERS):
            self.lines.append(f"{self.format(record)} {vars(record)}")

    @property
    def text(self) -> str:
        """All that was heard."""
        return "\n".join(self.lines)


def of_files(folder: Path) -> str:
    """Return the content of all files below a folder, unpacked where they are packed."""
    return "\n".join(f"{path.relative_to(folder)}\n{_of_file(path)}" for path in folder.rglob("*") if path.is_file())


def _of_file(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:  # working files go while they are looked at
        return ""
    if raw[:2] == b"\x1f\x8b":
        raw = gzip.decompress(raw)
    shown = [raw.decode("utf-8", "replace")]
    if raw[:4] == b"PAR1" and raw[-4:] == b"PAR1":
        shown.append(str(pq.read_table(path).to_pylist()))
    if path.suffix == ".pickle":
        shown.append(str(pickle.loads(raw).asdict()))  # noqa: S301 - a file of this test's own run
    return "\n".join(shown)


def of_warehouse(to: str) -> str:
    """Return every value of every table of a warehouse, dlt's own tables and staging included, state unpacked."""
    tables = oracle.query(to, "SELECT table_schema, table_name FROM information_schema.tables")
    shown = []
    for table in tables:
        if table["table_schema"] in ("information_schema", "pg_catalog"):
            continue
        name = f'"{table["table_schema"]}"."{table["table_name"]}"'
        for row in oracle.query(to, f"SELECT * FROM {name}"):  # noqa: S608 - names of the database itself
            shown.append(f"{name} {row}")
            shown += [_unpacked(value) for value in row.values() if isinstance(value, str)]
    return "\n".join(shown)


def _unpacked(value: str) -> str:
    try:
        return zlib.decompress(base64.b64decode(value, validate=True)).decode()
    except (binascii.Error, zlib.error, ValueError):
        return ""


def of_error(error: BaseException) -> str:
    """Return an exception as anybody may print it: text, representation, arguments, traceback, and all behind it."""
    shown = ["".join(traceback.format_exception(error))]
    for one in _behind(error):
        shown += [str(one), repr(one), repr(one.args), repr(vars(one))]
    return "\n".join(shown)


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in seen:
            seen.append(one)
            yield one
            waiting += [one.__cause__, one.__context__]


def contacts(leads: Iterable[dict[str, Any]]) -> set[str]:
    """Return the phones and e-mails of leads as the portal has them, but those too short to be told from numbers."""
    values = {entry["VALUE"] for lead in leads for kind in ("PHONE", "EMAIL") for entry in lead.get(kind, ())}
    return {value for value in values if len(value) > 6}
