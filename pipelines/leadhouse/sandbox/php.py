"""PHP's view of request parameters: bracket names, arrays that are lists or maps, casts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

Params = dict[str, Any]

_NAME = re.compile(r"^([^\[]+)((?:\[[^\]]*\])*)")
_BRACKET = re.compile(r"\[([^\]]*)\]")
_LEADING_INTEGER = re.compile(r"^\s*([-+]?\d+)")
_LEADING_NUMBER = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)")


def split_query(query: str) -> list[tuple[str, str]]:
    """Split an URL-encoded query into decoded pairs; a plus sign is a space."""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return pairs


def _place(holder: Params, keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = holder.setdefault(key or str(_next_index(holder)), {})
        if not isinstance(inner, dict):
            inner = holder[key] = {}
        holder = inner
    last = keys[-1]
    holder[last or str(_next_index(holder))] = value


def _next_index(holder: Params) -> int:
    return max((int(key) for key in holder if key.isdigit()), default=-1) + 1


def nest(pairs: Iterable[tuple[str, Any]]) -> Params:
    """Build nested parameters from bracket names: ``filter[>ID]=5`` becomes ``{"filter": {">ID": "5"}}``."""
    params: Params = {}
    for name, value in pairs:
        match = _NAME.match(name)
        if match:
            _place(params, [match[1], *_BRACKET.findall(match[2])], value)
    return params


def merge(base: Params, extra: Params) -> Params:
    """Return base with extra laid over it, nested maps merged."""
    merged = dict(base)
    for key, value in extra.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def is_array(value: Any) -> bool:
    """Tell whether PHP would call the value an array."""
    return isinstance(value, list | dict)


def values(array: Any) -> list[Any]:
    """Return the values of a PHP array; a scalar is a list of one."""
    if isinstance(array, dict):
        return list(array.values())
    return list(array) if isinstance(array, list) else [array]


def entries(array: Any) -> list[tuple[str, Any]]:
    """Return the keys and values of a PHP array."""
    if isinstance(array, dict):
        return list(array.items())
    return [(str(index), value) for index, value in enumerate(array)] if isinstance(array, list) else []


def keyed(array: Params) -> Any:
    """Return what json_encode makes of a map: a list when the keys are 0..n-1 in order or there are none."""
    if list(array) == [str(index) for index in range(len(array))]:
        return list(array.values())
    return array


def truthy(value: Any) -> bool:
    """Return PHP's truth: the texts "" and "0" are false, "false" is true."""
    return value not in ("", "0") if isinstance(value, str) else bool(value)


def integer(value: Any) -> int:
    """Return PHP's integer cast: leading digits of a text, 1 for a filled array, 0 for an empty one."""
    if isinstance(value, bool | list | dict) or value is None:
        return int(bool(value))
    if isinstance(value, int | float):
        return int(value)
    match = _LEADING_INTEGER.match(str(value))
    return int(match[1]) if match else 0


def number(value: Any) -> str | None:
    """Return the leading number of a value as text, None when there is none."""
    if isinstance(value, bool):
        return str(int(value))
    match = _LEADING_NUMBER.match(str(value)) if value is not None and not is_array(value) else None
    return match[1] if match else None


def pick(params: Params, *names: str) -> Any:
    """Return the first parameter present under any of the spellings (reference: bitrix24 section 1)."""
    for name in names:
        if name in params:
            return params[name]
    return None
