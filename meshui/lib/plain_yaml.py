"""The only reader of YAML: parser events to plain dicts, lists and text, with no tags, anchors, types or surprises.

A loader builds what a document asks for; this builds what we ask for. Bounds: MAX_DEPTH, MAX_EVENTS, MAX_CHARACTERS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 40
MAX_EVENTS = 10_000
MAX_CHARACTERS = 256 * 1024


class PlainYamlError(ValueError):
    """Not one plain mapping. `args[0]` says why and where, never what stood there."""


class _Builder:
    """Takes events, builds plain values."""

    def __init__(self) -> None:
        self.root: list[Any] = []
        self.stack: list[Any] = []
        self.keys: list[str | None] = []

    def put(self, value: Any) -> None:
        """A finished scalar or a container that begins, where the parser stands."""
        if not self.stack:
            self.root.append(value)
        elif isinstance(self.stack[-1], list):
            self.stack[-1].append(value)
        elif self.keys[-1] is None:
            self._key(value)
        else:
            self.stack[-1][self.keys[-1]] = value
            self.keys[-1] = None

    def _key(self, value: Any) -> None:
        if not isinstance(value, str):
            raise PlainYamlError("A mapping key is not text.")
        if value == "<<" or value in self.stack[-1]:
            raise PlainYamlError(f"The key “{value[:64]}” is a merge key, or stands twice.")
        self.keys[-1] = value

    def begin(self, node: Any) -> None:
        """A mapping or a sequence begins."""
        if len(self.stack) >= MAX_DEPTH:
            raise PlainYamlError(f"It is nested deeper than {MAX_DEPTH}.")
        self.put(node)
        self.stack.append(node)
        self.keys.append(None)

    def end(self) -> None:
        """The innermost container ends."""
        self.stack.pop()
        self.keys.pop()


def parse_plain(text: str) -> dict[str, Any]:
    """YAML or JSON as dict, list and str only; every scalar stays text (`true`, `0123`). Raises PlainYamlError."""
    if len(text) > MAX_CHARACTERS:
        raise PlainYamlError(f"It is longer than {MAX_CHARACTERS // 1024} KiB.")
    if "\x00" in text:
        raise PlainYamlError("It holds a NUL byte.")
    builder = _Builder()
    documents = 0
    for event in _events(text):
        if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
            raise PlainYamlError("Anchors, aliases and tags are not taken.")
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            raise PlainYamlError("It holds more than one document.")
        _take(builder, event)
    if len(builder.root) != 1 or not isinstance(builder.root[0], dict):
        raise PlainYamlError("It is not one mapping.")
    return cast("dict[str, Any]", builder.root[0])


def _take(builder: _Builder, event: object) -> None:
    if isinstance(event, yaml.ScalarEvent):
        builder.put(event.value)
    elif isinstance(event, yaml.MappingStartEvent):
        builder.begin({})
    elif isinstance(event, yaml.SequenceStartEvent):
        builder.begin([])
    elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        builder.end()


def _events(text: str) -> Iterator[object]:
    """Parser events, at most MAX_EVENTS: the parser is asked for one at a time, so a bomb stops at the bound."""
    count = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            count += 1
            if count > MAX_EVENTS:
                raise PlainYamlError("It holds too many values.")
            yield event
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise PlainYamlError(f"It is not YAML{where}.") from None
    except (UnicodeError, ValueError) as error:
        if isinstance(error, PlainYamlError):
            raise
        raise PlainYamlError("It holds characters that YAML does not allow.") from None


def to_yaml(value: object) -> str:
    """`value` (JSON) as block YAML in its own order, for people to read."""
    return yaml.dump(value, Dumper=yaml.SafeDumper, sort_keys=False, width=10_000, allow_unicode=True)
