"""What dlt would send to cloud warehouses, rendered by its own code without a connection.

Run as a script it reads a dlt schema from stdin as JSON and answers, by destination, the statements that make each
table and those that merge a package. The vendors' drivers need not be installed: until it connects, dlt names them in
annotations and `except` clauses only, so empty modules stand in for them.
"""

import json
import sys
from collections.abc import MutableSequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

_DRIVERS = ("google", "snowflake", "databricks", "pyodbc", "clickhouse_driver", "clickhouse_connect")
# Invented: dlt wants to see the fields that it would log in with.
CREDENTIALS: dict[str, Any] = {
    "bigquery": {"project_id": "example", "private_key": "none", "client_email": "loader@example.com"},
    "snowflake": "snowflake://loader:none@example/crm",
    "redshift": "redshift://loader:none@example.com:5439/crm",
    "databricks": {"server_hostname": "example.com", "http_path": "none", "catalog": "crm", "access_token": "none"},
    "motherduck": "md:///crm?token=none",
    "synapse": "synapse://loader:none@example.com/crm",
    "clickhouse": "clickhouse://loader:none@example.com:9000/crm",
}


class _Anything(type):
    """Classes that have every attribute and are made with any arguments."""

    def __getattr__(cls, name: str) -> "_Anything":
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (Exception,), {"__init__": lambda *_, **__: None})


class _Driver(ModuleType):
    """A module that has everything."""

    __path__: MutableSequence[str] = []  # noqa: RUF012 - as a package has it

    def __getattr__(self, name: str) -> Any:
        if name == "drivers":  # of ODBC, which it lists
            return lambda: ["ODBC Driver 18 for SQL Server"]
        return getattr(_Anything("driver", (), {}), name)


class _Drivers:
    """Finds the vendors' drivers."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Return a spec for drivers and their parts."""
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in _DRIVERS else None  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Make a module."""
        return _Driver(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Put nothing into it."""


def _rendered(destination: str, told: dict[str, Any], root: str) -> dict[str, Any]:
    import dlt  # noqa: PLC0415 - after the drivers
    from dlt.common.schema import Schema  # noqa: PLC0415

    schema = Schema.from_dict(told)
    factory: Any = getattr(dlt.destinations, destination)(credentials=CREDENTIALS[destination])
    client: Any = factory.client(schema, factory.spec()._bind_dataset_name(dataset_name="bitrix24"))
    chain = [root, *(name for name, table in schema.tables.items() if table.get("parent") == root)]
    made = {
        name: client._get_table_update_sql(name, list(schema.get_table_columns(name).values()), generate_alter=False)
        for name in chain
    }
    jobs = client._create_merge_followup_jobs([client.prepare_load_table(name) for name in chain])
    merged = [Path(job.new_file_path()).read_text(encoding="utf-8") for job in jobs]
    able = factory.capabilities()
    return {
        "tables": made,
        "merge": merged,
        "strategies": able.supported_merge_strategies,
        "transactions": bool(able.supports_ddl_transactions),
    }


def main() -> None:
    """Answer."""
    sys.meta_path.insert(0, _Drivers())
    told = json.load(sys.stdin)
    print(json.dumps({name: _rendered(name, told, "leads") for name in CREDENTIALS}))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
