"""The page of the dictionary in a real browser, headless: laid out, searchable, nothing asked of the network.

Wants Chromium: make chromium.
"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from chromium import probed
from leadhouse.dictionary import everything, of_warehouse
from leadhouse.dictionary_page import render_page
from leadhouse.target import Target

pytestmark = pytest.mark.long

NOW = datetime(2026, 11, 22, tzinfo=UTC)
# What the page is asked in a frame of a phone's width and of a desk's: as it opens, and searched.
_PROBE = """
<!doctype html><body><iframe style="width:360px;height:900px"></iframe>
<iframe style="width:1300px;height:900px"></iframe>
<script type="application/json" id="page">%s</script><pre id="told"></pre><script>
var page = JSON.parse(document.getElementById("page").textContent), told = [];
var frames = document.querySelectorAll("iframe");
frames.forEach(function (frame) {
  frame.onload = function () {
    var inner = frame.contentDocument, search = inner.getElementById("search");
    function shown(what) {
      return Array.from(inner.querySelectorAll(what)).filter(function (one) { return one.offsetHeight > 0; })
        .map(function (one) { return one.id || one.textContent; });
    }
    function look(words) {
      search.value = words;
      search.dispatchEvent(new Event("input"));
      return {sections: shown("main section"), columns: shown("th.name"), links: shown("nav a"),
        count: inner.getElementById("count").textContent};
    }
    told.push({
      wide: frame.clientWidth, needs: inner.documentElement.scrollWidth, all: look(""), e164: look("E164"),
      two: look("kommo loss reason"), none: look("no such thing at all"),
      asked: frame.contentWindow.performance.getEntriesByType("resource").length
    });
    if (told.length === frames.length) document.getElementById("told").textContent = JSON.stringify(told);
  };
  frame.srcdoc = page;
});
</script>
"""


def test_the_dictionary_fits_a_phone_and_a_desk_and_is_searched(filled: dict[str, str], tmp_path: Path) -> None:
    sections = of_warehouse(Target.parse(filled["duckdb"]), None, None, lock_timeout=5.0)
    names = [f"{section.dataset}.{entry.name}" for section in sections for entry in section.tables]
    phones = [name for name in names if name.endswith(("_phones", ".people"))]

    narrow, wide = sorted(probed(tmp_path, _PROBE, render_page(sections, now=NOW)), key=lambda seen: seen["wide"])

    assert (narrow["wide"], wide["wide"]) == (360, 1300)
    for seen in (narrow, wide):
        assert seen["needs"] <= seen["wide"]
        assert seen["asked"] == 0
        assert (seen["all"]["sections"], seen["all"]["count"]) == (names, "")
        assert len(seen["all"]["links"]) == len(names)
        assert set(phones) <= set(seen["e164"]["sections"])
        assert set(seen["e164"]["columns"]) == {"e164", "phone_e164", "phones_e164"}
        assert "kommo.loss_reasons" in seen["two"]["sections"]
        assert not any(name.startswith("bitrix24") for name in seen["two"]["sections"])
        assert seen["none"] == {"sections": [], "columns": [], "links": [], "count": f"0 of {len(names)} shown"}


def test_the_dictionary_without_a_warehouse_is_laid_out(tmp_path: Path) -> None:
    for seen in probed(tmp_path, _PROBE, render_page(everything(), now=NOW)):
        assert seen["needs"] <= seen["wide"]
        assert seen["all"]["sections"]
