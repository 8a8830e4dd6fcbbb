"""The status page in a real browser, headless: laid out, its script at work, nothing asked of the network.

Wants Chromium: make chromium.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chromium import probed
from leadhouse.page import render_page
from operators.pages import DESTINATION, told, unreadable

pytestmark = pytest.mark.long

# What the page is asked once it has settled: in a frame of a phone's width, and of a desk's.
_PROBE = """
<!doctype html><body><iframe style="width:360px;height:900px"></iframe>
<iframe style="width:1300px;height:900px"></iframe>
<script type="application/json" id="page">%s</script><pre id="told"></pre><script>
var page = JSON.parse(document.getElementById("page").textContent), told = [];
var frames = document.querySelectorAll("iframe");
frames.forEach(function (frame) {
  frame.onload = function () {
    var inner = frame.contentDocument, style = frame.contentWindow.getComputedStyle;
    told.push({
      wide: frame.clientWidth, needs: inner.documentElement.scrollWidth,
      states: Array.from(inner.querySelectorAll(".state strong"), function (one) {
        return [one.textContent, parseFloat(style(one).fontSize), style(one.parentNode).backgroundColor]; }),
      bars: Array.from(inner.querySelectorAll("rect")).filter(function (one) {
        var box = one.getBoundingClientRect(); return box.width > 0 && box.height > 0; }).length,
      asked: frame.contentWindow.performance.getEntriesByType("resource").length,
      ages: Array.from(inner.querySelectorAll("time .ago"), function (one) { return one.textContent; }),
      old: inner.getElementById("old").hidden ? null : inner.getElementById("old").textContent
    });
    if (told.length === frames.length) document.getElementById("told").textContent = JSON.stringify(told);
  };
  frame.srcdoc = page;
});
</script>
"""


def test_the_page_fits_a_phone_and_a_desk_and_words_what_it_colours(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    datasets = [
        told("acme", now, 200), told("failing", now, 60, failed=3, error="an error " + "without_end" * 60),
        told("stale", now, 40, failed=30), unreadable("broken"),
    ]  # fmt: skip
    narrow, wide = probed(
        tmp_path, _PROBE, render_page(datasets, destination=DESTINATION, limit=timedelta(hours=2), now=now)
    )

    for seen in (narrow, wide):
        assert seen["needs"] <= seen["wide"]
        assert [word for word, _, _ in seen["states"]] == ["Stale", "Unreadable", "Failing", "Fresh"]
        assert all(size >= 24 for _, size, _ in seen["states"])
        assert len({colour for _, _, colour in seen["states"]}) == 3
        assert seen["bars"] > 500
        assert seen["asked"] == 0
        assert seen["old"] is None
    assert {narrow["wide"], wide["wide"]} == {360, 1300}


def test_ages_are_those_of_the_moment_and_an_old_page_says_so(tmp_path: Path) -> None:
    made = datetime.now(UTC) - timedelta(hours=5)
    narrow, wide = probed(
        tmp_path,
        _PROBE,
        render_page([told("acme", made, 3)], destination=DESTINATION, limit=timedelta(hours=2), now=made),
    )

    for seen in (narrow, wide):
        assert seen["ages"]
        assert all(age.startswith("5 h ") for age in seen["ages"])
        assert re.fullmatch(
            r"This page is 5 h( 0 min)? old: what writes it has stopped\.", seen["old"].replace(" 0 s", "")
        )


def test_an_empty_page_is_laid_out(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    narrow, _ = probed(tmp_path, _PROBE, render_page([], destination=DESTINATION, limit=timedelta(hours=2), now=now))

    assert narrow["needs"] <= narrow["wide"]
    assert (narrow["states"], narrow["bars"]) == ([], 0)
