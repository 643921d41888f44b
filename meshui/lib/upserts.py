"""Many rows in few statements, from plain values: no model instance a row, one statement for 200 of them.

What Django's bulk_create does, without its cost a row; only for tables that nobody listens to by signals.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, cast

import msgspec
from django.db import connection, models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Convert = Callable[[Any], Any]

BATCH = 200


def insert_rows(model: type[models.Model], names: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, each with a value for every field of `names`. JSON may be given encoded, as msgspec.Raw."""
    _write(model, names, rows, "")


def upsert_rows(model: type[models.Model], names: tuple[str, ...], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows, or make those with the same primary key so."""
    key = model._meta.pk.name  # noqa: SLF001 - Django's public _meta
    moved = ", ".join(
        f"{column} = EXCLUDED.{column}" for column in _columns(model, names) if column != _quoted(model, key)
    )
    _write(model, names, rows, f" ON CONFLICT ({_quoted(model, key)}) DO UPDATE SET {moved}")


def _write(model: type[models.Model], names: tuple[str, ...], rows: Iterable[Mapping[str, Any]], end: str) -> None:
    ways = [(name, _converter(model, name, connection.vendor)) for name in names]
    table = connection.ops.quote_name(model._meta.db_table)  # noqa: SLF001 - as above
    start = f"INSERT INTO {table} ({', '.join(_columns(model, names))}) VALUES "  # noqa: S608 - names of our own tables
    line = f"({', '.join(['%s'] * len(names))})"
    rest = iter(rows)
    with connection.cursor() as cursor:
        size = min(BATCH, _most_values() // len(names))
        while some := list(islice(rest, size)):
            found = [_column([row[name] for row in some], way) for name, way in ways]
            values = list(chain.from_iterable(zip(*found, strict=True)))
            # nosemgrep: request-becomes-sql - our own names, quoted; every value is a parameter
            cursor.execute(f"{start}{', '.join([line] * len(some))}{end}", values)


def _columns(model: type[models.Model], names: tuple[str, ...]) -> list[str]:
    return [_quoted(model, name) for name in names]


def _quoted(model: type[models.Model], name: str) -> str:
    field = cast("models.Field[Any, Any]", model._meta.get_field(name))  # noqa: SLF001 - as above
    return connection.ops.quote_name(str(field.column))


def _column(values: list[Any], way: Convert | None) -> list[Any]:
    """As the driver takes them; what is the same in every row is converted once."""
    if way is None:
        return values
    if all(value is values[0] for value in values):
        return [way(values[0])] * len(values)
    return list(map(way, values))


def _most_values() -> int:
    """How many values one statement may have."""
    if connection.vendor == "sqlite":
        return int(connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))
    return 65_535


@cache
def _converter(model: type[models.Model], name: str, vendor: str) -> Convert | None:
    """What a value of a field needs before the driver takes it; None: nothing."""
    field = model._meta.get_field(name)  # noqa: SLF001 - as above
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    if isinstance(target, models.JSONField):
        return _json
    if isinstance(target, models.UUIDField):
        is_text = vendor == "sqlite"
        return lambda value: _key(value, is_text=is_text)
    if isinstance(target, models.DateTimeField):
        return lambda value: target.get_db_prep_value(value, connection)
    return None


def _json(value: Any) -> str | None:
    if value is None:
        return None
    return (bytes(value) if isinstance(value, msgspec.Raw) else msgspec.json.encode(value)).decode()


def _key(value: Any, *, is_text: bool) -> Any:
    found = getattr(value, "pk", value)
    return found.hex if is_text and found is not None else found
