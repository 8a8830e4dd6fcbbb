"""Views in a warehouse: made where they lack, replaced where they changed, never at the cost of what others made."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from leadhouse import logs
from leadhouse.redact import redact
from leadhouse.tables import Column

log = logs.get_logger("leadhouse.views")

MADE = "made by leadhouse"
# How long a change waits for readers of a Postgres view or table; the next run tries again.
PATIENCE = "2s"
# Postgres' codes: CREATE OR REPLACE cannot rename, move or drop a view's columns; others' views read it.
_OTHER_COLUMNS = "42P16"
_DEPENDED_UPON = "2BP01"


@dataclass(frozen=True, slots=True)
class View:
    """A view as it ought to be.

    Attributes:
        name: without its schema.
        sql: its SELECT.
        grain: what a row is.
        columns: comments by column; columns without one may lack.
    """

    name: str
    sql: str
    grain: str
    columns: Mapping[str, str]

    @property
    def comment(self) -> str:
        """The comment on it, which changes when anything of it does."""
        return f"{self.grain}; {MADE} ({digest(self.sql, *self.columns, *self.columns.values())})"


def digest(*texts: str) -> str:
    """Return a short hash of texts."""
    return blake2b("\n".join(texts).encode("utf-8", "replace"), digest_size=8).hexdigest()


def about(column: Column) -> str:
    """Return the comment on a column of a contract."""
    return f"{column.about}; personal data" if column.personal else column.about


def literal(text: str) -> str:
    """Return a text as SQL writes it; standard strings know no escapes."""
    return "'" + text.replace("'", "''").replace("\0", "") + "'"


def identifier(name: str) -> str:
    """Return a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def or_warning(what: str) -> Iterator[None]:
    """Warn of whatever hinders: the tables are complete without it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each database has its own
        log.warning("not everything beside the rows is up to date; the next run tries again", what=what, why=why(error))


def why(error: Exception) -> str:
    """Return what a database says is wrong, without the values that it quotes in further lines."""
    return redact(str(error).split("\n", 1)[0])


@contextmanager
def alone(cursor: Any, kind: str, schema: str) -> Iterator[None]:
    """Keep other runs from changing the same schema's views; wait neither for them nor for readers for long."""
    if kind != "postgres":
        yield
        return
    lock = f"hashtext('leadhouse views'), hashtext({literal(schema)})"
    with patient(cursor):
        cursor.execute(f"SELECT pg_advisory_lock({lock})")
        try:
            yield
        finally:
            cursor.execute(f"SELECT pg_advisory_unlock({lock})")


@contextmanager
def patient(cursor: Any) -> Iterator[None]:
    """Let no statement on Postgres wait for a lock for long."""
    cursor.execute(f"SET lock_timeout = '{PATIENCE}'")
    try:
        yield
    finally:
        cursor.execute("SET lock_timeout = DEFAULT")


@contextmanager
def transaction(cursor: Any) -> Iterator[None]:
    """Do all of it or nothing."""
    cursor.execute("BEGIN")
    try:
        yield
        cursor.execute("COMMIT")
    except BaseException:
        with suppress(Exception):  # where the disk is full there is no transaction left; why it failed is told
            cursor.execute("ROLLBACK")
        raise


def replace(cursor: Any, kind: str, place: str, views: Sequence[View]) -> None:
    """Make or replace views in the schema `place`, inside a transaction of the caller's."""
    for view in views:
        name = f"{place}.{identifier(view.name)}"
        if kind == "duckdb":
            cursor.execute(f"CREATE OR REPLACE VIEW {name} AS\n{view.sql}")
        elif not _replaced_in_postgres(cursor, name, view):
            continue
        cursor.execute(f"COMMENT ON VIEW {name} IS {literal(view.comment)}")
        for column, text in view.columns.items():
            cursor.execute(f"COMMENT ON COLUMN {name}.{identifier(column)} IS {literal(text)}")


def _replaced_in_postgres(cursor: Any, name: str, view: View) -> bool:
    """Make or replace a view; one whose columns changed is made anew, unless others' views read it.

    Who was granted the view keeps it.
    """
    cursor.execute("SAVEPOINT before")
    try:
        cursor.execute(f"CREATE OR REPLACE VIEW {name} AS\n{view.sql}")
    except Exception as error:
        if getattr(error, "pgcode", None) != _OTHER_COLUMNS:
            raise
    else:
        return True
    cursor.execute("ROLLBACK TO SAVEPOINT before")
    grants = _grants(cursor, name)
    try:
        cursor.execute(f"DROP VIEW {name}")
    except Exception as error:
        if getattr(error, "pgcode", None) != _DEPENDED_UPON:
            raise
        reading = " ".join(str(error).split("\n")[1:2])
        cursor.execute("ROLLBACK TO SAVEPOINT before")
        log.warning(
            "a view keeps its old columns, because views of yours read it; drop yours, sync, and make them again",
            view=name, why=reading,
        )  # fmt: skip
        return False
    cursor.execute(f"CREATE VIEW {name} AS\n{view.sql}")
    for grant in grants:
        cursor.execute(grant)
    return True


def _grants(cursor: Any, name: str) -> list[str]:
    """Return the statements that grant a Postgres view to those who have it."""
    cursor.execute(
        f"""SELECT format('GRANT %s ON %s TO %s%s', given.privilege_type, {literal(name)},
            CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END,
            CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_class AS told, aclexplode(told.relacl) AS given
        WHERE told.oid = {literal(name)}::regclass AND given.grantee <> told.relowner"""  # noqa: S608 - our own names
    )
    return [row[0] for row in cursor.fetchall()]
