"""Are the warehouse's tables still as leadhouse made them? Whoever changed one by hand is told before data is lost."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from leadhouse.crm import Crm
from leadhouse.errors import WarehouseRefusedError
from leadhouse.tables import Table
from leadhouse.warehouse import CHANGED_BY_HAND, Warehouse

if TYPE_CHECKING:
    from dlt import Pipeline


def check_shape(crm: Crm, warehouse: Warehouse, pipeline: "Pipeline") -> None:
    """Compare the tables of leads with what dlt remembers of them; columns that somebody added do not matter.

    Raises:
        WarehouseRefusedError: a table or a column is missing, or a column has another type.
    """
    if warehouse.target.kind == "named" or not pipeline.schemas:
        return
    remembered: dict[str, Any] = dict(pipeline.default_schema.tables)
    checked = (*crm.row_tables, *crm.streams)
    names = [name for name in checked if remembered.get(name, {}).get("x-normalizer", {}).get("seen-data")]
    client: Any
    with warehouse.held(), pipeline.destination_client() as client:
        there: dict[str, Any] = dict(client.get_storage_tables(names))
    for name in names:
        change = _change(crm.contract[name], remembered[name]["columns"], there[name])
        if change:
            raise WarehouseRefusedError(
                f"{warehouse.target.label}: {warehouse.dataset}.{name} {change}; {CHANGED_BY_HAND}"
            )


def _change(table: Table, remembered: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]]) -> str:
    """Return in words how a table differs from what is remembered; "" where it does not."""
    if not there:
        return "is missing"
    for name in table.columns.keys() & remembered.keys():
        if name not in there:
            return f"lacks the column {name}"
    for name in remembered.keys() & there.keys():
        wanted, found = remembered[name], there[name]
        if wanted.get("data_type") != found.get("data_type"):
            return f"has {found.get('data_type')} in the column {name} instead of {wanted.get('data_type')}"
        if wanted["data_type"] == "decimal" and found.get("scale", 0) < wanted.get("scale", 0):
            return f"has too few decimals in the column {name}"
    return ""
