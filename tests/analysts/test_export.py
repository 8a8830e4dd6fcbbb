"""`leadhouse export`: the files hold what the warehouse does, told by engines that did not write them."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import contents
from analysts.conftest import Company
from contents import Row
from leadhouse import snapshot
from operators.conftest import Call

SOURCES = ("bitrix24", "kommo")


def _sorted(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: repr(list(row.values())))


def _rows(to: str, dataset: str, table: str) -> list[Row]:
    return _sorted(contents.query(to, f'SELECT * FROM "{dataset}"."{table}"'))  # noqa: S608 - names of the contract


@pytest.mark.parametrize("source", SOURCES)
def test_parquet_files_hold_every_table_with_its_types(full: str, source: str, tmp_path: Path, call: Call) -> None:
    status, out, err = call("export", source, str(tmp_path / "out"), "--format", "parquet", "--to", full)

    assert (status, err) == (0, "")
    files = {path.stem: pq.read_table(path) for path in (tmp_path / "out").glob("*.parquet")}
    assert set(contents.contract(source)) <= files.keys()
    assert f"{len(files)} files" in out
    for name, table in files.items():
        assert _sorted(table.to_pylist()) == _rows(full, source, name), name
    leads = files["leads"].schema
    amount, modified = ("opportunity", "date_modify") if source == "bitrix24" else ("price", "updated_at")
    assert leads.field(amount).type == pa.decimal128(18, 2)
    assert leads.field(modified).type == pa.timestamp("us", "UTC")
    assert leads.field("id").type == pa.int64()
    assert not leads.field("id").nullable


def _values(path: Path) -> list[dict[str, str | None]]:
    """Read a CSV file as Postgres' COPY does: "" is an empty text, nothing is NULL."""
    with duckdb.connect() as reader:
        sql = f"SELECT * FROM read_csv('{path}', all_varchar=true, header=true, allow_quoted_nulls=false)"  # noqa: S608
        found: list[dict[str, str | None]] = reader.sql(sql).to_arrow_table().to_pylist()
    return found


def _as_csv(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    if isinstance(value, Decimal | int | date):
        return str(value)
    return value if value is None else str(value)


@pytest.mark.parametrize("source", SOURCES)
def test_csv_files_hold_every_value_and_tell_null_from_an_empty_text(
    full: str, source: str, tmp_path: Path, call: Call
) -> None:
    assert call("export", source, str(tmp_path), "--format", "csv", "--to", full)[0] == 0

    for name in contents.contract(source):
        held = _rows(full, source, name)
        wanted = [
            {column: float(value) if isinstance(value, float) else _as_csv(value) for column, value in row.items()}
            for row in held
        ]
        floats = {column for row in wanted for column, value in row.items() if isinstance(value, float)}
        read = [
            {key: float(value) if key in floats and value else value for key, value in row.items()}
            for row in _values(tmp_path / f"{name}.csv")
        ]
        assert _sorted(read) == _sorted(wanted), name
        with (tmp_path / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file))
        assert lines[0] == list(contents.columns(full, source)[name])
        assert len(lines) == len(held) + 1


@pytest.fixture
def odd(tmp_path: Path) -> str:
    """A dataset with values that are hard to write."""
    with duckdb.connect(str(tmp_path / "odd.duckdb")) as file:
        file.execute("SET TimeZone = 'UTC'")
        file.execute("CREATE SCHEMA kommo")
        file.execute("CREATE TABLE kommo._dlt_pipeline_state AS SELECT 'leadhouse_kommo' AS pipeline_name")
        file.execute("CREATE TABLE kommo.sync_runs AS SELECT 'kommo' AS source")
        file.execute(
            "CREATE TABLE kommo.leads AS SELECT * FROM (VALUES "
            "(1::BIGINT, 'one, \"two\"\nthree', '', TIMESTAMPTZ '0001-01-01 00:00:00+00', 0.1::DOUBLE, "
            "['a', '', NULL]),"
            "(2, NULL, 'çøé 😀', TIMESTAMPTZ '9999-12-31 23:59:59.999999+00', 1e300, []),"
            "(3, 'NULL', '\\N', NULL, NULL, NULL)) AS t(id, name, note, came, worth, tags)"
        )
    return f"duckdb:{tmp_path / 'odd.duckdb'}"


def test_hard_values_survive_csv(odd: str, tmp_path: Path, call: Call) -> None:
    assert call("export", "kommo", str(tmp_path / "out"), "--format", "csv", "--to", odd)[0] == 0

    assert _values(tmp_path / "out" / "leads.csv") == [
        {
            "id": "1", "name": 'one, "two"\nthree', "note": "", "came": "0001-01-01T00:00:00.000000Z", "worth": "0.1",
            "tags": '["a", "", null]',
        },
        {
            "id": "2", "name": None, "note": "çøé 😀", "came": "9999-12-31T23:59:59.999999Z", "worth": "1e+300",
            "tags": "[]",
        },
        {"id": "3", "name": "NULL", "note": "\\N", "came": None, "worth": None, "tags": None},
    ]  # fmt: skip


def test_hard_values_survive_parquet(odd: str, tmp_path: Path, call: Call) -> None:
    assert call("export", "kommo", str(tmp_path / "out"), "--format", "parquet", "--to", odd)[0] == 0

    assert pq.read_table(tmp_path / "out" / "leads.parquet").to_pylist() == _rows(odd, "kommo", "leads")


def test_views_of_the_dataset_are_written_too(in_duckdb: Company, tmp_path: Path, call: Call) -> None:
    in_duckdb.kommo.sync()
    contents.execute(in_duckdb.to, 'CREATE VIEW kommo.titled AS SELECT 1 AS "size ""XL"", in %"')
    contents.execute(
        in_duckdb.to, "CREATE VIEW kommo.won AS SELECT id, list(price) AS prices FROM kommo.leads GROUP BY id"
    )

    assert call("export", str(tmp_path / "out"), "--format", "parquet", "--to", in_duckdb.to)[0] == 0

    table = pq.read_table(tmp_path / "out" / "won.parquet")
    assert table.num_rows == len(in_duckdb.kommo.ids())
    assert pq.read_table(tmp_path / "out" / "titled.parquet").to_pylist() == [{'size "XL", in %': 1}]


def test_a_view_that_would_lead_out_of_the_folder_is_refused(in_duckdb: Company, tmp_path: Path, call: Call) -> None:
    in_duckdb.kommo.sync()
    contents.execute(in_duckdb.to, 'CREATE VIEW kommo."../outside" AS SELECT 1 AS one')

    status, _, err = call("export", "kommo", str(tmp_path / "out"), "--format", "csv", "--to", in_duckdb.to)

    assert (status, err) == (2, "leadhouse: a file cannot be called '../outside'; rename the view in kommo\n")
    assert not (tmp_path / "outside.csv").exists()


def test_the_list_of_files_tells_rows_and_types(full: str, tmp_path: Path, call: Call) -> None:
    assert call("export", "bitrix24", str(tmp_path), "--format", "csv", "--to", full)[0] == 0

    told = json.loads((tmp_path / "_leadhouse.csv.json").read_text(encoding="utf-8"))
    by_table = {one["table"]: one for one in told["files"]}
    assert by_table["leads"]["rows"] == len(_rows(full, "bitrix24", "leads"))
    assert by_table["leads"]["columns"]["opportunity"] in ("decimal(18,2)", "numeric(18,2)")
    assert "unused" not in json.dumps(told)


def test_an_export_replaces_its_own_files_and_takes_away_what_is_no_more(
    in_duckdb: Company, tmp_path: Path, call: Call
) -> None:
    in_duckdb.kommo.sync()
    contents.execute(in_duckdb.to, "CREATE VIEW kommo.mine AS SELECT 1 AS one")
    export = ("export", "kommo", str(tmp_path / "out"), "--format", "parquet", "--to", in_duckdb.to)
    assert call(*export)[0] == 0
    in_duckdb.kommo.edit(in_duckdb.kommo.ids()[0], "newer")
    in_duckdb.kommo.later().sync()
    contents.execute(in_duckdb.to, "DROP VIEW kommo.mine")

    assert call(*export)[0] == 0

    titles = pq.read_table(tmp_path / "out" / "leads.parquet")["name"].to_pylist()
    assert "newer" in titles
    assert not (tmp_path / "out" / "mine.parquet").exists()


def test_of_several_datasets_one_is_to_be_named(in_duckdb: Company, tmp_path: Path, call: Call) -> None:
    for name in ("acme", "globex"):
        in_duckdb.kommo.sync(dataset=name)

    status, _, err = call("export", str(tmp_path / "out"), "--format", "csv", "--to", in_duckdb.to)

    words = f"leadhouse: {in_duckdb.to} holds the datasets acme, globex; name one with --dataset\n"
    assert (status, err) == (2, words)


def test_files_of_others_are_not_replaced(full: str, tmp_path: Path, call: Call) -> None:
    (tmp_path / "leads.csv").write_text("mine", encoding="utf-8")

    status, _, err = call("export", "kommo", str(tmp_path), "--format", "csv", "--to", full)

    assert status == 2
    assert "leads.csv already, which no export of leadhouse wrote" in err
    assert [path.name for path in tmp_path.glob("*.csv")] == ["leads.csv"]
    assert (tmp_path / "leads.csv").read_text(encoding="utf-8") == "mine"


def test_a_folder_with_another_dataset_is_refused(full: str, tmp_path: Path, call: Call) -> None:
    assert call("export", "kommo", str(tmp_path), "--format", "csv", "--to", full)[0] == 0

    status, _, err = call("export", "bitrix24", str(tmp_path), "--format", "csv", "--to", full)

    assert (status, err) == (2, f"leadhouse: {tmp_path} has the export of another dataset; give another folder\n")


@pytest.mark.parametrize("listed", ["nonsense", "[]", '{"dataset": "kommo"}', '{"dataset": "kommo", "files": [1]}'])
def test_a_list_that_leadhouse_did_not_write_is_no_list(full: str, tmp_path: Path, call: Call, listed: str) -> None:
    (tmp_path / "_leadhouse.csv.json").write_text(listed, encoding="utf-8")

    status, _, err = call("export", "kommo", str(tmp_path), "--format", "csv", "--to", full)

    assert (status, err) == (2, f"leadhouse: {tmp_path} has the export of another dataset; give another folder\n")


def test_an_export_that_fails_leaves_no_half_file(
    filled: dict[str, str], tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn(*_: Any) -> Iterator[pa.RecordBatch]:
        yield from ()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.Snapshot, "rows", torn)
    status, _, err = call("export", "kommo", str(tmp_path / "out"), "--format", "parquet", "--to", filled["duckdb"])

    assert status == 2
    assert "No space left on device" in err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("kommo", "out", "--format", "csv", "--dataset", "acme"), "has no dataset acme of kommo"),
        (("hubspot", "out", "--format", "csv"), "'hubspot' is no source"),
        (("kommo", "out", "--format", "xlsx"), "'xlsx' is not one of"),
        (("--format", "csv"), "Missing argument 'DIR'"),
        (("kommo", "", "--format", "csv"), "Missing argument 'DIR'"),
        (
            ("kommo", "out", "--format", "csv", "--to", "duckdb:none.duckdb"),
            "none.duckdb holds no dataset of leadhouse",
        ),
        (("kommo", "file", "--format", "csv"), "file cannot be written"),
    ],
)
def test_nonsense_is_told_in_a_line(
    filled: dict[str, str], arguments: tuple[str, ...], told: str, call: Call, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()

    ended, out, err = call("export", "--to", filled["duckdb"], *arguments)

    assert (ended, out) == (2, "")
    assert told in err


HOLDER = """
import duckdb, sys
with duckdb.connect(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.readline()
"""


def test_a_run_at_work_on_the_file_is_told_as_to_other_commands(in_duckdb: Company, tmp_path: Path, call: Call) -> None:
    in_duckdb.kommo.sync()
    file = in_duckdb.to.removeprefix("duckdb:")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        told = call(
            "export", "kommo", str(tmp_path / "out"), "--format", "csv", "--to", in_duckdb.to, "--lock-timeout", "0"
        )
    finally:
        holder.communicate("\n", timeout=20)
    assert told[0] == 1
    assert f"is open in another process: {Path(sys.executable).resolve()}" in told[2] or "(PID" in told[2]
