"""The dictionary of the data as one self-contained HTML page: no other file, nothing from the network."""

from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, tostring

from leadhouse.dictionary import ColumnEntry, Section, TableEntry
from leadhouse.files import write_whole
from leadhouse.markup import tag
from leadhouse.page_style import STYLE

_OVER_ALL = "views over every dataset, whichever CRM filled it"
_STYLE = """
.search { display: block; width: 100%; max-width: 30rem; padding: .5rem .7rem; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--line); border-radius: .4rem; }
nav ul { columns: 10rem; margin: .3rem 0 1rem; padding-left: 1.1rem; }
.about { max-width: 52rem; }
pre { overflow-x: auto; margin: 0; padding: .7rem .8rem; background: var(--back); border: 1px solid var(--line);
  border-radius: .4rem; font-size: .85rem; }
.query { position: relative; margin: .8rem 0 0; }
.query button { position: absolute; top: .4rem; right: .4rem; padding: .2rem .6rem; font: inherit; font-size: .8rem;
  color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .3rem; cursor: pointer; }
.wrap { white-space: normal; min-width: 14rem; }
th.name { font-family: ui-monospace, monospace; font-size: .85rem; }
td.kind { color: var(--dim); }
@media (max-width: 40rem) {
  main thead { display: none; }
  main tr:not([hidden]) { display: block; border-top: 1px solid var(--line); padding: .3rem 0; }
  main th, main td { display: inline; border: 0; padding: 0 .5rem 0 0; white-space: normal; }
  main td.wrap { display: block; }
}
section:target { border-color: var(--bar); }
[hidden] { display: none; }
"""
_SCRIPT = """
(function () {
  var search = document.getElementById("search"), count = document.getElementById("count");
  function look() {
    var words = search.value.toLowerCase().split(/\\s+/).filter(Boolean), shown = 0;
    function has(text) { return words.every(function (word) { return text.indexOf(word) >= 0; }); }
    document.querySelectorAll("main section").forEach(function (section) {
      var all = has(section.dataset.text), any = all;
      section.querySelectorAll("tbody tr").forEach(function (row) {
        row.hidden = !all && !has(section.id.toLowerCase() + " " + row.textContent.toLowerCase());
        any = any || !row.hidden;
      });
      section.hidden = !any;
      shown += any ? 1 : 0;
    });
    document.querySelectorAll("nav li").forEach(function (item) {
      item.hidden = document.getElementById(item.firstChild.getAttribute("href").slice(1)).hidden;
    });
    document.querySelectorAll("nav div").forEach(function (part) {
      part.hidden = !part.querySelector("li:not([hidden])");
    });
    var of = document.querySelectorAll("main section").length;
    count.textContent = words.length ? shown + " of " + of + " shown" : "";
  }
  search.addEventListener("input", look);
  document.querySelectorAll(".query button").forEach(function (button) {
    button.addEventListener("click", function () {
      var query = button.parentNode.querySelector("pre"), range = document.createRange();
      range.selectNodeContents(query);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
      button.textContent = "Copied";
    });
  });
  look();
})();
"""


def write_page(sections: Sequence[Section], path: str) -> None:
    """Write the page in one step.

    Args:
        sections: what stands in it.
        path: the file.

    Raises:
        ConfigurationError: it cannot be written.
    """
    write_whole(path, render_page(sections, now=datetime.now(UTC)), "--html")


def render_page(sections: Sequence[Section], *, now: datetime) -> str:
    """Return the page; `now` is when it was made (UTC)."""
    names = ", ".join(section.dataset for section in sections)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="robots", content="noindex"),
        tag("title", f"The data of {names}"),
        tag("style", STYLE + _STYLE),
    )
    body = tag(
        "body",
        tag(
            "header",
            tag("h1", f"The data of {names}"),
            tag("p", f"As of {now:%Y-%m-%d %H:%M} UTC. Times in the tables are UTC, empty values NULL."),
            tag("input", id="search", class_="search", type="search", placeholder="Search tables, columns, meanings",
                aria_label="Search"),
            tag("p", "", id="count", role="status"),
        ),
        tag("nav", *(_contents(section) for section in sections), aria_label="Tables"),
        tag("main", *(_table(section, entry) for section in sections for entry in section.tables)),
        tag("script", _SCRIPT),
    )  # fmt: skip
    return "<!doctype html>\n" + tostring(tag("html", head, body, lang="en"), encoding="unicode", method="html") + "\n"


def _contents(section: Section) -> Element:
    items = (
        tag("li", tag("a", entry.name, href=f"#{_anchor(section, entry)}"), " view" if entry.is_view else None)
        for entry in section.tables
    )
    about = _OVER_ALL if section.source is None else section.source
    small = None if about == section.dataset else tag("small", f" {about}")
    return tag("div", tag("h2", section.dataset, small), tag("ul", *items))


def _anchor(section: Section, entry: TableEntry) -> str:
    return f"{section.dataset}.{entry.name}"


def _table(section: Section, entry: TableEntry) -> Element:
    anchor = _anchor(section, entry)
    missing = tag("span", "not in this warehouse", class_="chip warn") if entry.there is False else None
    title = tag("h2", tag("a", anchor, href=f"#{anchor}"), tag("small", " view " if entry.is_view else " "), missing)
    head = tag(
        "thead", tag("tr", *(tag("th", name, scope="col") for name in ("column", "type", "meaning", "joins to")))
    )
    rows = tag("tbody", *(_row(section, column) for column in entry.columns))
    return tag(
        "section",
        title,
        tag("p", f"A row is {entry.grain}. Key: {', '.join(entry.key)}.", class_="about"),
        tag("p", tag("em", entry.question), class_="about"),
        tag("div", tag("table", head, rows), class_="scroll", tabindex="0", role="region", aria_label=anchor),
        _fields(entry),
        tag("div", tag("button", "Copy", type="button"), tag("pre", tag("code", entry.sql)), class_="query"),
        id=anchor,
        data_text=f"{anchor} {entry.grain} {entry.question}".lower(),
    )


def _row(section: Section, column: ColumnEntry) -> Element:
    to = column.references or column.joins
    joined = tag("a", to, href=f"#{section.dataset}.{to.partition('.')[0]}") if to else None
    marks = [tag("span", "key", class_="chip good")] if column.key else []
    marks += [tag("span", "personal", class_="chip bad")] if column.personal else []
    marks += [tag("span", "of this portal", class_="chip warn")] if column.custom else []
    title = tag("b", column.title) if column.title else None
    spaced = [part for mark in marks for part in (" ", mark)]
    return tag(
        "tr",
        tag("th", column.name, scope="row", class_="name"),
        tag("td", column.type, class_="kind"),
        tag("td", title, f": {column.about}" if title is not None else column.about, *spaced, class_="wrap"),
        tag("td", joined),
    )


def _fields(entry: TableEntry) -> Element | None:
    """Return the portal's fields whose values are rows of a table."""
    if not entry.fields:
        return None
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in ("field", "type", "rows"))))
    rows = (
        tag(
            "tr",
            tag("th", field.title, scope="row", class_="wrap"),
            tag("td", field.type),
            tag("td", f"where {field.rows_where}"),
        )
        for field in entry.fields
    )
    table = tag("table", tag("caption", "Fields of this portal"), head, tag("tbody", *rows))
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"Fields in {entry.name}")
