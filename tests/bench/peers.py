"""What people use today, and leadhouse, each as its users write it: read what changed, keep rows by id, come again."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import dlt
import duckdb
import fast_bitrix24
from b24pysdk import BitrixWebhook, Client
from dlt.sources.rest_api import rest_api_source

import leadhouse
from leadhouse.progress import Lines

SELECT = ["*", "UF_*", "PHONE", "EMAIL", "WEB", "IM", "LINK"]
EVER = "2000-01-01T00:00:00+03:00"


class Peer(Protocol):
    """A way to keep a portal's leads."""

    name: str

    def sync(self) -> None:
        """Read what changed since the last time."""

    def settle(self) -> None:
        """Do what finds deletions, where there is anything."""

    def held(self) -> Mapping[int, str]:
        """Return the version (the field POST) of each lead held as living."""


class _Rows:
    """Rows by id in memory, and the greatest modification time seen as the cursor."""

    def __init__(self) -> None:
        self._rows: dict[int, str] = {}
        self._cursor = EVER

    def held(self) -> Mapping[int, str]:
        return self._rows

    def settle(self) -> None:
        """Nothing: it has no means."""

    def _take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            self._rows[int(row["ID"])] = row["POST"] or ""
            self._cursor = max(self._cursor, row["DATE_MODIFY"])


class FastBitrix24(_Rows):
    """fast_bitrix24's `get_all`."""

    name = "fast_bitrix24"

    def __init__(self, url: str) -> None:
        super().__init__()
        logging.getLogger("fast_bitrix24").setLevel(logging.CRITICAL)
        self._portal = fast_bitrix24.Bitrix(url, verbose=False)

    def sync(self) -> None:
        """Read what changed since the last time."""
        chosen = {"select": SELECT, "filter": {">=DATE_MODIFY": self._cursor}}
        self._take(self._portal.get_all("crm.lead.list", params=chosen))


class B24PySdk(_Rows):
    """The vendor's own SDK: `as_list_fast`, or `as_list`."""

    def __init__(self, url: str, certificate: Path, *, fast: bool) -> None:
        super().__init__()
        self.name = "b24pysdk fast" if fast else "b24pysdk list"
        self._fast = fast
        os.environ["REQUESTS_CA_BUNDLE"] = str(certificate)
        parts = urlsplit(url)
        token = parts.path.removeprefix("/rest/").strip("/")
        self._client = Client(BitrixWebhook(domain=parts.netloc, webhook_token=token))

    def sync(self) -> None:
        """Read what changed since the last time."""
        asked = self._client.crm.lead.list(select=SELECT, filter={">=DATE_MODIFY": self._cursor})
        self._take((asked.as_list_fast() if self._fast else asked.as_list()).result)


class DltRestApi:
    """dlt's rest_api source, pages by offset in the order of modification."""

    name = "dlt rest_api"

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._file = folder / "generic.duckdb"
        destination = dlt.destinations.duckdb(str(self._file))
        self._pipeline = dlt.pipeline(
            "race", pipelines_dir=str(folder / "dlt"), destination=destination, dataset_name="portal"
        )

    def sync(self) -> None:
        """Read what changed since the last time."""
        chosen = {f"select[{number}]": name for number, name in enumerate(SELECT)}
        params = {"order[DATE_MODIFY]": "ASC", **chosen, "filter[>=DATE_MODIFY]": "{incremental.start_value}"}
        config: Any = {
            "client": {"base_url": self._url},
            "resource_defaults": {"write_disposition": "merge"},
            "resources": [
                {
                    "name": "leads",
                    "primary_key": "ID",
                    "columns": {"DATE_MODIFY": {"dedup_sort": "desc"}},
                    "endpoint": {
                        "path": "crm.lead.list.json",
                        "data_selector": "result",
                        "params": params,
                        "incremental": {"cursor_path": "DATE_MODIFY", "initial_value": EVER},
                        "paginator": {"type": "cursor", "cursor_path": "next", "cursor_param": "start"},
                    },
                }
            ],
        }
        self._pipeline.run(rest_api_source(config), loader_file_format="parquet")

    def settle(self) -> None:
        """Nothing: it has no means."""

    def held(self) -> Mapping[int, str]:
        """Return the version of each lead."""
        with duckdb.connect(str(self._file), read_only=True) as file:
            return {
                int(lead): post or "" for lead, post in file.execute("SELECT id, post FROM portal.leads").fetchall()
            }


class Leadhouse:
    """leadhouse: sync, and reconcile where deletions are to be found."""

    name = "leadhouse"

    def __init__(self, url: str, folder: Path) -> None:
        self._file = folder / "leadhouse.duckdb"
        self._options: dict[str, Any] = {
            "to": f"duckdb:{self._file}",
            "webhook_url": url,
            "progress": Lines(),
            "requests_per_second": 1000,
            "burst": 100_000,
        }

    def sync(self) -> None:
        """Read what changed since the last time."""
        leadhouse.sync("bitrix24", **self._options)

    def settle(self) -> None:
        """Find deletions."""
        leadhouse.reconcile("bitrix24", **self._options)

    def held(self) -> Mapping[int, str]:
        """Return the version of each lead held as living."""
        with duckdb.connect(str(self._file), read_only=True) as file:
            rows = file.execute("SELECT id, post FROM bitrix24.leads WHERE deleted_at IS NULL").fetchall()
        return {lead: post or "" for lead, post in rows}
