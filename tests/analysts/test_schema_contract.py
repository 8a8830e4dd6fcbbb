"""The schema of the warehouse is a contract: a change is seen here first, and told in CHANGELOG's contract table."""

import os

import pytest

import documents
from analysts.warehouse_schema import GOLDEN, changes, held, read, write

DATASETS = ("bitrix24", "kommo", "crm")
# Columns of a portal's own fields: the sandbox's are no promise.
OF_A_PORTAL = "uf_crm_"


@pytest.mark.parametrize("dataset", DATASETS)
def test_the_warehouse_has_the_schema_of_the_golden_file(filled: dict[str, str], dataset: str) -> None:
    path, found = GOLDEN / f"{dataset}.txt", held(filled, dataset)
    assert found, f"the sync made no table of {dataset}"
    if os.environ.get("WRITE_GOLDEN"):
        write(found, path)

    lines = [f"{table}.{column or ''} {how}" for table, column, how in changes(read(path), found)]

    assert not lines, (
        f"the schema of {dataset} is not the one of {path.name}; if it is meant to change, run `make golden` and write "
        "a line for each change into the contract table of CHANGELOG's section Unreleased:\n" + "\n".join(lines)
    )


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_change_since_the_last_release_is_in_the_changelogs_contract_table(dataset: str) -> None:
    _, unreleased, _ = documents.read("CHANGELOG.md").split("\n## ", 2)
    told = [row for row in documents.rows(unreleased, "table") if _dataset(row[0]) == dataset]
    since = changes(read(GOLDEN / "released" / f"{dataset}.txt"), read(GOLDEN / f"{dataset}.txt"))

    untold = [
        f"{table} {column or ''} {how}"
        for table, column, how in since
        if not (column or "").startswith(OF_A_PORTAL) and not any(_tells(row, table, column) for row in told)
    ]

    assert not untold, (
        f"write a line for each into the contract table of CHANGELOG's section Unreleased ({dataset}):\n"
        + "\n".join(untold)
    )


def _dataset(table: str) -> str:
    place, _, _ = table.strip("`").rpartition(".")
    return place or "bitrix24"


def _tells(row: tuple[str, ...], table: str, column: str | None) -> bool:
    name, change, old, new = row
    if name.strip("`").rpartition(".")[2] != table.removesuffix(" (view)"):
        return False
    return change in ("added", "removed") if column is None else f"`{column}`" in old + new
