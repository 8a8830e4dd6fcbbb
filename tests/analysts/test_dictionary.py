"""`leadhouse schema`: the dictionary says what `schemas/` does, and what a portal has of its own."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import html5lib
import pytest

import contents
from analysts.conftest import Company
from leadhouse import dictionary, dictionary_text
from leadhouse.dictionary_page import render_page
from leadhouse.tables import tables
from operators.conftest import Call
from scene import small_portal

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def _json(call: Call, *arguments: str) -> dict[str, Any]:
    status, out, err = call("schema", *arguments, "--json")
    assert (status, err) == (0, "")
    return {one["dataset"]: {table["name"]: table for table in one["tables"]} for one in json.loads(out)["datasets"]}


def test_without_a_warehouse_every_source_is_told_from_the_reviewed_files(call: Call, tmp_path: Path) -> None:
    told = _json(call)

    assert list(told) == ["bitrix24", "kommo", "crm"]
    for dataset, contract in (("bitrix24", "bitrix24"), ("kommo", "kommo"), ("crm", "views/crm")):
        for name, table in tables(contract).items():
            shown = told[dataset][name]
            assert (shown["grain"], shown["question"]) == (table.grain, table.question)
            assert {column["name"]: (column["type"], column["about"]) for column in shown["columns"]} == {
                name: (column.kind.value, column.about) for name, column in table.columns.items()
            }
            assert {column["name"] for column in shown["columns"] if column["personal"]} == {
                name for name, column in table.columns.items() if column.personal
            }
            assert shown["there"] is None
    assert list(tmp_path.iterdir()) == []


def test_one_source_is_told_as_text(call: Call) -> None:
    status, out, err = call("schema", "kommo")

    assert (status, err) == (0, "")
    assert "kommo.lead_contacts  table" in out
    assert "a row: a contact of a lead" in out
    assert "bitrix24.leads" not in out
    (line,) = [line for line in out.splitlines() if line.strip().startswith("e164")]
    assert line.endswith("personal data")


def test_with_a_warehouse_the_portals_own_fields_have_their_titles(full: str, call: Call) -> None:
    told = _json(call, "--to", full)

    fields = {field["FIELD_NAME"].lower(): field for field in small_portal(40).userfields()}
    leads = {column["name"]: column for column in told["bitrix24"]["leads"]["columns"]}
    own = {name: column for name, column in leads.items() if column["custom"]}
    single = {name for name, field in fields.items() if field["MULTIPLE"] == "N"}
    assert own.keys() == single | {"uf_crm_budget_currency"}
    assert all(column["title"] for column in own.values())
    assert (leads["uf_crm_seats"]["type"], leads["uf_crm_budget"]["type"]) == ("bigint", "decimal")
    assert leads["source_id"]["title"] == "Source"
    rows = told["bitrix24"]["lead_custom_values"]["fields"]
    assert {row["rows_where"] for row in rows} == {f"field = '{name}'" for name in fields.keys() - single}
    named = {row["title"] for row in told["kommo"]["lead_custom_values"]["fields"]}
    assert named == {row["name"] for row in contents.query(full, "SELECT name FROM kommo.custom_fields "
                                                                 "WHERE entity_type = 'leads'")}  # fmt: skip
    assert all(table["there"] for tables in told.values() for table in tables.values())


def test_of_the_portals_own_columns_those_are_personal_that_are_dropped(company: Company, call: Call) -> None:
    scene = company.bitrix24
    scene.portal.add_userfield("UF_CRM_TWICE", "string", label="Segment")
    scene.sync(history=True)
    tables = ("leads", "lead_versions", "leads_readable")

    def filled() -> set[tuple[str, str]]:
        return {
            (table, name)
            for table in tables
            for row in contents.query(company.to, f"SELECT * FROM bitrix24.{table}")  # noqa: S608 - ours
            for name, value in row.items()
            if any(one is not None for one in (value if isinstance(value, list) else [value]))
        }

    kept = filled()
    scene.sync(pii="drop", full=True)
    dropped = kept - filled()

    told = _json(call, "bitrix24", "--to", company.to)["bitrix24"]
    own = {(table, column["name"]): column["personal"] for table in tables for column in told[table]["columns"]
           if column["custom"]}  # fmt: skip
    curator = ("leads_readable", "Curator")  # a user's name, and 'user 17' in place of a dropped one
    assert {column for column, personal in own.items() if personal and column in kept} == {curator} | (
        dropped & own.keys()
    )
    assert not own["leads", "uf_crm_partner"]
    assert not own["lead_versions", "uf_crm_partner"]
    assert not own["leads_readable", "Seats"]
    assert own["leads_readable", "Segment (uf_crm_twice)"]


def test_every_row_that_a_field_names_is_found(full: str, call: Call) -> None:
    told = _json(call, "--to", full)

    found = sum(
        contents.query(full, f"SELECT count(*) AS n FROM {dataset}.{name} WHERE {field['rows_where']}")[0]["n"]  # noqa: S608
        for dataset, tables in told.items()
        for name, table in tables.items()
        for field in table["fields"]
    )
    stored = sum(
        contents.query(full, f"SELECT count(*) AS n FROM {place}_custom_values")[0]["n"]  # noqa: S608
        for place in ("bitrix24.lead", "kommo.lead", "kommo.contact", "kommo.company")
    )
    assert found == stored > 0


def test_every_example_runs_in_either_database(full: str) -> None:
    for section in dictionary.everything():
        for entry in section.tables:
            contents.query(full, entry.sql.rstrip(";"))


def test_an_example_does_not_multiply_rows(full: str) -> None:
    for section in dictionary.everything():
        for entry in section.tables:
            told = entry.sql.removesuffix("\nLIMIT 20;").replace("\nWHERE t.deleted_at IS NULL", "")
            (counted,) = contents.query(full, f"SELECT count(*) AS n FROM ({told}) AS told")  # noqa: S608
            (rows,) = contents.query(full, f"SELECT count(*) AS n FROM {section.dataset}.{entry.name}")  # noqa: S608
            assert counted == rows, entry.name


def test_tables_that_a_warehouse_lacks_are_marked(filled: dict[str, str], call: Call, tmp_path: Path) -> None:
    copy = tmp_path / "less.duckdb"
    copy.write_bytes(Path(filled["duckdb"].removeprefix("duckdb:")).read_bytes())
    contents.execute(f"duckdb:{copy}", "DROP SCHEMA crm CASCADE")
    contents.execute(f"duckdb:{copy}", "DROP TABLE kommo.lead_tags")

    told = _json(call, "kommo", "--to", f"duckdb:{copy}")

    assert list(told) == ["kommo"]
    assert {name for name, table in told["kommo"].items() if not table["there"]} == {"lead_tags"}


def test_a_dataset_that_is_not_there_is_told(filled: dict[str, str], call: Call) -> None:
    status, out, err = call("schema", "kommo", "--to", filled["duckdb"], "--dataset", "acme")

    assert (status, out) == (2, "")
    assert "has no dataset acme of leadhouse; run `leadhouse sync` first" in err


def test_a_portal_that_was_named_has_its_dataset_told(filled: dict[str, str], call: Call) -> None:
    told = _json(call, "--dataset", "kommo", "--to", filled["duckdb"])

    assert "kommo" in told
    assert "bitrix24" not in told


def test_the_page_is_one_file_that_asks_nobody_and_holds_every_column(
    filled: dict[str, str], call: Call, tmp_path: Path
) -> None:
    page = tmp_path / "dictionary.html"
    assert call("schema", "--to", filled["duckdb"], "--html", str(page)) == (0, "", "")

    text = page.read_text(encoding="utf-8")
    html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    assert "http" not in text.replace("http-equiv", "")
    assert "src=" not in text
    for dataset in ("bitrix24", "kommo", "crm"):
        held = contents.columns(filled["duckdb"], dataset)
        for name, columns in ((name, held[name]) for name in held if not name.startswith("_")):
            assert f'id="{dataset}.{name}"' in text
            assert all(f">{column}</th>" in text for column in columns)
    assert "Newsletter" in text


@pytest.mark.parametrize("arguments", [("--html", "--lock-timeout", "1"), ("kommo", "--html"), ("--html", "-")])
def test_a_page_without_a_file_is_printed(call: Call, arguments: tuple[str, ...], tmp_path: Path) -> None:
    status, out, err = call("schema", *arguments)

    assert (status, err) == (0, "")
    html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(out)
    assert 'id="kommo.leads"' in out
    assert list(tmp_path.iterdir()) == []


def test_every_link_of_the_page_leads_somewhere() -> None:
    tree = html5lib.parse(render_page(dictionary.everything(), now=NOW), namespaceHTMLElements=False)
    anchors = {found.get("id") for found in tree.iter() if found.get("id")}
    links = {found.get("href", "") for found in tree.iter("a")}

    assert links
    assert {link.removeprefix("#") for link in links} <= anchors


def test_a_title_that_looks_like_markup_is_text() -> None:
    (section,) = [dictionary.promised("kommo")]
    entry = section.tables[0]
    field = dictionary.PortalField(entry.name, None, "field_id = 1", "<script>alert(1)</script>", "text", custom=True)
    shown = dictionary.Section("kommo", "kommo", [replace(entry, fields=[field])])

    page = render_page([shown], now=NOW)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_title_moves_no_line_and_no_cursor_of_a_terminal() -> None:
    entry = dictionary.promised("bitrix24").tables[0]
    column = replace(entry.columns[0], title="two\nlines\x1b[2J")
    field = dictionary.PortalField(entry.name, None, "field = 'uf_1'", "bell\x07\trung", "string", custom=True)
    shown = replace(entry, columns=[column], fields=[field])

    text = dictionary_text.render([dictionary.Section("bitrix24", "bitrix24", [shown])])

    assert "“two lines [2J”" in text
    assert text.splitlines()[-1] == "    rows where field = 'uf_1': bell rung (string)"
    assert text.replace("\n", "").isprintable()


def test_a_page_that_cannot_be_written_is_told(call: Call, tmp_path: Path) -> None:
    status, out, err = call("schema", "--html", str(tmp_path / "nowhere" / "page.html"))

    assert (status, out) == (2, "")
    assert "cannot be written" in err
    assert call("schema", "--html", "")[:2] == (2, "")


@pytest.mark.parametrize("arguments", [("hubspot",), ("--dataset", "no-name"), ("--to", "duckdb:none.duckdb")])
def test_nonsense_is_told_in_a_line(call: Call, arguments: tuple[str, ...]) -> None:
    status, out, err = call("schema", *arguments)

    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
