"""Where a task writes: as it was told, by a connection, or by LEADHOUSE__TO; never to a worker's current folder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from airflow.sdk.log import mask_secret

from leadhouse.airflow.connections import warehouse_url
from leadhouse.airflow.hooks import found
from leadhouse.errors import ConfigurationError
from leadhouse.redact import share_secrets
from leadhouse.settings import DEFAULT_TO, configure_dlt, destination_url

if TYPE_CHECKING:
    from leadhouse.warehouse import Warehouse

# Seconds to wait for a reader of the DuckDB file, or for another run of the same portal: waiting costs a slot, no more.
LOCK_TIMEOUT_S = 600.0


def destination(to: str | None, conn_id: str | None) -> str:
    """Return the destination as `leadhouse.sync` takes it.

    Args:
        to: its URL, or the name that dlt's configuration describes.
        conn_id: a connection of type postgres or duckdb instead.

    Raises:
        ConfigurationError: none is told, or a connection that is not there or describes none, or a file whose place
            depends on where the worker was started.
    """
    share_secrets(mask_secret)
    configure_dlt()
    if to and conn_id:
        raise ConfigurationError("to and to_conn_id are both set; keep the one or the other")
    told = warehouse_url(found(conn_id, "to_conn_id")) if conn_id else destination_url(to)
    scheme, _, rest = told.partition(":")
    if told == DEFAULT_TO and not to:
        raise ConfigurationError("no destination is set; set LEADHOUSE__TO where tasks run, or to or to_conn_id")
    if scheme == "duckdb" and not Path(rest.removeprefix("//")).expanduser().is_absolute():
        raise ConfigurationError(
            f"the DuckDB file {rest} would lie wherever the worker was started; give an absolute path, duckdb:/srv/…"
        )
    return told


@contextmanager
def warehouse(to: str | None = None, conn_id: str | None = None) -> Iterator["Warehouse"]:
    """Give the warehouse, held: a DuckDB file is opened as soon as nobody else has it open.

    Raises:
        ConfigurationError: no destination, or one that is neither DuckDB nor Postgres.
        WarehouseLockedError, WarehouseRefusedError, WarehouseUnavailableError: it cannot be used.
    """
    from leadhouse.warehouse import Target, Warehouse  # noqa: PLC0415 - light, but nothing that a DAG file needs

    target = Target.parse(destination(to, conn_id))
    if not target.connects:
        raise ConfigurationError(f"{target.label} is neither DuckDB nor Postgres; it has no views over all CRMs")
    held = Warehouse(target, f"task_{token_hex(4)}", lock_timeout=LOCK_TIMEOUT_S)  # a run of its own: nobody waits
    # A DuckDB file excludes others by itself; the lock of a run would leave its file beside it.
    with nullcontext() if target.kind == "duckdb" else held.one_run(), held.held():
        yield held


@contextmanager
def cursor(to: str | None = None, conn_id: str | None = None) -> Iterator[Any]:
    """Give a DB-API cursor of the warehouse, for SQL of a task's own; each statement is committed.

    Args:
        to: destination; default LEADHOUSE__TO.
        conn_id: a connection of type postgres or duckdb instead.

    Raises:
        LeadhouseError: as `warehouse` does.
    """
    with warehouse(to, conn_id) as held, closing(held.connection.cursor()) as opened:
        yield opened
