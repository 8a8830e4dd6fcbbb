"""The metrics, read with Prometheus's own parser."""

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from leadhouse.prometheus import write_metrics
from operators.pages import told, unreadable

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
_ACME = {"source": "bitrix24", "dataset": "acme", "portal": "crm.example.com"}


def _samples(folder: Path) -> dict[tuple[str, str], list[tuple[dict[str, str], float]]]:
    """Return labels and values by name and type of metric."""
    found: dict[tuple[str, str], list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families((folder / "leads.prom").read_text()):
        assert family.documentation
        for sample in family.samples:
            found.setdefault((sample.name, family.type), []).append((sample.labels, sample.value))
    return found


def test_metrics_bear_the_figures_of_the_last_run_with_their_units(tmp_path: Path) -> None:
    status = told("acme", NOW, 10, failed=2)
    write_metrics([status], str(tmp_path / "leads.prom"))

    found = _samples(tmp_path)
    gauges = {name: samples[0][1] for (name, kind), samples in found.items() if kind == "gauge"}

    assert {labels["dataset"] for samples in found.values() for labels, _ in samples} == {"acme"}
    assert found["leadhouse_last_run_success", "gauge"] == [(_ACME, 0.0)]
    assert (
        gauges["leadhouse_last_success_timestamp_seconds"] == datetime.fromisoformat(status["last_success"]).timestamp()
    )
    assert gauges["leadhouse_cursor_timestamp_seconds"] == datetime.fromisoformat(status["cursor"]).timestamp()
    assert gauges["leadhouse_last_run_duration_seconds"] == 5.0
    assert gauges["leadhouse_last_run_retries"] == 6
    assert gauges["leadhouse_failing_since_timestamp_seconds"] == NOW.timestamp() - 900
    assert ({**_ACME, "table": "leads"}, 1234.0) in found["leadhouse_table_rows", "gauge"]
    assert ({**_ACME, "outcome": "failed"}, 2.0) in found["leadhouse_runs_total", "counter"]


def test_what_never_happened_is_zero_so_that_an_alert_on_its_age_fires(tmp_path: Path) -> None:
    write_metrics([told("acme", NOW, 1, failed=1)], str(tmp_path / "leads.prom"))

    found = _samples(tmp_path)

    assert found["leadhouse_last_success_timestamp_seconds", "gauge"] == [(_ACME, 0.0)]
    assert found["leadhouse_cursor_timestamp_seconds", "gauge"] == [(_ACME, 0.0)]


def test_a_dataset_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    write_metrics([unreadable("broken"), told("acme", NOW, 1)], str(tmp_path / "leads.prom"))

    found = _samples(tmp_path)

    assert {labels["dataset"]: value for labels, value in found["leadhouse_dataset_readable", "gauge"]} == {
        "broken": 0.0,
        "acme": 1.0,
    }
    assert [labels["dataset"] for labels, _ in found["leadhouse_last_run_success", "gauge"]] == ["acme"]


def test_no_metric_of_the_process_or_of_python_is_among_them(tmp_path: Path) -> None:
    write_metrics([told("acme", NOW, 1)], str(tmp_path / "leads.prom"))

    assert {name.split("_")[0] for name, _ in _samples(tmp_path)} == {"leadhouse"}
    assert [file.name for file in tmp_path.glob("leads*")] == ["leads.prom"]
