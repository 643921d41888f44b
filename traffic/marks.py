"""The mark on every object we wrote, and the guards that stand before every patch. Pure."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from clusters.clients import PatchOperation
from traffic.patches import value_at

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject

SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")
"""What the server alone writes into metadata."""


def annotation() -> str:
    """`meshui.io/change`."""
    return f"{settings.ANNOTATION_DOMAIN}/change"


def mark_of(body: JsonObject) -> str:
    """Our mark on the object, empty if there is none."""
    found = _annotations(body).get(annotation())
    return found if isinstance(found, str) else ""


def mark_operations(body: JsonObject, mark: str) -> tuple[PatchOperation, ...]:
    """Tests of uid, resourceVersion and the previous mark, then the new mark (change-control §5.1)."""
    pointer = "/metadata/annotations/" + annotation().replace("~", "~0").replace("/", "~1")
    guards = [
        PatchOperation("test", "/metadata/uid", uid_of(body)),
        PatchOperation("test", "/metadata/resourceVersion", version_of(body)),
    ]
    previous = mark_of(body)
    if previous:
        guards.append(PatchOperation("test", pointer, previous))
    if not _annotations(body):
        guards.append(PatchOperation("add", "/metadata/annotations", {}))
    return (*guards, PatchOperation("add", pointer, mark))


def marked(body: JsonObject, mark: str) -> JsonObject:
    """`body` as it is created: with the mark, without anything that the server alone writes."""
    made = cast("dict[str, Any]", copy.deepcopy(body))
    metadata = {key: value for key, value in (made.get("metadata") or {}).items() if key not in SERVER_FIELDS}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), annotation(): mark}
    made.pop("status", None)
    return {**made, "metadata": metadata}


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


def uid_of(body: JsonObject | None) -> str:
    """metadata.uid; empty where there is no object."""
    return str(_metadata(body).get("uid") or "")


def version_of(body: JsonObject | None) -> str:
    """metadata.resourceVersion."""
    return str(_metadata(body).get("resourceVersion") or "")


def generation_of(body: JsonObject | None) -> int:
    """metadata.generation; 0 where there is none."""
    value = _metadata(body).get("generation")
    return value if isinstance(value, int) else 0


def _metadata(body: JsonObject | None) -> dict[str, Any]:
    found = (body or {}).get("metadata")
    return found if isinstance(found, dict) else {}


def _annotations(body: JsonObject) -> dict[str, Any]:
    found = _metadata(body).get("annotations")
    return found if isinstance(found, dict) else {}
