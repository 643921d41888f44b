"""Keywords of our own for what real definitions say in CEL: all begin with `x-playground-`.

- `duration: 1ms` of a text: a Go duration, not shorter than that
- `unique-by: [a, b]` of a list: no two items alike in these fields
- `told-apart: {by: [a, b], with: c}` of a list: items alike in `by` all have `with`, each another one
- `once: {field: f, values: [x, y]}` of a list: no two items whose field has the same one of these values
- `not-longer: [a, b]` of an object: the duration in field a is not longer than that in b, unless b is zero
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from playground.apiserver.errors import FieldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

DURATION = re.compile(r"^([0-9]+(\.[0-9]*)?(h|ms|us|m|s))+$")
DURATION_PART = re.compile(r"([0-9.]+)(h|ms|us|m|s)")
MILLISECONDS = {"h": 3_600_000.0, "m": 60_000.0, "s": 1000.0, "ms": 1.0, "us": 0.001}


def show(value: Any) -> str:
    """Return a value as it stands in messages."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def milliseconds(duration: str) -> float:
    """Return how long a Go duration is."""
    return sum(float(number) * MILLISECONDS[unit] for number, unit in DURATION_PART.findall(duration))


def check_text(schema: Json, value: str, path: str) -> Iterator[FieldError]:
    """Yield the faults of a text."""
    shortest = schema.get("x-playground-duration")
    if shortest and not (DURATION.match(value) and milliseconds(value) >= milliseconds(shortest)):
        text = f'Invalid value: "string": must be a valid duration greater than {shortest}'
        yield FieldError(path, text)


def check_object(schema: Json, value: Json, path: str) -> Iterator[FieldError]:
    """Yield the faults of an object."""
    shorter, longer = schema.get("x-playground-not-longer", ("", ""))
    if shorter in value and longer in value:
        limit = milliseconds(value[longer])
        if limit and milliseconds(value[shorter]) > limit:
            text = f'Invalid value: "object": {shorter} timeout cannot be longer than {longer} timeout'
            yield FieldError(path, text)


def check_list(schema: Json, value: list[Any], path: str) -> Iterator[FieldError]:
    """Yield the faults of a list whose items are objects."""
    items = [item for item in value if isinstance(item, dict)]
    fields = schema.get("x-playground-unique-by") or schema.get("x-kubernetes-list-map-keys")
    if fields:
        yield from _unique(items, fields, path)
    apart = schema.get("x-playground-told-apart")
    if apart:
        yield from _told_apart(items, apart["by"], apart["with"], path)
    once = schema.get("x-playground-once")
    if once:
        found = [str(item.get(once["field"])) for item in items]
        for repeated in sorted({each for each in found if each in once["values"] and found.count(each) > 1}):
            yield FieldError(path, f'Invalid value: "array": {repeated} filter cannot be repeated')


def _unique(items: list[Json], fields: list[str], path: str) -> Iterator[FieldError]:
    seen: list[list[Any]] = []
    for index, item in enumerate(items):
        identity = [item.get(field) for field in fields]
        if identity in seen:
            yield FieldError(f"{path}[{index}]", f"Duplicate value: {show(item)}", "FieldValueDuplicate")
        seen.append(identity)


def _told_apart(items: list[Json], by: list[str], other: str, path: str) -> Iterator[FieldError]:
    groups: dict[str, list[str]] = {}
    for item in items:
        groups.setdefault(show([item.get(field) for field in by]), []).append(item.get(other, ""))
    for names in groups.values():
        if len(names) > 1 and ("" in names or len(set(names)) < len(names)):
            text = f'Invalid value: "array": {other} must be specified and unique when several items name the same'
            yield FieldError(path, text)
