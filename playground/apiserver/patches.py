"""JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7386)."""

from __future__ import annotations

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
_MISSING = object()


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
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
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
        found = _find(document, path, default=None)
        if not _equal(found, operation.get("value")):
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
    """Compare JSON values: true is not 1, but 1.0 is 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
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


def _index(key: str, limit: int) -> int:
    """Return a list index below `limit`; negative ones are refused."""
    if not key.isascii() or not key.isdigit() or int(key) >= limit:
        raise errors.invalid_patch()
    return int(key)


def _step(value: Any, key: str, default: Any) -> Any:
    if isinstance(value, dict) and key in value:
        return value[key]
    if isinstance(value, list) and (default is _MISSING or (key.isdigit() and int(key) < len(value))):
        return value[_index(key, len(value))]
    if default is _MISSING:
        raise errors.invalid_patch()
    return default


def _find(document: Any, path: list[str], default: Any = _MISSING) -> Any:
    for key in path:
        document = _step(document, key, default)
    return document


def _set(document: Any, path: list[str], value: Any, *, is_replace: bool) -> Any:
    if not path:
        return value
    parent, key = _find(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        if is_replace and key not in parent:
            raise errors.invalid_patch()
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
