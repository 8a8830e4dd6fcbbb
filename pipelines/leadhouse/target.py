"""A destination as users name it."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from leadhouse.errors import ConfigurationError
from leadhouse.postgres_url import check_postgres_url
from leadhouse.redact import redact, register_secrets
from leadhouse.settings import configure_dlt


@dataclass(frozen=True, slots=True)
class Target:
    """A destination as the user named it.

    Attributes:
        kind: "duckdb", "postgres" or "named" (any other that dlt's configuration describes).
        url: path of the DuckDB file, the Postgres URL (a secret), or dlt's name of the destination.
        name: dlt's name of the destination, "" where a URL was given.
    """

    kind: str
    url: str
    name: str = ""

    @classmethod
    def parse(cls, to: str) -> "Target":
        """Read `--to`: duckdb:///file.duckdb, duckdb:file.duckdb, postgresql://…, or the name of a dlt destination.

        Raises:
            ConfigurationError: none of these.
        """
        scheme, _, rest = to.partition(":")
        if scheme == "duckdb" and rest:
            path = Path(rest.removeprefix("//")).expanduser().absolute()
            if rest.strip("/") and not path.is_dir():
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
    def identity(self) -> str:
        """A short name for working files: the same for the same destination, without secrets."""
        return blake2b(self.label.encode(), digest_size=6).hexdigest()

    def destination(self, *, read_only: bool = False) -> Any:
        """Return dlt's destination; loads are parquet wherever the destination takes it."""
        import dlt  # noqa: PLC0415 - costs half a second

        if self.kind == "named":
            return dlt.destination(self.url)
        if read_only and self.kind == "duckdb":
            from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials  # noqa: PLC0415

            return dlt.destinations.duckdb(DuckDbCredentials(self.url, read_only=True))
        named: Any = {"destination_name": self.name} if self.name else {}
        if self.kind == "duckdb":
            return dlt.destinations.duckdb(self.url, preferred_loader_file_format="parquet", **named)
        from leadhouse.libpq import LibpqPostgres  # noqa: PLC0415 - loads dlt

        return LibpqPostgres(self.url, preferred_loader_file_format="parquet", **named)


def _named(name: str) -> Target:
    """Return the destination that dlt's configuration describes; DuckDB and Postgres are recognised as such."""
    configure_dlt()
    import dlt  # noqa: PLC0415 - costs half a second

    problem = ""
    try:
        destination = dlt.destination(name)
        kind = destination.destination_type.rsplit(".", 1)[-1]
        if kind not in ("duckdb", "postgres"):
            return Target("named", name, name)
        spec: Any = destination.spec()
        told: Any = destination.configuration(spec._bind_dataset_name(dataset_name="leadhouse"))  # noqa: SLF001 - as dlt's pipeline does
        credentials = told.credentials
        if kind == "duckdb":
            return Target(kind, str(Path(credentials.database or f"{name}.duckdb").absolute()), name)
        register_secrets([credentials.password] if credentials.password else [])
        from leadhouse.libpq import readable  # noqa: PLC0415 - loads dlt

        return Target(kind, readable(str(credentials.to_native_representation())), name)
    except Exception as error:  # noqa: BLE001 - dlt raises many classes for an unknown name or a missing field
        problem = redact(" ".join(str(error).split())[:200])
    raise ConfigurationError(f"dlt cannot resolve the destination {name!r} ({problem}); describe it in .dlt/")
