"""The status of datasets as Prometheus reads it from a textfile collector's folder."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from leadhouse.errors import ConfigurationError
from leadhouse.files import replaceable

_LABELS = ("source", "dataset", "portal")
_MOMENTS = (
    ("last_success", "End of the last sync that moved the cursor; 0: never."),
    ("cursor", "The warehouse is complete up to this; 0: nothing was synced."),
    ("failing_since", "Start of the first run that failed since one was done; 0: not failing."),
)
# Of the last run: metric, key of the run, meaning.
_LAST_RUN = (
    ("duration_seconds", "duration_s", "Duration of the last run."),
    ("throttled_seconds", "throttled_s", "Seconds that the last run waited because of the vendor's limits."),
    ("leads_read", "leads_read", "Leads that the portal sent to the last run."),
    ("rows_written", "rows_written", "Rows that the last run wrote."),
    ("requests", "requests", "HTTP requests of the last run."),
    ("retries", "retries", "HTTP requests that the last run repeated."),
)


class _Statuses(Collector):
    """What `leadhouse.status` tells, as metrics; what never happened is 0, so that alerts on its age fire."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with the samples of all datasets."""
        readable = GaugeMetricFamily(
            "leadhouse_dataset_readable", "1 where the dataset could be read, else 0.", labels=_LABELS
        )
        moments = [(_gauge(f"{key}_timestamp_seconds", about), key) for key, about in _MOMENTS]
        ended = _gauge("last_run_timestamp_seconds", "End of the last run.")
        success = _gauge("last_run_success", "1 where the last run was done, 0 where it failed.")
        last_run = [(_gauge(f"last_run_{name}", about), key) for name, key, about in _LAST_RUN]
        rows = GaugeMetricFamily("leadhouse_table_rows", "Rows of a table.", labels=(*_LABELS, "table"))
        runs = CounterMetricFamily("leadhouse_runs", "Runs since the first one.", labels=(*_LABELS, "outcome"))
        for told in self._told:
            labels = (told["source"], told["dataset"], told.get("portal") or "")
            readable.add_metric(labels, "problem" not in told)
            if "problem" in told:
                continue
            for gauge, key in moments:
                gauge.add_metric(labels, _unix(told[key]))
            for run in told["runs"][:1]:
                ended.add_metric(labels, _unix(run["finished_at"]))
                success.add_metric(labels, run["outcome"] == "done")
                for gauge, key in last_run:
                    gauge.add_metric(labels, run[key] or 0)
            for table, count in told["rows"].items():
                rows.add_metric((*labels, table), count)
            for outcome in ("done", "failed"):
                runs.add_metric((*labels, outcome), told["totals"][outcome])
        yield from (readable, *(gauge for gauge, _ in moments), ended, success)
        yield from (*(gauge for gauge, _ in last_run), rows, runs)


def write_metrics(told: list[dict[str, Any]], path: str) -> None:
    """Write the file in one step; node_exporter reads those that end in .prom.

    Args:
        told: what `leadhouse.status` tells of each dataset.
        path: the file.

    Raises:
        ConfigurationError: it cannot be written.
    """
    file = replaceable(path, "--prometheus")
    registry, problem = CollectorRegistry(), ""
    registry.register(_Statuses(told))
    try:
        write_to_textfile(str(file), registry)
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigurationError(f"{path} cannot be written ({problem}); give another file with --prometheus")


def _gauge(name: str, about: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"leadhouse_{name}", about, labels=_LABELS)


def _unix(at: str | None) -> float:
    return datetime.fromisoformat(at).timestamp() if at else 0.0
