"""The status of datasets as one self-contained HTML page: no other file, nothing from the network."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, tostring

from leadhouse.files import write_whole
from leadhouse.markup import tag
from leadhouse.page_sections import charts, errors, facts, last_runs, moment, state, tables
from leadhouse.page_style import SCRIPT, STYLE
from leadhouse.status import stale
from leadhouse.times import in_words

RUNS = 100  # that the charts show
_LISTED = 20
_WORST_FIRST = ("bad", "warn", "good")


def freshness(told: dict[str, Any], limit: timedelta) -> tuple[str, str]:
    """Return how fresh a dataset is: good, warn or bad, and the word for it.

    Args:
        told: what `leadhouse.status` tells of it.
        limit: how long ago the last successful sync may have ended.
    """
    if "problem" in told:
        return "bad", "Unreadable"
    if told["age_s"] is None:
        return "bad", "Never synced"
    if stale(told, limit):
        return "bad", "Stale"
    return ("warn", "Failing") if told["failing_since"] else ("good", "Fresh")


def write_page(told: Sequence[dict[str, Any]], path: str, *, destination: str, limit: timedelta) -> None:
    """Write the page in one step: whoever opens it meanwhile sees the old one.

    Args:
        told: what `leadhouse.status` tells of each dataset, with the last RUNS runs.
        path: the file.
        destination: the warehouse, without secrets.
        limit: how long ago the last successful sync may have ended.

    Raises:
        ConfigurationError: it cannot be written.
    """
    html = render_page(told, destination=destination, limit=limit, now=datetime.now(UTC))
    write_whole(path, html, "--html")


def render_page(told: Sequence[dict[str, Any]], *, destination: str, limit: timedelta, now: datetime) -> str:
    """Return the page; arguments as of `write_page`, `now` is when it was made (UTC)."""
    told = sorted(told, key=lambda one: _WORST_FIRST.index(freshness(one, limit)[0]))
    states = [freshness(one, limit) for one in told]
    wrong = sum(kind != "good" for kind, _ in states)
    headline = f"{wrong} of {len(told)} need a look" if wrong else "all fresh"
    title = f"leadhouse: {headline if told else 'nothing synced yet'}"
    within = in_words(limit.total_seconds())
    fresh = f". Fresh is a dataset whose last successful sync ended within {within}. Times are UTC."
    none = tag("p", "The warehouse holds no dataset of leadhouse yet; ", tag("code", "leadhouse sync"), " makes one.")
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("meta", name="color-scheme", content="light dark"),
            tag("meta", name="robots", content="noindex"),
            tag("title", title),
            tag("style", STYLE),
        ),
        tag(
            "body",
            tag(
                "header",
                tag("h1", title),
                tag("p", f"{destination} · as of ", moment(now.isoformat()), fresh),
                tag("p", "", id="old", hidden="", role="alert"),
            ),
            _overview(told, states) if len(told) > 1 else None,
            tag("main", *(_dataset(*one) for one in zip(told, states, strict=True)), None if told else none),
            tag("script", SCRIPT),
        ),
        lang="en",
        **{"data-made": str(int(now.timestamp()))},
    )  # fmt: skip
    return "<!doctype html>\n" + tostring(page, encoding="unicode", method="html") + "\n"


def _overview(told: Sequence[dict[str, Any]], states: Sequence[tuple[str, str]]) -> Element:
    return tag(
        "nav",
        tag(
            "table",
            tag("caption", "Datasets"),
            tag("thead", tag("tr", *(tag("th", name, scope="col") for name in ("dataset", "state", "last success")))),
            tag("tbody", *(
                tag(
                    "tr",
                    tag("th", tag("a", one["dataset"], href=f"#{one['dataset']}"), scope="row"),
                    tag("td", tag("span", word, class_=f"chip {kind}")),
                    tag("td", "unknown" if "problem" in one else moment(one["last_success"])),
                )
                for one, (kind, word) in zip(told, states, strict=True)
            )),
        ),
        class_="scroll",
        tabindex="0",
        aria_label="Datasets",
    )  # fmt: skip


def _dataset(told: dict[str, Any], shown: tuple[str, str]) -> Element:
    kind, word = shown
    name = tag("h2", told["dataset"], tag("small", f" {told['source']} {told.get('portal') or ''}".rstrip()))
    if "problem" in told:
        parts: list[Element | None] = [
            tag("p", tag("strong", word), tag("span", told["problem"]), class_=f"state {kind}")
        ]
    else:
        parts = [state(told, kind, word), facts(told), charts(told["runs"]), errors(told["runs"])]
        parts += [last_runs(told["runs"][:_LISTED]), tables(told["rows"])]
    return tag("section", name, *parts, id=told["dataset"])
