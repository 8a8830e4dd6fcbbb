"""What a run did: the value that `leadhouse.sync` returns, a row of `sync_runs`, the canonical log line."""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from leadhouse.times import utc_text


@dataclass(slots=True)
class SyncSummary:
    """Figures of one run; times are UTC.

    Attributes:
        run_id: id of the run, also in the logs.
        source: "bitrix24".
        command: "sync", "reconcile" or "lead".
        portal: the portal's host.
        destination: where the rows went, without secrets.
        dataset: the schema there.
        started_at, finished_at: begin and end, this machine's clock.
        outcome: "done" or "failed".
        cursor_from, cursor_to: the cursor before and after, the portal's clock.
        leads_read: leads that the portal sent.
        leads_unchanged: of these, left out because the warehouse had them already.
        rows_written: rows of leads and child tables written.
        leads_deleted: leads found deleted on the portal and marked.
        leads_out_of_sight: leads that the webhook's user may not read any more, marked.
        leads_recovered: leads that the cursor could not see (backdated, restored, back in sight), now held.
        reconciled: the ids of portal and warehouse were compared: "counts", "listing", or None when they were not.
        misfits: values that did not fit their column, kept in `schema_drift`.
        requests, retries: HTTP requests, and those repeated.
        throttled_s: seconds waited because of the vendor's limits.
        packages: load packages committed.
        unavailable: tables that the portal does not give to this webhook.
        error: what went wrong, redacted; None when done.
    """

    run_id: str
    source: str
    command: str
    portal: str
    destination: str
    dataset: str
    started_at: datetime
    finished_at: datetime | None = None
    outcome: str = "failed"
    cursor_from: datetime | None = None
    cursor_to: datetime | None = None
    leads_read: int = 0
    leads_unchanged: int = 0
    rows_written: int = 0
    leads_deleted: int = 0
    leads_out_of_sight: int = 0
    leads_recovered: int = 0
    reconciled: str | None = None
    misfits: int = 0
    requests: int = 0
    retries: int = 0
    throttled_s: float = 0.0
    packages: int = 0
    unavailable: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def seconds(self) -> float:
        """Duration of the run so far."""
        return ((self.finished_at or datetime.now(UTC)) - self.started_at).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: times as ISO-8601 in UTC."""
        plain = {
            name: utc_text(value) if isinstance(value, datetime) else value for name, value in asdict(self).items()
        }
        return {**plain, "throttled_s": round(self.throttled_s, 3), "seconds": round(self.seconds, 3)}

    def row(self) -> dict[str, Any]:
        """Return the row of `sync_runs`."""
        return {**{name: getattr(self, name) for name in _ROW}, "portal": self.portal or None}


_ROW = (
    "run_id",
    "source",
    "command",
    "started_at",
    "finished_at",
    "outcome",
    "cursor_from",
    "cursor_to",
    "leads_read",
    "rows_written",
    "leads_deleted",
    "leads_out_of_sight",
    "leads_recovered",
    "requests",
    "retries",
    "throttled_s",
    "error",
)
