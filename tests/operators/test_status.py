"""`leadhouse status`: every dataset, freshness by the last sync that moved the cursor, exit 1 when too old."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leadhouse.summary import SyncSummary
from leadhouse.tables import tables
from operators.conftest import Call
from operators.warehouses import age, change
from scene import Scene

_NEWER = ("command", "portal")
_KEYS = {"destination", "dataset", "cursor", "behind_s", "runs", "rows"}


def _told(call: Call, *arguments: str, status: int = 0) -> dict[str, Any]:
    ended, out, err = call("status", *arguments, "--json")
    assert ended == status, err
    told: dict[str, Any] = json.loads(out)
    return told


@pytest.mark.usefixtures("bitrix24_scene", "kommo_scene")
def test_all_shows_every_dataset_also_one_whose_first_run_failed(to: str, call: Call) -> None:
    assert call("sync", "bitrix24", "--to", to)[0] == 0
    assert call("sync", "kommo", "--to", to)[0] == 0
    wrong = "http://127.0.0.1:9/rest/1/invented-code/"
    settings = ("--webhook-url", wrong, "--dataset", "broken")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("leadhouse.pace.Pause.for_retry", lambda *_: None)
        assert call("sync", "bitrix24", "--to", to, *settings)[0] == 1

    told = _told(call, "--all", "--to", to)
    datasets = {one["dataset"]: one for one in told["datasets"]}

    assert list(datasets) == ["broken", "bitrix24", "kommo"]
    assert [one["source"] for one in datasets.values()] == ["bitrix24", "bitrix24", "kommo"]
    assert datasets["broken"]["last_success"] is None
    assert datasets["broken"]["failing_since"] == datasets["broken"]["runs"][0]["started_at"]
    assert "connection refused" in datasets["broken"]["runs"][0]["error"]
    assert datasets["kommo"]["rows"]["leads"] == 30
    assert datasets["kommo"]["failing_since"] is None
    assert all(one.keys() >= _KEYS for one in datasets.values())


@pytest.mark.usefixtures("bitrix24_scene")
def test_a_run_is_told_with_its_figures_and_the_totals_add_up(to: str, call: Call, bitrix24_scene: Scene) -> None:
    call("sync", "bitrix24", "--to", to)
    bitrix24_scene.portal.clock.advance(60)
    bitrix24_scene.edit(bitrix24_scene.ids()[0], "Edited")
    call("sync", "bitrix24", "--to", to, "--reconcile")

    told = _told(call, "--to", to)
    last, first = told["runs"]

    assert (last["command"], last["outcome"], last["leads_read"], first["leads_read"]) == ("sync", "done", 1, 30)
    assert last["duration_s"] > 0
    assert last["retries"] == 0
    assert told["last_success"] == last["finished_at"]
    assert 0 <= told["age_s"] < 600
    assert told["portal"] == bitrix24_scene.url.split("/")[2]
    assert told["totals"]["leads_read"] == 31
    assert told["totals"]["rows_written"] == first["rows_written"] + last["rows_written"]
    assert (told["totals"]["runs"], told["totals"]["done"], told["totals"]["failed"]) == (2, 2, 0)


@pytest.mark.usefixtures("bitrix24_scene")
def test_a_backfill_and_a_single_lead_make_nothing_fresher(to: str, call: Call) -> None:
    call("sync", "bitrix24", "--to", to, "--reconcile-every", "24h")
    age(to, "bitrix24", hours=5)

    assert call("sync", "bitrix24", "--to", to, "--since", "2026-01-01")[0] == 0
    assert call("lead", "bitrix24", "3", "--to", to)[0] == 0

    assert _told(call, "--to", to)["age_s"] >= 5 * 3600
    status, _, err = call("status", "--to", to, "--max-age", "4h")
    assert status == 1
    assert err.startswith("leadhouse: dataset bitrix24: the last successful sync ended 5 h ")
    assert len(err.splitlines()) == 1
    assert call("status", "--to", to, "--max-age", "6h")[::2] == (0, "")


@pytest.mark.usefixtures("bitrix24_scene")
def test_a_sync_that_ended_in_the_future_by_clocks_that_disagree_is_not_fresh(
    file: str, call: Call, tmp_path: Path
) -> None:
    assert call("sync", "bitrix24", "--to", file)[0] == 0
    change(file, "UPDATE bitrix24.sync_runs SET finished_at = finished_at + INTERVAL '3 minutes'")
    assert call("status", "--to", file, "--max-age", "1h")[::2] == (0, "")

    age(file, "bitrix24", hours=-2)
    status, out, err = call("status", "--to", file, "--max-age", "1h", "--html", "page.html")
    assert status == 1
    assert "last successful sync 2" in out
    assert err.startswith("leadhouse: dataset bitrix24: the last successful sync ended at 2")
    assert err.endswith(
        "in the future; this machine's clock and that of the one that ran it disagree; set them right\n"
    )
    assert "Stale" in (tmp_path / "page.html").read_text()
    assert call("status", "--to", file)[::2] == (0, "")


@pytest.mark.usefixtures("bitrix24_scene")
def test_runs_that_fail_are_told_since_the_first_of_them(file: str, call: Call, bitrix24_scene: Scene) -> None:
    call("sync", "bitrix24", "--to", file)
    bitrix24_scene.refuse()
    assert [call("sync", "bitrix24", "--to", file)[0] for _ in range(2)] == [2, 2]

    told = _told(call, "--to", file)

    assert [run["outcome"] for run in told["runs"]] == ["failed", "failed", "done"]
    assert told["failing_since"] == told["runs"][1]["started_at"]
    assert told["last_success"] == told["runs"][2]["finished_at"]
    assert f"failing since {told['failing_since']}" in call("status", "--to", file)[1]


@pytest.mark.usefixtures("kommo_scene")
def test_without_a_source_the_only_dataset_is_meant(to: str, call: Call) -> None:
    call("sync", "kommo", "--to", to, "--dataset", "acme")

    told = _told(call, "--to", to)

    assert (told["dataset"], told["source"], told["rows"]["leads"]) == ("acme", "kommo", 30)
    assert _told(call, "--to", to, "--dataset", "acme")["cursor"] == told["cursor"]


@pytest.mark.usefixtures("bitrix24_scene")
def test_without_a_source_one_of_several_must_be_named(file: str, call: Call) -> None:
    call("sync", "bitrix24", "--to", file, "--dataset", "acme")
    call("sync", "bitrix24", "--to", file, "--dataset", "globex")

    assert call("status", "--to", file) == (
        2,
        "",
        f"leadhouse: {file} holds the datasets acme, globex; name one with --dataset, or take --all\n",
    )
    assert _told(call, "--to", file, "--portal", "globex")["dataset"] == "globex"


@pytest.mark.usefixtures("bitrix24_scene")
def test_a_dataset_that_cannot_be_read_hides_no_other(file: str, call: Call, tmp_path: Path) -> None:
    for dataset in ("acme", "globex"):
        call("sync", "bitrix24", "--to", file, "--dataset", dataset)
    change(file, "UPDATE acme._dlt_pipeline_state SET state = 'no state'")

    status, out, err = call("status", "--all", "--to", file, "--html", "page.html", "--prometheus", "leads.prom")

    assert status == 2
    assert "damaged" in out
    assert "globex" in out
    assert err.startswith("leadhouse: dataset acme cannot be read: ")
    assert "Unreadable" in (tmp_path / "page.html").read_text()
    assert 'leadhouse_dataset_readable{dataset="acme"' in (tmp_path / "leads.prom").read_text()


@pytest.mark.usefixtures("bitrix24_scene")
def test_a_dataset_of_an_older_release_is_read_without_the_columns_that_it_lacks(
    file: str, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, newest = SyncSummary.row, tables("bitrix24")["sync_runs"]
    before = {name: column for name, column in newest.columns.items() if name not in _NEWER}
    with monkeypatch.context() as older:
        older.setattr(SyncSummary, "row", lambda run: {x: y for x, y in row(run).items() if x not in _NEWER})
        older.setitem(tables("bitrix24"), "sync_runs", replace(newest, columns=before))
        call("sync", "bitrix24", "--to", file)

    told = _told(call, "--to", file)

    assert (told["runs"][0]["command"], told["portal"]) == (None, None)
    assert told["last_success"] == told["runs"][0]["finished_at"]
    assert "sync       done" in call("status", "--to", file)[1]


def test_a_warehouse_without_datasets_leaves_a_page_that_says_so(call: Call, tmp_path: Path) -> None:
    status, out, err = call("status", "--all", "--to", "duckdb:absent.duckdb", "--html", "page.html")

    assert (status, out) == (2, "")
    assert "holds no dataset of leadhouse; run `leadhouse sync` first" in err
    assert "nothing synced yet" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "absent.duckdb").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--max-age", "soon"), "--max-age is 'soon'; it is a time like 24h, 90m or 7d"),
        (("--all", "--dataset", "acme"), "--all shows every dataset"),
        (("--all", "kommo"), "--all shows every dataset"),
        (("--all", "--html", "no/such/folder/page.html"), "no/such/folder/page.html cannot be written"),
        (("--all", "--prometheus", "no/such/folder/x.prom"), "no/such/folder/x.prom cannot be written"),
        (("hubspot",), "'hubspot' is no source"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_line_with_its_cure(arguments: tuple[str, ...], told: str, call: Call) -> None:
    status, out, err = call("status", *arguments, "--to", "duckdb:absent.duckdb")

    assert (status, out) == (2, "")
    assert told in err.splitlines()[-1]
