"""leadhouse's source in a user's own dlt pipeline: dlt keeps traces and files, none of them holds the code."""

import traceback
from pathlib import Path

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed

import leadhouse
from leadhouse.sandbox.bitrix24 import Portal, serve
from leaks.conftest import CODE
from leaks.traces import Heard, of_error, of_files, of_warehouse

_FAULTS = {
    "401": {"kind": "error", "code": "INVALID_CREDENTIALS", "status": 401},
    "html": {"kind": "html_502"},
    "reset": {"kind": "reset"},
    "redirect": {"kind": "redirect", "to": "http://crm.example.com"},
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("given", ["argument", "environment"])
@pytest.mark.parametrize("fault", ["none", *sorted(_FAULTS)])
def test_dlt_keeps_nothing_of_the_code(
    portal: Portal,
    *,
    heard: Heard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    fault: str,
    given: str,
) -> None:
    database = tmp_path / "own.duckdb"
    work = tmp_path / "own"
    with serve(portal) as served:
        if given == "environment":
            monkeypatch.setenv("SOURCES__BITRIX24__WEBHOOK_URL", served.url)
        if fault != "none":
            portal.faults.add(times=None, match="batch", **_FAULTS[fault])  # type: ignore[arg-type]
        pipeline = dlt.pipeline(
            "own", pipelines_dir=str(work), destination=dlt.destinations.duckdb(str(database)), dataset_name="crm"
        )
        source = leadhouse.bitrix24(served.url) if given == "argument" else leadhouse.bitrix24()
        shown = ""
        if fault == "none":
            shown += str(pipeline.run(source)) + of_warehouse(f"duckdb:{database}")
        else:
            with pytest.raises(PipelineStepFailed) as failed:
                pipeline.run(source)
            shown += of_error(failed.value) + "".join(traceback.format_exception(failed.value))
        trace = pipeline.last_trace
        assert trace is not None
        shown += str(trace) + trace.asstr(verbosity=2) + str(trace.asdict())
    out, err = capfd.readouterr()
    kept = of_files(work)
    assert "own" in kept
    for place, text in {"trace": shown, "log": heard.text, "terminal": out + err, "files": kept}.items():
        assert CODE not in text, f"the code is in the {place}: …{text[max(0, text.find(CODE) - 300) :][:400]}…"
