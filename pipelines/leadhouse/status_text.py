"""The status of datasets for a terminal."""

from typing import Any

from leadhouse.times import in_words

_WIDTH = 100


def render(told: dict[str, Any]) -> str:
    """Return the status of one dataset."""
    behind, since = told["behind_s"], told["failing_since"]
    totals = told["totals"]
    lines = [
        f"{told['destination']} · {told['dataset']}",
        f"cursor {told['cursor'] or 'none yet'}" + (f" ({behind:,} s ago)" if behind is not None else ""),
        f"last successful sync {told['last_success'] or 'none yet'}"
        + (f" ({in_words(told['age_s'])} ago)" if told["age_s"] is not None else ""),
        *([f"failing since {since}"] if since else []),
        "",
        *(_run(run) for run in told["runs"]),
        f"{totals['runs']:,} runs, {totals['failed']:,} of them failed" if totals["runs"] else "no runs",
        "",
        *(f"{count:>12,}  {name}" for name, count in told["rows"].items()),
    ]
    return "\n".join(lines)


def render_every(told: list[dict[str, Any]], destination: str) -> str:
    """Return one line a dataset."""
    rows = [("dataset", "source", "portal", "last success", "cursor", "last run"), *map(_cells, told)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([destination, "", *lines])


def _run(run: dict[str, Any]) -> str:
    seconds = "" if run["duration_s"] is None else f"{run['duration_s']:,.1f} s"
    return (
        f"{run['started_at']}  {run['command'] or 'sync':<9}  {run['outcome']:<6}  {run['leads_read']:>9,} leads  "
        f"{run['rows_written']:>9,} rows  {run['requests']:>5} requests  {seconds:>9}  {run['error'] or ''}"
    ).rstrip()


def _cells(told: dict[str, Any]) -> tuple[str, ...]:
    if "problem" in told:
        return told["dataset"], told["source"], "", "", "", _cut(told["problem"])
    last = told["runs"][0] if told["runs"] else {"outcome": "", "error": None}
    ages = [in_words(told[name]) + " ago" if told[name] is not None else "never" for name in ("age_s", "behind_s")]
    return (
        told["dataset"], told["source"], told["portal"] or "", *ages, _cut(f"{last['outcome']} {last['error'] or ''}"),
    )  # fmt: skip


def _cut(text: str) -> str:
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"
