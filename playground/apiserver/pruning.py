"""What a structural schema does to an object before it is judged: prune, drop nulls, fill in defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.apiserver.jsontypes import clone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

ROOT_FIELDS = frozenset({"apiVersion", "kind", "metadata"})
PRESERVE = "x-kubernetes-preserve-unknown-fields"


def prune(schema: Json, obj: Json) -> list[str]:
    """Take away what the schema does not know; return the paths of it."""
    return list(_prune(schema, obj, "", is_root=True))


def _prune(schema: Json, value: Any, path: str, *, is_root: bool = False) -> Iterator[str]:
    if isinstance(value, list):
        items = schema.get("items") or {}
        for index, child in enumerate(value):
            yield from _prune(items, child, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key in list(value):
            if is_root and key in ROOT_FIELDS:
                continue
            where = f"{path}.{key}" if path else key
            child_schema = _schema_of(schema, key)
            if child_schema is not None:
                yield from _prune(child_schema, value[key], where)
            elif not schema.get(PRESERVE):
                del value[key]
                yield where


def _schema_of(schema: Json, key: str) -> Json | None:
    known: Json | None = (schema.get("properties") or {}).get(key)
    if known is not None:
        return known
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        return more
    return {PRESERVE: True} if more else None


def fill_in(schema: Json, value: Any) -> None:
    """Set defaults where nothing stands; a null in a field that may not be null counts as nothing."""
    if isinstance(value, list):
        for child in value:
            fill_in(schema.get("items") or {}, child)
    elif isinstance(value, dict):
        _drop_nulls(schema, value)
        for key, child_schema in (schema.get("properties") or {}).items():
            if "default" in child_schema and key not in value:
                value[key] = clone(child_schema["default"])
        for key, child in value.items():
            fill_in(_schema_of(schema, key) or {}, child)


def _drop_nulls(schema: Json, value: Json) -> None:
    for key in [key for key, child in value.items() if child is None]:
        if not (_schema_of(schema, key) or {PRESERVE: True}).keys() & {"nullable", PRESERVE}:
            del value[key]
