"""The status page: what it says, that it is well-formed, needs nothing else, and takes whatever text an error has."""

import errno
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from leadhouse.errors import ConfigurationError
from leadhouse.page import render_page, write_page
from leadhouse.page_style import STYLE
from leadhouse.prometheus import write_metrics
from operators.pages import DESTINATION, told, unreadable

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOURS = timedelta(hours=2)
NASTY = '</script><script>alert("1")</script> <img src=x onerror=alert(1)> & \x00\x1b \ud800 \u202e ' + "long" * 200


def _parsed(*datasets: dict[str, Any]) -> Element:
    """Return the page as a browser reads it; a parse error is an error."""
    text = render_page(datasets, destination=DESTINATION, limit=HOURS, now=NOW)
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page: Element = parser.parse(text)
    return page


def _text(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def _states(page: Element) -> list[str]:
    return [_text(found) for found in page.iter("p") if found.get("class", "").startswith("state ")]


def test_the_freshness_is_worded_and_the_worst_comes_first() -> None:
    page = _parsed(
        told("fresh", NOW, 5),
        told("failing", NOW, 5, failed=2),
        told("stale", NOW, 30, failed=20),
        told("never", NOW, 2, failed=2),
        unreadable("broken"),
    )

    assert [section.get("id") for section in page.iter("section")] == ["stale", "never", "broken", "failing", "fresh"]
    assert [state.split()[0] for state in _states(page)] == ["Stale", "Never", "Unreadable", "Failing", "Fresh"]
    assert _states(page)[3] == (
        "Failing last successful sync 24 min 53 s ago · 2026-11-22 02:35:07 failing since 2026-11-22 02:45:00"
    )
    assert _text(next(page.iter("h1"))) == "leadhouse: 4 of 5 need a look"
    assert {link.get("href") for link in page.iter("a")} == {"#stale", "#never", "#broken", "#failing", "#fresh"}


def test_an_empty_warehouse_says_what_makes_a_dataset() -> None:
    page = _parsed()

    assert "leadhouse sync makes one" in _text(next(page.iter("main")))
    assert list(page.iter("section")) == []


@pytest.mark.parametrize("runs", [0, 1, 200])
def test_charts_have_a_bar_a_run_and_say_in_words_what_they_show(runs: int) -> None:
    page = _parsed(told("acme", NOW, runs))
    pictures = [found for found in page.iter() if found.tag.endswith("svg")]

    assert len(pictures) == (5 if runs else 0)
    for picture in pictures:
        assert picture.get("role") == "img"
        assert re.search(r" of the last \d+ runs: last .+, largest .+", picture.get("aria-label", ""))
    if runs:
        bars = [found for found in pictures[1] if found.tag.endswith("rect")]
        assert len(bars) == min(runs, 100)
        assert all(0 <= float(bar.get("x", "")) <= 300 for bar in bars)
        assert all(0 < float(bar.get("height", "")) <= 60 for bar in bars)
        assert _text(bars[-1]) == f"2026-11-22 02:55:00 sync done: {5.0:,.1f} s"


def test_failed_runs_are_seen_also_where_their_value_is_nothing() -> None:
    page = _parsed(told("acme", NOW, 10, failed=3))
    rows = next(found for found in page.iter() if found.tag.endswith("svg"))

    assert sum(found.get("class") == "failed" for found in rows) == 3


def test_the_cursor_falls_behind_while_runs_fail() -> None:
    page = _parsed(told("acme", NOW, 10, failed=3))
    behind = [found for found in page.iter() if found.tag.endswith("svg")][-1]

    assert (
        behind.get("aria-label") == "Cursor behind at the end of the last 10 runs: last 30 min 5 s, largest 30 min 5 s"
    )


def test_an_error_that_comes_again_and_again_is_told_once_with_its_span() -> None:
    page = _parsed(told("acme", NOW, 10, failed=3, error="the portal refused the webhook; make a new one"))
    (errors,) = page.iter("ol")

    assert [_text(item) for item in errors] == [
        "the portal refused the webhook; make a new one 3 times, from 2026-11-22 02:35:00 to 2026-11-22 02:55:00"
    ]


def test_whatever_text_an_error_has_stays_text() -> None:
    page = _parsed(told("acme", NOW, 3, failed=1, error=NASTY))

    assert len(list(page.iter("script"))) == 1
    assert list(page.iter("img")) == []
    assert 'alert("1")</script> <img src=x onerror=alert(1)> & \ufffd\ufffd \ufffd' in _text(next(page.iter("ol")))


def test_the_page_needs_no_other_file_and_no_network() -> None:
    page = _parsed(told("acme", NOW, 200, failed=3), told("globex", NOW, 1))
    text = render_page([told("acme", NOW, 3)], destination=DESTINATION, limit=HOURS, now=NOW)

    assert {name for element in page.iter() for name in element.attrib} & {"src", "srcset", "action", "data"} == set()
    assert not [
        element for element in page.iter() if element.tag in {"link", "iframe", "object", "base", "img", "form"}
    ]
    assert not re.search(r"https?://|url\(|@import|fetch\(|XMLHttpRequest|import\(", text.replace(DESTINATION, ""))


def test_texts_have_enough_contrast_in_the_light_and_in_the_dark() -> None:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    for scheme in (light, dark):
        colour = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", scheme))
        pairs = [(name, behind) for name in ("text", "dim", "bad") for behind in ("back", "card")]
        pairs += [(name, f"{name}-back") for name in ("good", "warn", "bad")]
        assert {pair: _contrast(colour[pair[0]], colour[pair[1]]) for pair in pairs if _contrast(
            colour[pair[0]], colour[pair[1]]) < 4.5} == {}  # fmt: skip


def _contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    lights = sorted(map(_luminance, (one, other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_page_is_replaced_in_one_step_and_can_be_read_by_a_web_server(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")
    with page.open() as opened:
        os.umask(os.umask(0o022))
        write_page([told("acme", NOW, 3)], str(page), destination=DESTINATION, limit=HOURS)

        assert opened.read() == "old"
    assert "acme" in page.read_text()
    assert page.stat().st_mode & 0o444 == 0o444
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.html").write_text("old")
    (tmp_path / "link.html").symlink_to("real.html")

    write_page([told("acme", NOW, 3)], str(tmp_path / "link.html"), destination=DESTINATION, limit=HOURS)

    assert (tmp_path / "link.html").is_symlink()
    assert "acme" in (tmp_path / "real.html").read_text()


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    pipe, folder = tmp_path / "page.html", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()

    for place in (pipe, folder):
        with pytest.raises(ConfigurationError, match="is no file; give another one with --html"):
            write_page([told("acme", NOW, 3)], str(place), destination=DESTINATION, limit=HOURS)
        with pytest.raises(ConfigurationError, match="is no file; give another one with --prometheus"):
            write_metrics([told("acme", NOW, 3)], str(place))

    assert (pipe.is_fifo(), folder.is_dir(), len(list(tmp_path.iterdir()))) == (True, True, 2)


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.html"
    page.write_text("old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        write_page([told("acme", NOW, 3)], str(page), destination=DESTINATION, limit=HOURS)

    assert page.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["page.html"]
