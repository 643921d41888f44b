"""Many rows in few statements, from plain values: no model instance a row, one statement for 200 of them.

What Django's bulk_create does, without its cost a row; only for tables that nobody listens to by signals.
"""

from __future__ import annotations

import sqlite3
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

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
    quote = connection.ops.quote_name
    fields = [model._meta.get_field(name) for name in names]  # noqa: SLF001 - Django's public _meta
    columns = [quote(field.column) for field in fields if not field.primary_key]
    moved = ", ".join(f"{column} = EXCLUDED.{column}" for column in columns)
    key = quote(model._meta.pk.column)  # noqa: SLF001 - as above
    _write(model, names, rows, f" ON CONFLICT ({key}) DO UPDATE SET {moved}")


def _write(model: type[models.Model], names: tuple[str, ...], rows: Iterable[Mapping[str, Any]], end: str) -> None:
    quote, meta = connection.ops.quote_name, model._meta  # noqa: SLF001 - as above
    ways = [(name, _converter(model, name, connection.vendor)) for name in names]
    columns = ", ".join(quote(meta.get_field(name).column) for name in names)
    start = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES "  # noqa: S608 - names of our own tables
    line = f"({', '.join(['%s'] * len(names))})"
    rest = iter(rows)
    with connection.cursor() as cursor:
        size = min(BATCH, _most_values() // len(names))
        while some := list(islice(rest, size)):
            found = [_column([row[name] for row in some], way) for name, way in ways]
            cursor.execute(
                f"{start}{', '.join([line] * len(some))}{end}", list(chain.from_iterable(zip(*found, strict=True)))
            )


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
        return connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
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
