"""YAML as people read it, from JSON values: one order of keys whatever the database did to them. Writes only; pure."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FIRST: Final = ("apiVersion", "kind", "metadata", "name", "namespace", "generateName", "spec", "hosts", "host", "match")
LAST: Final = ("status",)
# Plain scalars are those that no YAML reader, 1.1 or 1.2, takes for anything but text; the rest is quoted as in JSON.
PLAIN: Final = re.compile(r"[A-Za-z/_*](?:[\w./*@+()-]|:(?=[\w/])|[ ](?=[\w(/]))*")
NOT_TEXT: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
LITERAL: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff][^\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]*\n?"
)


def to_yaml(value: Any) -> str:
    """`value` (of JSON) as YAML text with a line break at its end; "" for None."""
    if value is None:
        return ""
    if isinstance(value, dict) and value:
        return "".join(f"{line}\n" for line in _mapping(value, 0))
    if isinstance(value, list) and value:
        return "".join(f"{line}\n" for line in _sequence(value, 0))
    return f"{_scalar(value, 1)}\n"


def _mapping(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for key in sorted(value, key=_place):
        yield from _entry(f"{_text(key)}:", value[key], depth)


def _entry(head: str, value: Any, depth: int) -> Iterator[str]:
    indent = "  " * depth
    if isinstance(value, dict) and value:
        yield indent + head
        yield from _mapping(value, depth + 1)
    elif isinstance(value, list) and value:
        yield indent + head
        yield from _sequence(value, depth)
    else:
        yield f"{indent}{head} {_scalar(value, depth + 1)}"


def _sequence(value: Sequence[Any], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for item in value:
        if isinstance(item, dict) and item:
            lines = list(_mapping(item, depth + 1))
        elif isinstance(item, list) and item:
            lines = list(_sequence(item, depth + 1))
        else:
            lines = [f"{indent}  {_scalar(item, depth + 1)}"]
        yield f"{indent}- {lines[0].lstrip(' ')}"
        yield from lines[1:]


def _scalar(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return _text(value) if "\n" not in value else _block(value, depth)
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _text(value: str) -> str:
    is_plain = PLAIN.fullmatch(value) and value.lower() not in NOT_TEXT and not value.startswith("*")
    return value if is_plain else _quoted(value)


def _quoted(value: str) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]", lambda found: f"\\u{ord(found.group()):04x}", text)


def _block(value: str, depth: int) -> str:
    if not LITERAL.fullmatch(value) or value.endswith("\n\n"):
        return _quoted(value)
    indent = "  " * depth
    mark = "|" if value.endswith("\n") else "|-"
    lines = value.removesuffix("\n").split("\n")
    return "\n".join([mark, *(f"{indent}{line}" if line else "" for line in lines)])


def _place(key: str) -> tuple[int, int, str]:
    if key in FIRST:
        return 0, FIRST.index(key), key
    return (2, 0, key) if key in LAST else (1, 0, key)
