"""A JSON Patch done on a body in memory: so the body that a write promises is what its operations make. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.clients import PatchOperation
    from meshui.lib.jsontypes import JsonObject


def applied(body: JsonObject, operations: Iterable[PatchOperation]) -> JsonObject:
    """A copy of `body` after `operations`, made from this very body, so their paths are there. Tests are skipped."""
    found = copy.deepcopy(body)
    for operation in operations:
        if operation.op != "test":
            _do(found, operation)
    return found


def pointer(*parts: str | int) -> str:
    """The JSON pointer to `parts`."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def _do(body: JsonObject, operation: PatchOperation) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation.path.split("/")[1:]]
    node: Any = body
    for part in parents:
        node = node[int(part)] if isinstance(node, list) else cast("dict[str, Any]", node)[part]
    value = copy.deepcopy(operation.value)
    if isinstance(node, list):
        _do_in_list(node, int(last), operation.op, value)
    elif operation.op == "remove":
        del node[last]
    else:
        node[last] = value


def _do_in_list(node: list[Any], index: int, op: str, value: Any) -> None:
    if op == "add":
        node.insert(index, value)
    elif op == "remove":
        del node[index]
    else:
        node[index] = value
