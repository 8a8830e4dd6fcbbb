"""One number that changes when anything of a lead changes, its child rows included.

DuckDB hashes whole rows, vectorised and without Python objects. The hash may differ between DuckDB releases; then
leads in the overlap are written once more, which changes nothing.
"""

from collections.abc import Mapping

import duckdb
import pyarrow as pa

FINGERPRINT = "_fingerprint"


class Fingerprinter:
    """Computes fingerprints; owns an in-memory DuckDB, so use one per thread."""

    def __init__(self) -> None:
        self._duckdb = duckdb.connect(":memory:", config={"threads": 1})
        self._duckdb.execute("SET TimeZone='UTC'")

    def of(self, roots: pa.Table, children: Mapping[str, pa.Table], parent: str) -> pa.Array:
        """Return a 63-bit number for each row of `roots`, which is in ascending, unique `id`.

        Args:
            roots: leads, say: the columns that count; no service columns.
            children: tables with a column of the root's id.
            parent: that column.
        """
        names = [name for name, table in children.items() if table.num_rows]
        connection = self._duckdb
        connection.register("roots", roots)
        for name in names:
            connection.register(name, children[name])
        # Hashed twice: a row's hash joins its cells' by XOR, so values that swap rows would cancel out.
        hashed = "SELECT {parent} AS root, hash(hash('{name}', c)) AS h FROM {name} c"
        parts = " UNION ALL ".join(hashed.format(parent=parent, name=name) for name in names)
        joined = f"LEFT JOIN (SELECT root, bit_xor(h) AS h FROM ({parts}) GROUP BY 1) c ON c.root = l.id"  # noqa: S608
        sql = f"""
            SELECT (hash(l, {"coalesce(c.h, 0)" if names else "0"}) >> 1)::BIGINT AS fingerprint
            FROM roots l {joined if names else ""} ORDER BY l.id
        """  # noqa: S608 - names are ours
        # sql() + to_arrow_table() is the one spelling that DuckDB 1.4, 1.5 and 2.0 share without a warning
        found = connection.sql(sql).to_arrow_table()
        for name in ("roots", *names):
            connection.unregister(name)
        return found.column("fingerprint").combine_chunks()

    def close(self) -> None:
        """Free the memory."""
        self._duckdb.close()
