"""JSON Patch (RFC 6902) on bodies: what it makes, and what takes it back. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshui.lib.jsontypes import Json, JsonObject


class PathMissingError(LookupError):
    """A JSON pointer that leads nowhere in this object."""


def value_at(body: JsonObject, pointer: str) -> Json:
    """The value at an RFC 6901 pointer. Raises PathMissingError."""
    node: Json = body
    for token in _tokens(pointer):
        if isinstance(node, dict) and token in node:
            node = node[token]
        elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
            node = node[int(token)]
        else:
            raise PathMissingError(pointer)
    return node


def apply_operations(body: JsonObject, operations: Iterable[JsonObject]) -> JsonObject:
    """`body` as `operations` make it; `test` is not judged. Raises PathMissingError."""
    made = copy.deepcopy(body)
    for operation in operations:
        if operation["op"] != "test":
            _apply(made, operation)
    return made


def inverse(operations: Iterable[JsonObject], before: JsonObject) -> list[JsonObject]:
    """The operations that make `before` again of what `operations` made of it, in order.

    Tests of the values that are there come first where no list changed its length; else the indices move under them,
    and the writer's test of the resourceVersion stands for them. Raises PathMissingError.
    """
    state = copy.deepcopy(before)
    tests: list[JsonObject] = []
    back: list[JsonObject] = []
    moves_indices = False
    for operation in operations:
        if operation["op"] == "test":
            continue
        path = str(operation["path"])
        undo, moves = _undo(state, operation)
        moves_indices |= moves
        _apply(state, operation)
        if operation["op"] != "remove":
            tests.append({"op": "test", "path": path, "value": operation.get("value")})
        back.append(undo)
    if moves_indices:
        return back[::-1]
    return tests + back


def _undo(state: JsonObject, operation: JsonObject) -> tuple[JsonObject, bool]:
    """What takes `operation` back, and whether it changes the length of a list."""
    path = str(operation["path"])
    parent, token = _parent(state, path)
    is_list = isinstance(parent, list)
    if operation["op"] == "remove":
        return {"op": "add", "path": path, "value": copy.deepcopy(value_at(state, path))}, is_list
    if operation["op"] == "add" and is_list:
        return {"op": "remove", "path": path}, True
    if isinstance(parent, dict) and token not in parent:
        return {"op": "remove", "path": path}, False
    return {"op": "replace", "path": path, "value": copy.deepcopy(value_at(state, path))}, False


def _apply(body: JsonObject, operation: JsonObject) -> None:
    parent, token = _parent(body, str(operation["path"]))
    value = copy.deepcopy(operation.get("value"))
    if isinstance(parent, dict):
        _to_member(parent, token, operation, value)
        return
    index = len(parent) if token == "-" else int(token)  # noqa: S105 - the end of a list
    if operation["op"] == "add":
        parent.insert(index, value)
    elif index >= len(parent):
        raise PathMissingError(operation["path"])
    elif operation["op"] == "remove":
        del parent[index]
    else:
        parent[index] = value


def _to_member(parent: dict[str, Any], token: str, operation: JsonObject, value: Json) -> None:
    if operation["op"] != "remove":
        parent[token] = value
    elif token in parent:
        del parent[token]
    else:
        raise PathMissingError(operation["path"])


def _parent(body: JsonObject, pointer: str) -> tuple[dict[str, Any] | list[Any], str]:
    head, _, _ = pointer.rpartition("/")
    parent = value_at(body, head) if head else body
    if not isinstance(parent, dict | list):
        raise PathMissingError(pointer)
    return cast("Any", parent), _tokens(pointer)[-1]


def _tokens(pointer: str) -> list[str]:
    return [raw.replace("~1", "/").replace("~0", "~") for raw in pointer.split("/")[1:]]
