"""An Airflow connection as leadhouse's own settings: of a portal, or of a warehouse."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from leadhouse.errors import ConfigurationError
from leadhouse.redact import register_secrets
from leadhouse.settings import dataset_name, setting_names

if TYPE_CHECKING:
    from airflow.sdk import Connection

TYPES = ("bitrix24", "kommo")


@dataclass(frozen=True, slots=True)
class PortalConnection:
    """A portal that a connection describes.

    Attributes:
        source: "bitrix24" or "kommo".
        dataset: schema of its tables.
        settings: for `leadhouse.sync`; there are secrets in it.
    """

    source: str
    dataset: str
    settings: dict[str, Any] = field(repr=False)


def portal_connection(connection: "Connection", dataset: str | None = None) -> PortalConnection:
    """Return the portal that a connection describes.

    Args:
        connection: of type bitrix24 or kommo.
        dataset: where its extras name none; None: the connection's own name.

    Raises:
        ConfigurationError: the connection is of another type, or has extras that leadhouse does not know.
    """
    name, source = connection.conn_id, connection.conn_type or ""
    if source not in TYPES:
        raise ConfigurationError(f"connection {name} is of type {source}; choose {' or '.join(TYPES)}")
    extra = {key: value for key, value in extras(connection).items() if value not in (None, "")}
    register_secrets(str(extra.get(key, "")) for key in ("client_secret", "refresh_token"))
    dataset = str(extra.pop("dataset", dataset or name))
    unknown = extra.keys() - setting_names(source)
    if unknown:
        raise ConfigurationError(
            f"connection {name} has an extra {min(unknown)!r} that leadhouse does not know; remove it"
        )
    access = _bitrix24(connection) if source == "bitrix24" else _kommo(connection)
    return PortalConnection(source, dataset_name(source, None, dataset), {**extra, **access})


def extras(connection: "Connection") -> dict[str, Any]:
    """Return a connection's extras.

    Raises:
        ConfigurationError: they are no JSON object.
    """
    told: Any = None
    try:
        told = connection.extra_dejson
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ConfigurationError(f"connection {connection.conn_id}: its extra is not a JSON object; correct it")
    return told


def warehouse_url(connection: "Connection") -> str:
    """Return the destination that a connection of type postgres, or duckdb with the file as host, describes.

    Raises:
        ConfigurationError: it is of another type, or incomplete.
    """
    name, host = connection.conn_id, connection.host or ""
    if connection.conn_type == "duckdb" and host:
        return f"duckdb:{host}"
    if connection.conn_type not in ("postgres", "postgresql") or not host or not connection.schema:
        raise ConfigurationError(
            f"connection {name} describes no warehouse; it is of type postgres with host, login, password and "
            "database, or of type duckdb with the path of the file as host"
        )
    password = connection.password or ""
    register_secrets([password])
    user = quote(connection.login or "", safe="") + (f":{quote(password, safe='')}" if password else "")
    place = f"{host}:{connection.port}" if connection.port else host
    # What libpq takes (sslmode …); a hook's own switches are booleans, numbers or nested.
    options = {key: value for key, value in extras(connection).items() if isinstance(value, str) and value}
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql://{user}{'@' if user else ''}{place}/{quote(connection.schema, safe='')}{query}"


def _bitrix24(connection: "Connection") -> dict[str, Any]:
    """Return the webhook's URL, where there is a webhook."""
    code = (connection.password or "").strip()
    if not code:
        return {}
    if "://" in code:
        register_secrets(urlsplit(code).path.split("/"))
        return {"webhook_url": code}
    register_secrets([code])
    return {"webhook_url": f"{_address(connection)}/rest/{connection.login or ''}/{code}/"}


def _kommo(connection: "Connection") -> dict[str, Any]:
    """Return the account's address, and the token where there is one."""
    token = (connection.password or "").strip()
    return {"base_url": _address(connection), **({"access_token": token} if token else {})}


def _address(connection: "Connection") -> str:
    """Return scheme, host and port: https where the host names none."""
    host = (connection.host or "").strip().rstrip("/")
    if not host:
        raise ConfigurationError(f"connection {connection.conn_id} has no host; it is like example.bitrix24.com")
    address = host if "://" in host else f"https://{host}"
    return f"{address}:{connection.port}" if connection.port else address
