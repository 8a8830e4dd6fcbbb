"""Changes of a warehouse by hand."""

import duckdb
import psycopg2


def change(to: str, *statements: str) -> None:
    """Run statements on a warehouse that nobody has open."""
    if to.startswith("duckdb:"):
        with duckdb.connect(to.removeprefix("duckdb:")) as connection:
            for statement in statements:
                connection.execute(statement)
        return
    with psycopg2.connect(to) as server, server.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    server.close()


def age(to: str, dataset: str, hours: int) -> None:
    """Let all runs of a dataset have been some hours earlier."""
    shifted = ", ".join(f"{name} = {name} - INTERVAL '{hours} hours'" for name in ("started_at", "finished_at"))
    change(to, f"UPDATE {dataset}.sync_runs SET {shifted}")  # noqa: S608 - our own names
