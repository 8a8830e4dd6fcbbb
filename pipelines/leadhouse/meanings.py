"""What errors of dlt and of databases mean for the run and its operator."""

import re
import traceback
from pathlib import Path

from leadhouse import logs
from leadhouse.errors import (
    InternalError,
    LeadhouseError,
    WarehouseLockedError,
    WarehouseRefusedError,
    WarehouseUnavailableError,
)
from leadhouse.redact import redact
from leadhouse.target import Target

log = logs.get_logger("leadhouse.warehouse")

HOLDER = re.compile(r"lock is held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
_QUOTED = re.compile(r"\"[^\"/]*\"|'[^'/]*'")
_CONVERTED = re.compile(r"""(?<=string )'.*'|(?<=: )".*"$""")
CHANGED_BY_HAND = (
    "somebody changed the tables by hand: put it back as it was and run `leadhouse sync` with --full, or fill a new "
    "dataset with --dataset"
)
CONTINUES = "; the next run continues from the last checkpoint"
REFUSED = (
    "password authentication failed|no password supplied|role |permission denied|read-only|version number|"
    "cannot open file|not a directory|no pg_hba.conf entry"
)
CROWDED = "too many c|remaining connection slots|starting up|not yet accepting|shutting down|in recovery mode"
# What a database's words mean for the run and its operator, the first that is found.
_MEANINGS: tuple[tuple[str, type[LeadhouseError], str], ...] = (
    (
        "no space left|disk is full|disk full|disk quota|could not extend file",
        WarehouseUnavailableError,
        "the disk is full, free some space and run again",
    ),
    (
        (
            "binder error|catalog error|conversion error|constraint error|is of type|invalid input syntax|"
            "cannot insert into|cannot delete from|violates (not-null|check|foreign key)|"
            "(column|relation|operator|table) .{1,200}does not exist"
        ),
        WarehouseRefusedError,
        CHANGED_BY_HAND,
    ),
    (
        "corrupt database file|could not read enough bytes|not a valid duckdb database|failed to deserialize",
        WarehouseRefusedError,
        "the file is damaged: put a copy of it back, or move it away and the next run fills a new one",
    ),
    (
        "row is too big|tables can have at most",
        WarehouseRefusedError,
        "the portal has more custom fields than a Postgres table can hold; use DuckDB",
    ),
    (
        "failed to download extension",
        WarehouseRefusedError,
        "let DuckDB reach the internet, or install the extension (ducklake: `pip install 'leadhouse[ducklake]'`)",
    ),
    (CROWDED, WarehouseUnavailableError, "wait, or raise the server's limit of connections, and run again"),
    (REFUSED, WarehouseRefusedError, "correct the destination's address, password or rights"),
)


def explain(error: BaseException, target: Target) -> LeadhouseError:
    """Return our error for whatever dlt or a database raised: ours if it is inside, else one redacted line."""
    chain: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None and seen not in chain:
        if isinstance(seen, LeadhouseError):
            return seen
        chain.append(seen)
        seen = seen.__cause__ or seen.__context__
    cause = chain[-1]
    if isinstance(cause, AttributeError | TypeError | LookupError | NameError | AssertionError):
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(cause.__traceback__)]
        log.debug("internal error", type=type(cause).__name__, places=places)
        place = f" in {places[-1]}" if places else ""
        text = _without_values(redact(str(cause)))[:200]
        return InternalError(f"{type(cause).__name__}{place}: {text}; report this with --verbose")
    line = _without_values(redact(" ".join(str(cause).split("\n", 1)[0].split())))[:300]
    everything = " ".join(str(part) for part in chain).lower()
    told = f"{target.label}: {line or type(cause).__name__}"
    holder = HOLDER.search(" ".join(str(part) for part in chain))
    if holder:
        return locked(target.label, holder)
    for words, meaning, cure in _MEANINGS:
        if re.search(words, everything):
            return meaning(f"{told}; {cure}")
    return WarehouseUnavailableError(f"{told}{CONTINUES}")


def _without_values(line: str) -> str:
    """Return a message without quoted values, no paths, that may be phones (seven digits or more) or e-mails."""
    return _QUOTED.sub(
        lambda found: "<value>" if sum(map(str.isdigit, found[0])) > 6 or "@" in found[0] else found[0],
        _CONVERTED.sub("<value>", line),
    )


def locked(label: str, holder: "re.Match[str]") -> WarehouseLockedError:
    """Return the error of a DuckDB file that another process has open, as DuckDB's message tells of it."""
    return WarehouseLockedError(
        f"{label} is open in another process: {holder['program']} (PID {holder['pid']}); "
        "close it, or raise --lock-timeout"
    )
