"""A portal's own fields in `leads_readable`: under their titles, with words in place of ids."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from leadhouse.bitrix24.families import MULTIFIELDS, NOT_LISTED
from leadhouse.columns import Kind
from leadhouse.custom_part import Ask, CustomPart, column_names
from leadhouse.tables import tables
from leadhouse.view_making import identifier, literal

_FIELDS = """
    SELECT column_name, name, title, type, is_multiple, status_type
    FROM {dataset}.lead_fields
    ORDER BY column_name, name
"""
_CURRENCY = " (currency)"
# Multiple fields whose values are no rows of lead_custom_values.
_ELSEWHERE = frozenset({*MULTIFIELDS, *NOT_LISTED})


@dataclass(frozen=True, slots=True)
class _Field:
    """A field as `lead_fields` tells of it."""

    column: str
    name: str
    title: str
    type: str
    is_multiple: bool
    status_type: str


def custom_part(ask: Ask, kinds: Mapping[str, Kind], taken: Collection[str]) -> CustomPart:
    """Return the columns of the portal's own fields, those that it removed included.

    Args:
        ask: runs a query on the dataset.
        kinds: of the columns of `leads`.
        taken: names that the view has already.
    """
    contract = tables("bitrix24")["leads"].columns
    told: dict[str, _Field] = {}
    for column, name, title, kind, many, dictionary in ask(_FIELDS):
        told.setdefault(column, _Field(column, name, title or "", kind or "", bool(many), dictionary or ""))
    # Columns come to the end of `leads`, and so to the end of the view: Postgres adds them there without ado.
    many = [field for field in told.values() if field.is_multiple and field.name not in _ELSEWHERE]
    single = [_single(column, told, kinds) for column in kinds if column not in contract]
    fields = [*((field, "", field.column) for field in many), *single]
    names = column_names([(field.title, tail, column) for field, tail, column in fields], taken)

    columns = [f"many.{identifier(field.column)}" for field in many]
    joins = [_many(many)] if many else []
    lists = {
        f"own_{number}": column for number, (field, _, column) in enumerate(single) if _is_list(field, kinds[column])
    }
    if lists:
        joins.append(_variants(lists))
    for number, (field, tail, column) in enumerate(single):
        held = f"l.{identifier(column)}"
        word, join = ("", "") if tail else _word(field, kinds[column], f"own_{number}", held)
        columns.append(word or held)
        joins.append(join)
    abouts = [f"{field.title or field.name}{tail}: {_about(field)}" for field, tail, _ in fields]
    return CustomPart(
        "".join(f",\n    {held} AS {identifier(name)}" for held, name in zip(columns, names, strict=True)),
        "".join(joins),
        dict(zip(names, abouts, strict=True)),
        {column: about for (_, _, column), about in zip(fields, abouts, strict=True) if column in kinds},
    )


def _about(field: _Field) -> str:
    return f"the portal's field {field.name}, {field.type}" if field.type else "a field that the portal removed"


def _single(column: str, told: Mapping[str, _Field], kinds: Mapping[str, Kind]) -> tuple[_Field, str, str]:
    """Return the field that a column of `leads` holds, what is set behind its title, and the column."""
    amount = column.removesuffix("_currency")
    if column not in told and amount in told and kinds.get(amount) is Kind.DECIMAL:
        return told[amount], _CURRENCY, column
    return told.get(column, _Field(column, column.upper(), "", "", False, "")), "", column


def _is_list(field: _Field, kind: Kind) -> bool:
    """Tell whether a column holds the variants of a list field."""
    return field.type == "enumeration" and kind is Kind.BIGINT


def _word(field: _Field, kind: Kind, alias: str, held: str) -> tuple[str, str]:
    """Return what tells a value in words, and the join that it needs; nothing where a value speaks for itself.

    A column that was made for a field of another type is shown as it is.
    """
    if _is_list(field, kind):
        word = f"variant.{alias}_words[array_position(variant.{alias}_ids, {held})]"
        return f"coalesce({word}, CAST({held} AS TEXT))", ""
    if field.type == "employee" and kind is Kind.BIGINT:
        name = f"nullif(concat_ws(' ', {alias}.name, {alias}.last_name), '')"
        return f"coalesce({name}, 'user ' || CAST({held} AS TEXT))", _join("users", alias, f"{alias}.id = {held}")
    if field.type == "crm_status" and kind is Kind.TEXT and field.status_type:
        on = f"{alias}.entity_id = {literal(field.status_type)} AND {alias}.status_id = {held}"
        return f"coalesce({alias}.name, {held})", _join("statuses", alias, on)
    return "", ""


def _join(table: str, alias: str, on: str) -> str:
    return f"\nLEFT JOIN {{dataset}}.{table} AS {alias} ON {on}"


def _variants(lists: Mapping[str, str]) -> str:
    """Return the join that gives the variants of list fields, by alias and column: ids, and texts in the same order.

    A portal may have hundreds of such fields: as many joins take DuckDB a minute to plan, and Postgres might gather
    them anew for each lead, if they were not materialized.
    """
    held = ",\n        ".join(
        f"array_agg(o.{what} ORDER BY o.id) FILTER (WHERE o.field = {literal(column)}) AS {alias}_{name}"
        for alias, column in lists.items()
        for what, name in (("id", "ids"), ("value", "words"))
    )
    return "\n".join(
        (
            "",
            "LEFT JOIN (",
            "    WITH gathered AS MATERIALIZED (",
            "    SELECT",
            f"        {held}",
            "    FROM {dataset}.lead_field_options AS o",
            "    )",
            "    SELECT * FROM gathered",
            ") AS variant ON true",
        )
    )


def _many(fields: Sequence[_Field]) -> str:
    """Return the join that gives a list a field with several values, in the portal's order, all in one pass."""
    word, joins = "v.value", ""
    listed = {kind: [field for field in fields if field.type == kind] for kind in ("enumeration", "employee")}
    if listed["enumeration"]:
        word = "coalesce(o.value, v.value)"
        joins += _join("lead_field_options", "o", "o.field = v.field AND CAST(o.id AS TEXT) = v.value").replace(
            "\n", "\n    "
        )
    if listed["employee"]:
        among = ", ".join(literal(field.column) for field in listed["employee"])
        name = "nullif(concat_ws(' ', u.name, u.last_name), '')"
        word = f"CASE WHEN v.field IN ({among}) THEN coalesce({name}, 'user ' || v.value) ELSE {word} END"
        joins += f"\n    LEFT JOIN {{dataset}}.users AS u ON v.field IN ({among}) AND CAST(u.id AS TEXT) = v.value"
    statuses = [field for field in fields if field.type == "crm_status" and field.status_type]
    if statuses:
        pairs = " OR ".join(
            f"(v.field = {literal(field.column)} AND s.entity_id = {literal(field.status_type)})" for field in statuses
        )
        word = f"coalesce(s.name, {word})"
        joins += f"\n    LEFT JOIN {{dataset}}.statuses AS s ON s.status_id = v.value AND ({pairs})"
    lists = ",\n        ".join(
        f"array_agg({word} ORDER BY v.position) FILTER (WHERE v.field = {literal(field.column)}) "
        f"AS {identifier(field.column)}"
        for field in fields
    )
    return (
        f"\nLEFT JOIN (\n    SELECT\n        v.lead_id,\n        {lists}\n"
        f"    FROM {{dataset}}.lead_custom_values AS v{joins}\n    GROUP BY v.lead_id\n) AS many ON many.lead_id = l.id"
    )
