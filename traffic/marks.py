"""The mark on every object we wrote, and the guards that stand before every patch. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from clusters.clients import PatchOperation

if TYPE_CHECKING:
    from meshes.types import LiveRoute
    from meshui.lib.jsontypes import Json, JsonObject


class PathMissingError(LookupError):
    """A JSON pointer that leads nowhere in this object."""


def annotation() -> str:
    """`meshui.io/change`."""
    return f"{settings.ANNOTATION_DOMAIN}/change"


def mark_of(live: LiveRoute) -> str:
    """Our mark on the object, empty if there is none."""
    return live.annotations.get(annotation(), "")


def mark_operations(live: LiveRoute, mark: str) -> tuple[PatchOperation, ...]:
    """Tests of uid, resourceVersion and the previous mark, then the new mark (change-control §5.1)."""
    pointer = "/metadata/annotations/" + annotation().replace("~", "~0").replace("/", "~1")
    guards = [
        PatchOperation("test", "/metadata/uid", live.uid),
        PatchOperation("test", "/metadata/resourceVersion", live.resource_version),
    ]
    previous = mark_of(live)
    if previous:
        guards.append(PatchOperation("test", pointer, previous))
    if not live.annotations:
        guards.append(PatchOperation("add", "/metadata/annotations", {}))
    return (*guards, PatchOperation("add", pointer, mark))


def rebased(operations: list[JsonObject], body: JsonObject) -> tuple[PatchOperation, ...]:
    """A plan's operations with each `test` holding the literal value that `body` has there now.

    The projection is equal (the caller compared its hash), so only the form of equal weights (1/1, 50/50) may differ.
    Raises PathMissingError.
    """
    return tuple(
        PatchOperation("test", str(op["path"]), value_at(body, str(op["path"])))
        if op["op"] == "test"
        else PatchOperation(op["op"], str(op["path"]), op.get("value"))  # type: ignore[arg-type]  # stored by us
        for op in operations
    )


def value_at(body: JsonObject, pointer: str) -> Json:
    """The value at an RFC 6901 pointer. Raises PathMissingError."""
    node: Json = body
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(node, dict) and token in node:
            node = node[token]
        elif isinstance(node, list) and token.isdigit() and int(token) < len(node):
            node = node[int(token)]
        else:
            raise PathMissingError(pointer)
    return node
