"""Keyset pages: 50 rows after a cursor, in an order whose last column is unique. No offset, no full load."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet

from meshui.ui import wording

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.http import QueryDict

M = TypeVar("M", bound=Model)
PAGE_SIZES: Final = (25, 50, 100, 200)
PAGE_SIZE: Final = 50
MOST_COUNTED: Final = 1_000
"""Rows of a list that are counted: what is beyond them is “1,000+”, so that a page costs the same over any number."""


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[M]):
    """The rows of one page; iterate it. `next_query` is empty on the last page.

    `is_more`: there are more than `total`, and nobody counted on.
    """

    items: list[M]
    total: int
    is_first: bool
    first_query: str
    next_query: str
    is_more: bool = False

    @property
    def total_words(self) -> str:
        """“1,907”, or “1,000+”."""
        return wording.at_least(self.total) if self.is_more else wording.number(self.total)

    def __iter__(self) -> Iterator[M]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


def order_of(sorts: Mapping[str, Sequence[str]], asked: str, default: str) -> tuple[str, tuple[str, ...]]:
    """The sort in force and its columns, the primary key last. An unknown one is the default."""
    name = asked if asked.removeprefix("-") in sorts else default
    columns = tuple(sorts[name.removeprefix("-")])
    if name.startswith("-"):
        columns = tuple(column.removeprefix("-") if column.startswith("-") else f"-{column}" for column in columns)
    return name, columns if columns[-1].removeprefix("-") == "pk" else (*columns, "pk")


def page_size(params: QueryDict) -> int:
    """How many rows are asked for: 25, 50, 100 or 200."""
    asked = params.get("rows", "")
    return int(asked) if asked.isdecimal() and int(asked) in PAGE_SIZES else PAGE_SIZE


def keyset_page(queryset: QuerySet[M], order: Sequence[str], params: QueryDict) -> KeysetPage[M]:
    """The page that `params` (`after`, `rows`) ask for. One query where that is all; else two, one of them counts.

    Columns of `order` are never null. A cursor that cannot be read gives the first page.
    """
    found = keyset_slice(queryset, order, after=params.get("after", ""), size=page_size(params))
    is_all = found.is_first and not found.cursor
    total = len(found.items) if is_all else count_up_to(queryset)
    return KeysetPage(
        items=found.items,
        total=min(total, MOST_COUNTED),
        is_more=total > MOST_COUNTED,
        is_first=found.is_first,
        first_query=_query(params, ""),
        next_query=_query(params, found.cursor) if found.cursor else "",
    )


def count_up_to(queryset: QuerySet[M]) -> int:
    """How many rows there are, or one more than MOST_COUNTED. One query that reads no more of them."""
    return queryset.order_by()[: MOST_COUNTED + 1].count()


@dataclass(frozen=True, slots=True)
class KeysetSlice(Generic[M]):
    """Rows after a cursor; `cursor` leads to those after them, empty at the end."""

    items: list[M]
    cursor: str
    is_first: bool


def keyset_slice(queryset: QuerySet[M], order: Sequence[str], *, after: str, size: int) -> KeysetSlice[M]:
    """The `size` rows of `queryset` behind the cursor `after`. One query, of one row more.

    Columns of `order` are never null, the last is unique. A cursor that cannot be read gives the first rows.
    """
    rows = queryset.order_by(*order)
    cursor = _read_cursor(queryset, order, after)
    found = list((rows.filter(_after(order, cursor)) if cursor else rows)[: size + 1])
    items = found[:size]
    has_next = len(found) > size
    return KeysetSlice(items, _write_cursor(items[-1], order) if has_next else "", is_first=not cursor)


def _after(order: Sequence[str], cursor: Sequence[Any]) -> Q:
    """The rows behind the cursor: lexicographic, each column in its own direction.

    The bound on the first column says nothing new; it is what an index can be searched by.
    """
    condition = Q(pk__in=[])
    equal = Q()
    for column, value in zip(order, cursor, strict=True):
        name = column.removeprefix("-")
        condition |= equal & Q(**{f"{name}__{'lt' if column.startswith('-') else 'gt'}": value})
        equal &= Q(**{name: value})
    leading = order[0]
    bound = Q(**{f"{leading.removeprefix('-')}__{'lte' if leading.startswith('-') else 'gte'}": cursor[0]})
    return bound & condition


def _write_cursor(row: Model, order: Sequence[str]) -> str:
    values = [_value_of(row, column.removeprefix("-")) for column in order]
    return base64.urlsafe_b64encode(json.dumps(values, cls=ExactEncoder).encode()).decode().rstrip("=")


class ExactEncoder(DjangoJSONEncoder):
    """JSON of column values; times keep their microseconds."""

    def default(self, o: Any) -> Any:
        """The value as JSON."""
        return o.isoformat() if hasattr(o, "isoformat") else super().default(o)


def _value_of(row: Model, path: str) -> Any:
    value: Any = row
    for name in path.split("__"):
        value = getattr(value, name)
    return value


def _read_cursor(rows: QuerySet[M], order: Sequence[str], text: str) -> list[Any]:
    if not text:
        return []
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(values, list) or len(values) != len(order):
            return []
        pairs = zip(order, values, strict=True)
        return [_as_column(rows, column.removeprefix("-"), value) for column, value in pairs]
    except (binascii.Error, ValueError, ValidationError, TypeError, OverflowError, RecursionError):
        return []


def _as_column(rows: QuerySet[M], path: str, value: Any) -> Any:
    """`value` as the column, or the annotation of that name, has it. Raises what its field raises for another kind."""
    if not isinstance(value, str | int | float | bool):
        raise TypeError("a cursor holds plain values")
    if "\0" in str(value).encode().decode():  # which fails for a lone surrogate; PostgreSQL refuses both
        raise ValueError("a cursor holds text")
    if path in rows.query.annotations:
        return rows.query.annotations[path].output_field.to_python(value)
    names = path.split("__")
    model: type[Model] = rows.model
    for name in names[:-1]:
        model = cast("type[Model]", model._meta.get_field(name).related_model)  # noqa: SLF001 - Django's public way
    field: Any = model._meta.pk if names[-1] == "pk" else model._meta.get_field(names[-1])  # noqa: SLF001 - as above
    return field.to_python(value)


def _query(params: QueryDict, cursor: str) -> str:
    changed = params.copy()
    changed["after"] = cursor
    for name in [name for name, value in changed.items() if not value]:
        del changed[name]
    return f"?{changed.urlencode()}"
