"""An account's own fields of leads in `leads_readable`: under their names, with the texts that the account has."""

from collections.abc import Collection, Mapping

from leadhouse.columns import Kind
from leadhouse.custom_part import Ask, CustomPart, column_names
from leadhouse.view_making import identifier

_FIELDS = "SELECT id, name, type FROM {dataset}.custom_fields WHERE entity_type = 'leads' ORDER BY id"
# Types of one value; those of any other type are lists.
_SINGLE = frozenset(
    {"text", "numeric", "checkbox", "select", "date", "url", "textarea", "radiobutton", "streetaddress", "birthday",
     "date_time", "price", "monetary", "tracking_data"}
)  # fmt: skip


def custom_part(ask: Ask, _kinds: Mapping[str, Kind], taken: Collection[str]) -> CustomPart:
    """Return the columns of the account's own fields.

    Args:
        ask: runs a query on the dataset.
        _kinds: of the columns of `leads`: none of them is a field of the account's own.
        taken: names that the view has already.
    """
    fields = [(int(number), str(name or ""), str(kind)) for number, name, kind in ask(_FIELDS)]
    if not fields:
        return CustomPart()
    names = column_names([(name, "", f"field {number}") for number, name, _ in fields], taken)
    held = ",\n        ".join(f"{_value(number, kind)} AS field_{number}" for number, _, kind in fields)
    join = (
        f"\nLEFT JOIN (\n    SELECT\n        v.lead_id,\n        {held}\n    FROM {{dataset}}.lead_custom_values AS v\n"
        "    GROUP BY v.lead_id\n) AS own ON own.lead_id = l.id"
    )
    columns = "".join(
        f",\n    own.field_{number} AS {identifier(name)}" for (number, _, _), name in zip(fields, names, strict=True)
    )
    abouts = [f"{name}: the account's field {number}, {kind}" for number, name, kind in fields]
    return CustomPart(columns, join, dict(zip(names, abouts, strict=True)))


def _value(number: int, kind: str) -> str:
    """Return what tells a lead's value of a field, among all its values."""
    if kind == "checkbox":
        return f"bool_or(v.value IN ('true', '1')) FILTER (WHERE v.field_id = {number})"
    if kind in _SINGLE:
        return f"max(v.value) FILTER (WHERE v.field_id = {number} AND v.position = 0)"
    return f"array_agg(v.value ORDER BY v.position) FILTER (WHERE v.field_id = {number})"
