"""JSON Patch (RFC 6902, as the API server's Go library reads it) and JSON Merge Patch (RFC 7386).

Where the library leaves the RFC: `replace` of an absent member adds it, `copy` of an absent member copies null, `test`
takes an absent member for null (but not an absent index), and indices may be negative.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playground.apiserver import errors
from playground.apiserver.jsontypes import clone

if TYPE_CHECKING:
    from playground.apiserver.jsontypes import Json

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
MOST_OPERATIONS = 10_000
OPERATIONS = frozenset({"add", "remove", "replace", "move", "copy", "test"})


def merge(target: Any, patch: Any) -> Any:
    """Return `target` with a merge patch applied; nulls delete."""
    if not isinstance(patch, dict):
        return clone(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def apply_json_patch(document: Json, operations: Any) -> Json:
    """Return a copy of `document` with all operations applied in order.

    Raises ApiError 400 for what is no JSON Patch, 422 if one operation cannot be done (a failed `test` included).
    """
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise errors.bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MOST_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise errors.ApiError(413, "RequestEntityTooLarge", text, {})
    result: Any = clone(document)
    for operation in operations:
        result = _apply(result, operation)
    if not isinstance(result, dict):
        raise errors.invalid_patch()
    return result


def _apply(document: Any, operation: Json) -> Any:
    name = operation.get("op")
    if name not in OPERATIONS or not isinstance(operation.get("path"), str):
        raise errors.invalid_patch()
    path = _pointer(operation["path"])
    if name == "test":
        if not _equal(_find(document, path), operation.get("value")):
            raise errors.invalid_patch()
        return document
    if name == "remove":
        return _remove(document, path)
    if name in {"add", "replace"}:
        value = clone(operation.get("value"))
    else:
        source = _pointer(str(operation.get("from", "")))
        value = clone(_find(document, source))
        document = _remove(document, source) if name == "move" else document
    return _set(document, path, value, is_replace=name == "replace")


def _equal(left: Any, right: Any) -> bool:
    """Compare JSON values as the server's library does: true is not 1, and 1.0 is not 1."""
    if type(left) is not type(right) and not (isinstance(left, dict) and isinstance(right, dict)):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    return bool(left == right)


def _pointer(text: str) -> list[str]:
    if text == "":
        return []
    if not text.startswith("/"):
        raise errors.invalid_patch()
    return [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]


def _index(key: str, size: int) -> int:
    """Return an index into a list of `size`; negative ones count from its end."""
    if not re.fullmatch("-?[0-9]+", key) or not -size <= int(key) < size:
        raise errors.invalid_patch()
    return int(key) % size


def _find(document: Any, path: list[str]) -> Any:
    """Return what stands at a path: None for an absent member, refused where a list or the way there ends."""
    found = document
    for number, key in enumerate(path):
        if isinstance(found, dict) and (key in found or number == len(path) - 1):
            found = found.get(key)
        elif isinstance(found, list):
            found = found[_index(key, len(found))]
        else:
            raise errors.invalid_patch()
    return found


def _set(document: Any, path: list[str], value: Any, *, is_replace: bool) -> Any:
    if not path:
        return value
    parent, key = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[key] = value
    elif isinstance(parent, list) and is_replace:
        parent[_index(key, len(parent))] = value
    elif isinstance(parent, list):
        parent.insert(len(parent) if key == "-" else _index(key, len(parent) + 1), value)
    else:
        raise errors.invalid_patch()
    return document


def _remove(document: Any, path: list[str]) -> Any:
    if not path:
        raise errors.invalid_patch()
    parent, key = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict) and key in parent:
        del parent[key]
    elif isinstance(parent, list):
        del parent[_index(key, len(parent))]
    else:
        raise errors.invalid_patch()
    return document
