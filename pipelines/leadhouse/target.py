"""A destination as users name it."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from leadhouse.errors import ConfigurationError
from leadhouse.postgres_url import check_postgres_url
from leadhouse.redact import redact, register_secrets
from leadhouse.settings import configure_dlt

# Table formats of a lake, with the packages that each of them needs.
_FORMATS = {"delta": ("deltalake",), "iceberg": ("pyiceberg", "sqlalchemy")}


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as the user named it.

    Attributes:
        kind: "duckdb", "postgres", "lake" (Delta Lake or Iceberg tables in a folder or a bucket) or "named" (any other
            that dlt's configuration describes).
        url: path of the DuckDB file, the Postgres URL (a secret), or dlt's name of the destination.
        name: dlt's name of the destination, "" where a URL was given.
        table_format: of a lake: "delta" or "iceberg".
        transactions: a lead and its child rows are written whole or not at all (a merge of dlt makes temporary tables).
    """

    kind: str
    url: str
    name: str = ""
    table_format: str = ""
    transactions: bool = True

    @classmethod
    def parse(cls, to: str) -> "Target":
        """Read `--to`: duckdb:///file.duckdb, duckdb:file.duckdb, postgresql://…, or the name of a dlt destination.

        Raises:
            ConfigurationError: none of these.
        """
        scheme, _, rest = to.partition(":")
        if scheme == "duckdb" and rest:
            path = Path(rest.removeprefix("//")).expanduser().absolute()
            if rest.strip("/") and not _is_folder(path):
                return cls("duckdb", str(path))
        if scheme in ("postgres", "postgresql") and rest.startswith("//"):
            check_postgres_url(to)
            return cls("postgres", f"postgresql:{rest.replace(' ', '%20')}")
        if re.fullmatch(r"[A-Za-z_][\w.]*", to):
            return _named(to)
        raise ConfigurationError(
            f"{redact(to)!r} is no destination; use duckdb:file.duckdb, postgresql://user@host/database, "
            "or the name of a destination that dlt's configuration describes"
        )

    @property
    def label(self) -> str:
        """The destination without secrets."""
        if self.kind == "duckdb":
            return f"duckdb:{self.url}"
        parts = urlsplit(self.url)
        if self.kind == "postgres":
            return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
        return self.url

    @property
    def connects(self) -> bool:
        """True where we open connections of our own and find every dataset: a DuckDB file or a Postgres server."""
        return self.kind in ("duckdb", "postgres")

    @property
    def identity(self) -> str:
        """A short name for working files: the same for the same destination, without secrets."""
        return blake2b(self.label.encode(), digest_size=6).hexdigest()

    def destination(self, *, read_only: bool = False) -> Any:
        """Return dlt's destination; loads are parquet wherever the destination takes it."""
        import dlt  # noqa: PLC0415 - costs half a second

        if self.kind == "named":
            return dlt.destination(self.url)
        if self.kind == "lake":
            from leadhouse.lakes.destination import IcebergLake, Lake  # noqa: PLC0415 - loads dlt

            return (Lake if self.table_format == "delta" else IcebergLake)(destination_name=self.name)
        if read_only and self.kind == "duckdb":
            from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials  # noqa: PLC0415

            return dlt.destinations.duckdb(DuckDbCredentials(self.url, read_only=True))
        named: Any = {"destination_name": self.name} if self.name else {}
        if self.kind == "duckdb":
            return dlt.destinations.duckdb(self.url, preferred_loader_file_format="parquet", **named)
        from leadhouse.libpq import LibpqPostgres  # noqa: PLC0415 - loads dlt

        return LibpqPostgres(self.url, preferred_loader_file_format="parquet", **named)


def _is_folder(path: Path) -> bool:
    """Tell whether the path of a DuckDB file is a folder's.

    Raises:
        ConfigurationError: it cannot be told, as in a folder that this user may not enter.
    """
    problem = ""
    try:
        return path.is_dir()
    except OSError as error:
        problem = error.strerror or type(error).__name__
    raise ConfigurationError(f"duckdb:{path}: {problem}; correct the rights of its folder, or name another file")


def _named(name: str) -> Target:
    """Return the destination that dlt's configuration describes; DuckDB, Postgres and lakes are recognised as such.

    Raises:
        ConfigurationError: there is none, it cannot replace rows, or a package that it needs is not installed.
    """
    configure_dlt()
    import dlt  # noqa: PLC0415 - costs half a second

    problem = ""
    try:
        destination = dlt.destination(name)
        kind = destination.destination_type.rsplit(".", 1)[-1]
        spec: Any = destination.spec()
        if hasattr(spec, "_bind_dataset_name"):
            spec._bind_dataset_name(dataset_name="leadhouse")  # noqa: SLF001 - as dlt's pipeline does
        told: Any = destination.configuration(spec)
        register_secrets(_secrets_of(told))
        if kind == "filesystem":
            return Target("lake", name, name, _table_format(name, told.protocol))
        if kind not in ("duckdb", "postgres"):
            able = destination.capabilities()
            _check_replaces(name, kind, able.supported_merge_strategies)
            if kind == "ducklake":
                _give_duckdb("ducklake")
            return Target("named", name, name, transactions=bool(able.supports_ddl_transactions))
        credentials = told.credentials
        if kind == "duckdb":
            return Target(kind, str(Path(credentials.database or f"{name}.duckdb").absolute()), name)
        from leadhouse.libpq import readable  # noqa: PLC0415 - loads dlt

        return Target(kind, readable(str(credentials.to_native_representation())), name)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - dlt raises many classes for an unknown name or a missing field
        problem = redact(" ".join(str(error).split())[:200])
    raise ConfigurationError(f"dlt cannot resolve the destination {name!r} ({problem}); describe it in .dlt/")


def _give_duckdb(extension: str) -> None:
    """Let DuckDB have an extension from an installed wheel, where there is one; else it fetches it by itself."""
    if find_spec(f"duckdb_extension_{extension}") is None:
        return
    import duckdb  # noqa: PLC0415 - loaded with the first use
    from duckdb_extensions import import_extension  # noqa: PLC0415 - an extra

    with duckdb.connect() as connection:
        import_extension(extension, con=connection)


def _secrets_of(configuration: Any) -> Iterator[str]:
    """Yield what dlt holds for secret in a destination's configuration."""
    from dlt.common.configuration.specs import BaseConfiguration  # noqa: PLC0415 - loads dlt
    from dlt.common.configuration.specs.base_configuration import is_secret_hint  # noqa: PLC0415

    for field, hint in configuration.get_resolvable_fields().items():
        value = getattr(configuration, field, None)
        if isinstance(value, BaseConfiguration):
            yield from _secrets_of(value)
        elif isinstance(value, str) and is_secret_hint(hint):
            yield value


def _table_format(name: str, protocol: str) -> str:
    """Return the table format of a filesystem destination: dlt has no setting for it, files alone are no tables."""
    import dlt  # noqa: PLC0415 - loaded already

    key = f"destination.{name}.table_format"
    configured: list[Any] = [dlt.config.get(place) for place in (key, "destination.filesystem.table_format")]
    told = next((str(found).lower() for found in configured if found), "")
    variable = key.replace(".", "__").upper()
    if told not in _FORMATS:
        raise ConfigurationError(
            f"the destination {name!r} is a folder of files, in which rows cannot be replaced; set "
            f"{variable}=delta or {variable}=iceberg"
        )
    if protocol == "hf":
        raise ConfigurationError(
            f"the destination {name!r} is on Hugging Face, which keeps no {told} tables; use a bucket"
        )
    if any(find_spec(package) is None for package in _FORMATS[told]):
        raise ConfigurationError(
            f"the destination {name!r} needs packages that are not installed; run `pip install 'leadhouse[{told}]'`"
        )
    return told


def _check_replaces(name: str, kind: str, strategies: Collection[str] | None) -> None:
    """Refuse a destination in which dlt cannot replace rows together with their child rows."""
    if "delete-insert" not in (strategies or ()):
        raise ConfigurationError(
            f"rows cannot be replaced in the destination {name!r} ({kind}); use DuckDB, Postgres, a lake, or a "
            "warehouse into which dlt merges by delete-insert"
        )
