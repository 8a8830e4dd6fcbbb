"""What the status page shows of one dataset."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from xml.etree.ElementTree import Element

from leadhouse.charts import Bar, chart
from leadhouse.markup import tag
from leadhouse.times import in_words

_ERRORS = 5
_RUN = ("started", "command", "outcome", "duration", "leads", "rows", "requests", "repeated", "waited", "error")


def state(told: dict[str, Any], kind: str, word: str) -> Element:
    """Return how fresh it is, in large."""
    last, since = told["last_success"], told["failing_since"]
    success = tag("span", "last successful sync ", moment(last, told["age_s"])) if last else None
    failing = tag("span", "failing since ", moment(since)) if since else None
    never = None if last else tag("span", "no sync was ever successful")
    return tag("p", tag("strong", word), success, never, failing, class_=f"state {kind}")


def facts(told: dict[str, Any]) -> Element:
    """Return figures of all its runs."""
    totals = told["totals"]
    shown: dict[str, Element | str] = {
        "complete up to": moment(told["cursor"], told["behind_s"]),
        "runs": f"{totals['runs']:,}, {totals['failed']:,} failed",
        "rows written": f"{totals['rows_written']:,}",
        "requests": f"{totals['requests']:,}, {totals['retries']:,} repeated",
        "waited for limits": in_words(totals["throttled_s"]),
        "leads": f"{told['rows'].get('leads', 0):,}",
    }
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in shown.items()))


def charts(runs: Sequence[dict[str, Any]]) -> Element | None:
    """Return charts of its runs (newest first), the oldest run to the left."""
    if not runs:
        return None
    order = runs[::-1]
    kinds = (
        ("Rows written", "rows_written", ""),
        ("Duration", "duration_s", "s"),
        ("Waited for limits", "throttled_s", "s"),
        ("Requests repeated", "retries", ""),
    )
    shown = [chart(title, [_bar(run, run[key]) for run in order], unit) for title, key, unit in kinds]
    behind = [_bar(run, _behind(run)) for run in order if run["command"] != "lead"]
    return tag("div", *shown, chart("Cursor behind at the end", behind, "s"), class_="charts")


def _bar(run: dict[str, Any], value: float | None) -> Bar:
    about = f"{_short(run['started_at'])} {run['command'] or 'sync'} {run['outcome']}"
    return Bar(value, about, failed=run["outcome"] != "done")


def _behind(run: dict[str, Any]) -> float | None:
    """Return the seconds from the cursor that a run left to the run's end."""
    cursor = run["cursor_to"] or run["cursor_from"]
    if not cursor or not run["finished_at"]:
        return None
    return max(0.0, (datetime.fromisoformat(run["finished_at"]) - datetime.fromisoformat(cursor)).total_seconds())


def errors(runs: Sequence[dict[str, Any]]) -> Element | None:
    """Return the errors of its runs, the newest first; one that comes again and again is told once."""
    groups = [list(group) for _, group in groupby((run for run in runs if run["error"]), key=lambda run: run["error"])]
    if not groups:
        return None
    head = f"The last {_ERRORS} of {len(groups)} errors" if len(groups) > _ERRORS else "Errors"
    items = [tag("li", tag("p", group[0]["error"]), _when(group)) for group in groups[:_ERRORS]]
    return tag("div", tag("h3", f"{head} in the last {len(runs):,} runs"), tag("ol", *items, class_="errors"))


def _when(failed: Sequence[dict[str, Any]]) -> Element:
    last = moment(failed[0]["started_at"])
    if len(failed) == 1:
        return tag("small", last)
    return tag("small", f"{len(failed):,} times, from ", moment(failed[-1]["started_at"]), " to ", last)


def last_runs(runs: Sequence[dict[str, Any]]) -> Element | None:
    """Return its runs as a table."""
    if not runs:
        return None
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in _RUN)))
    table = tag("table", tag("caption", "The last runs"), head, tag("tbody", *map(_row, runs)))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label="The last runs")


def _row(run: dict[str, Any]) -> Element:
    seconds = "" if run["duration_s"] is None else f"{run['duration_s']:,.1f} s"
    figures = (run["leads_read"], run["rows_written"], run["requests"], run["retries"])
    return tag(
        "tr",
        tag("th", moment(run["started_at"]), scope="row"),
        tag("td", run["command"] or "sync"),
        tag("td", tag("span", run["outcome"], class_=f"chip {'good' if run['outcome'] == 'done' else 'bad'}")),
        tag("td", seconds),
        *(tag("td", f"{figure or 0:,}") for figure in figures),
        tag("td", f"{run['throttled_s'] or 0:,.1f} s"),
        tag("td", run["error"] or "", class_="text"),
    )


def tables(rows: dict[str, int]) -> Element:
    """Return the rows of each table."""
    lines = (tag("tr", tag("th", name, scope="row"), tag("td", f"{count:,}")) for name, count in rows.items())
    head = tag("thead", tag("tr", tag("th", "table", scope="col"), tag("th", "rows", scope="col")))
    return tag("details", tag("summary", "Rows of each table"), tag("table", head, tag("tbody", *lines)))


def moment(at: str | None, age: float | None = None) -> Element:
    """Return a time (ISO 8601); the page's script keeps its `age` (seconds) true whenever the page is opened."""
    if at is None:
        return tag("span", "never")
    if age is None:
        return tag("time", _short(at), datetime=at)
    return tag("time", tag("span", f"{in_words(age)} ago", class_="ago"), f" · {_short(at)}", datetime=at)


def _short(at: str) -> str:
    return datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
