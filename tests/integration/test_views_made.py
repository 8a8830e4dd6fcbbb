"""Views and comments of a dataset: made once, replaced when something changed, never at others' cost."""

from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
import structlog

from any_scene import AnyScene
from contents import columns, contract, execute, query
from kommo_scene import KommoScene
from leadhouse import keys, presentation, view_making
from scene import Scene

_DUCKDB = {
    "bigint": "bigint", "text": "varchar", "boolean": "boolean", "decimal": "decimal(18,2)", "double": "double",
    "date": "date", "timestamp": "timestamp with time zone",
}  # fmt: skip
_POSTGRES = {**_DUCKDB, "text": "text", "decimal": "numeric(18,2)", "double": "double precision"}

_in_postgres_only = pytest.mark.parametrize("to", ["postgres"], indirect=True)


@pytest.fixture
def size() -> int:
    """How many leads a portal has."""
    return 25


def _in_postgres(scene: AnyScene) -> bool:
    return scene.to.startswith("postgresql:")


def _comments(scene: AnyScene) -> dict[tuple[str, str | None], str]:
    """Return the comments on tables, views and columns: by table, and column or None."""
    if _in_postgres(scene):
        sql = """SELECT c.relname AS name, a.attname AS own, d.description AS told FROM pg_description AS d
            JOIN pg_class AS c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass
            LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
            WHERE c.relnamespace = '{0}'::regnamespace"""
    else:
        sql = """SELECT table_name AS name, NULL AS own, comment AS told FROM duckdb_tables() WHERE schema_name = '{0}'
            UNION ALL SELECT view_name, NULL, comment FROM duckdb_views() WHERE schema_name = '{0}'
            UNION ALL SELECT table_name, column_name, comment FROM duckdb_columns() WHERE schema_name = '{0}'"""
    return {(row["name"], row["own"]): row["told"] for row in query(scene.to, sql.format(scene.dataset)) if row["told"]}


class _Recorder:
    """A cursor that notes what it is asked."""

    def __init__(self, cursor: Any, noted: list[str]) -> None:
        self._cursor, self._noted = cursor, noted

    def execute(self, sql: str, *told: Any) -> None:
        """Note and do."""
        self._noted.append(sql)
        self._cursor.execute(sql, *told)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What runs ask of the warehouse for keys, comments and views."""
    noted: list[str] = []
    for module in (keys, presentation):
        monkeypatch.setattr(module, "closing", lambda cursor: closing(_Recorder(cursor, noted)))
    return noted


def test_views_have_the_columns_of_their_contract(each_scene: AnyScene) -> None:
    each_scene.sync()

    there = columns(each_scene.to, each_scene.dataset)

    types = _POSTGRES if _in_postgres(each_scene) else _DUCKDB
    for name, view in contract(f"views/{each_scene.source}").items():
        found = dict(list(there[name].items())[: len(view["columns"])])
        lists = "array" if _in_postgres(each_scene) else "varchar[]"
        told = {
            column: lists if about.get("many") else types[about["type"]] for column, about in view["columns"].items()
        }
        assert {column: kind.replace("character varying", "text") for column, kind in found.items()} == told, name
        (rows,) = each_scene.rows(f'SELECT count(*) AS n FROM "{each_scene.dataset}".{name}')  # noqa: S608
        assert rows["n"] > 0


def test_keys_of_views_are_keys(each_scene: AnyScene) -> None:
    each_scene.sync()

    for name, view in contract(f"views/{each_scene.source}").items():
        listed = ", ".join(view["key"])
        twice = f'SELECT {listed} FROM "{each_scene.dataset}".{name} GROUP BY {listed} HAVING count(*) > 1'  # noqa: S608
        assert each_scene.rows(twice) == [], name


def test_every_table_view_and_column_is_described(each_scene: AnyScene) -> None:
    each_scene.sync(history=True)

    told = _comments(each_scene)

    for source, mark in ((each_scene.source, "described by leadhouse"), (f"views/{each_scene.source}", "made by")):
        for name, table in contract(source).items():
            assert told[name, None].startswith(f"{table['grain']}; {mark}")
            for column, about in table["columns"].items():
                assert told[name, column].startswith(about["about"])
                assert told[name, column].endswith("; personal data") == about.get("personal", False)
    if each_scene.source == "bitrix24":
        assert told["leads", "uf_crm_1706782596092"].startswith("Номер договора: the portal's field")
        assert told["leads_readable", "Номер договора"].startswith("Номер договора: the portal's field")


def test_a_run_that_changes_nothing_only_looks(each_scene: AnyScene, statements: list[str]) -> None:
    each_scene.sync()
    assert [sql for sql in statements if sql.startswith("COMMENT") or "VIEW" in sql]
    statements.clear()

    each_scene.later().sync()
    each_scene.later().life(seed=3, create=2, edit=2)
    each_scene.sync()

    looks = 5 if _in_postgres(each_scene) else 3
    assert [sql for sql in statements if not sql.lstrip().startswith("SELECT")] == []
    assert len(statements) == 2 * looks


def test_tables_and_views_of_ones_own_are_left_alone(each_scene: AnyScene) -> None:
    dataset = each_scene.dataset
    execute(each_scene.to, f'CREATE SCHEMA "{dataset}"')
    execute(each_scene.to, f'CREATE VIEW "{dataset}".data_quality AS SELECT 1 AS mine')
    execute(each_scene.to, f"CREATE TABLE \"{dataset}\".leads_readable AS SELECT 'mine' AS note")

    with structlog.testing.capture_logs() as logs:
        assert each_scene.sync().outcome == "done"

    told = [entry for entry in logs if "no views of these names" in entry["event"]]
    assert [(entry["log_level"], sorted(entry["names"])) for entry in told] == [
        ("warning", ["data_quality", "leads_readable"])
    ]
    assert each_scene.rows(f'SELECT * FROM "{dataset}".leads_readable') == [{"note": "mine"}]  # noqa: S608
    assert each_scene.rows(f'SELECT * FROM "{dataset}".data_quality') == [{"mine": 1}]  # noqa: S608
    assert each_scene.rows(f'SELECT * FROM "{dataset}".lead_contacts_flat')  # noqa: S608


def test_a_table_that_somebody_commented_keeps_its_comment(each_scene: AnyScene) -> None:
    each_scene.sync()
    each_scene.change("COMMENT ON TABLE {users} IS 'ours: see the handbook'")
    each_scene.change("COMMENT ON TABLE {leads} IS NULL")

    each_scene.later().sync()

    told = _comments(each_scene)
    assert told["users", None] == "ours: see the handbook"
    assert "described by leadhouse" in told["leads", None]


def test_views_whose_tables_exist_are_made_where_another_lacks_its_table(kommo_scene: KommoScene) -> None:
    kommo_scene.sync()
    kommo_scene.drop_views()
    kommo_scene.change("DROP TABLE {loss_reasons}")

    with structlog.testing.capture_logs() as logs:
        assert kommo_scene.later().sync().outcome == "done"

    told = [(entry["what"], entry["why"]) for entry in logs if "not everything beside the rows" in entry["event"]]
    assert told == [("view leads_readable", "Catalog Error: Table with name loss_reasons does not exist!")]
    wanted = contract("views/kommo").keys() - {"leads_readable"}
    assert contract("views/kommo").keys() & columns(kommo_scene.to, "kommo").keys() == wanted


def test_views_that_were_dropped_come_back(each_scene: AnyScene) -> None:
    each_scene.sync()
    each_scene.drop_views()

    each_scene.later().sync()

    assert contract(f"views/{each_scene.source}").keys() <= columns(each_scene.to, each_scene.dataset).keys()


def test_a_file_may_be_renamed_to_anything_and_attached_as_anything(duckdb_scene: Scene, tmp_path: Path) -> None:
    duckdb_scene.sync()
    renamed = tmp_path / "bitrix24.duckdb"
    Path(duckdb_scene.to.removeprefix("duckdb:")).rename(renamed)

    with duckdb.connect() as client:
        client.execute("CREATE TABLE leads AS SELECT 1 AS of_somebody_else")
        for name in ("bitrix24", "warehouse"):
            client.execute(f"ATTACH '{renamed}' AS {name} (READ_ONLY)")
            for view in contract("views/bitrix24"):
                found = client.sql(f"SELECT count(*) FROM {name}.bitrix24.{view}").fetchone()  # noqa: S608
                assert found is not None
                assert found[0] > 0
            client.execute(f"DETACH {name}")


@_in_postgres_only
def test_a_view_of_ones_own_stays_and_keeps_ours_as_it_was(scene: Scene) -> None:
    scene.sync()
    execute(scene.to, 'CREATE VIEW public.mine AS SELECT id, "Segment" FROM bitrix24.leads_readable')
    before = columns(scene.to)["leads_readable"]
    scene.portal.userfield_map["UF_CRM_1704817278"].label = "Kind"
    scene.portal.rename_status("STATUS", "NEW", "Brand new")

    for _ in range(2):
        with structlog.testing.capture_logs() as logs:
            assert scene.later().sync().outcome == "done"
        (told,) = [entry for entry in logs if "keeps its old columns" in entry["event"]]
        assert told["log_level"] == "warning"
        assert "mine" in told["why"]
    assert columns(scene.to)["leads_readable"] == before
    assert len(query(scene.to, "SELECT * FROM public.mine")) == len(scene.portal)
    execute(scene.to, "DROP VIEW public.mine")
    scene.later().sync()
    assert "Kind" in columns(scene.to)["leads_readable"]


@_in_postgres_only
def test_a_new_field_comes_to_the_end_and_disturbs_nobodys_view(scene: Scene) -> None:
    scene.sync()
    execute(scene.to, 'CREATE VIEW public.mine AS SELECT id, "Segment" FROM bitrix24.leads_readable')
    scene.portal.add_userfield("UF_CRM_1_FIRST", "string", label="A first")

    with structlog.testing.capture_logs() as logs:
        scene.later().sync()

    assert [entry for entry in logs if entry["log_level"] == "warning"] == []
    assert list(columns(scene.to)["leads_readable"])[-1] == "A first"


@_in_postgres_only
def test_whoever_was_granted_a_view_keeps_it(scene: Scene) -> None:
    scene.sync()
    execute(scene.to, "CREATE ROLE reader")
    try:
        execute(scene.to, "GRANT SELECT ON bitrix24.leads_readable TO reader, PUBLIC")
        scene.portal.userfield_map["UF_CRM_1704817278"].label = "Kind"
        scene.later().sync()
        granted = query(
            scene.to,
            "SELECT grantee FROM information_schema.role_table_grants "
            "WHERE table_name = 'leads_readable' AND privilege_type = 'SELECT'",
        )
    finally:
        execute(scene.to, "DROP OWNED BY reader; DROP ROLE reader")
    assert {"reader", "PUBLIC"} <= {row["grantee"] for row in granted}
    assert "Kind" in columns(scene.to)["leads_readable"]


@_in_postgres_only
def test_a_reader_keeps_a_view_as_it_is_until_the_next_run(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_making, "PATIENCE", "100ms")
    scene.sync()
    scene.portal.userfield_map["UF_CRM_1704817278"].label = "Kind"
    reader = psycopg2.connect(scene.to)
    try:
        with reader.cursor() as cursor, structlog.testing.capture_logs() as logs:
            cursor.execute("SELECT count(*) FROM bitrix24.leads_readable")
            assert scene.later().sync().outcome == "done"
    finally:
        reader.close()
    assert [entry["what"] for entry in logs if "not everything beside the rows" in entry["event"]] == [
        "view leads_readable"
    ]
    scene.later().sync()
    assert "Kind" in columns(scene.to)["leads_readable"]
