"""Bodies: JSON, with the names of fields that stand twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playground.apiserver import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.messages import Request

LARGEST_BODY = 3 * 1024 * 1024
JSON_TYPES = ("application/json", "application/yaml", "application/vnd.kubernetes.protobuf")


class _Doubled(dict[str, Any]):
    """An object in whose text a name stood twice; the last value counts."""

    names: list[str]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    keys = [key for key, _ in pairs]
    doubled = _Doubled(found)
    doubled.names = [key for key in found if keys.count(key) > 1]
    return doubled


def _doubled(value: object, path: str = "") -> Iterator[str]:
    if isinstance(value, _Doubled):
        yield from (f"{path}{name}" for name in value.names)
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _doubled(child, f"{path}{key}.")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _doubled(child, f"{path.removesuffix('.')}[{index}].")


def read_json(body: bytes) -> Any:
    """Return what a body holds. Raises ApiError 400, or 413 for more than the server takes."""
    if len(body) > LARGEST_BODY:
        text = f"Request entity too large: limit is {LARGEST_BODY}"
        raise errors.ApiError(413, "RequestEntityTooLarge", text, {})
    try:
        return json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise errors.bad_request(f"couldn't get version/kind; json parse error: {error}") from error


def read_object(request: Request) -> tuple[Json, list[str]]:
    """Return the object in a body and the complaints of strict decoding. Raises ApiError 400, 413, 415."""
    if request.content_type not in {"application/json", ""}:
        raise errors.unsupported_media_type(JSON_TYPES)
    value = read_json(request.body)
    if not isinstance(value, dict):
        raise errors.bad_request("couldn't get version/kind; json parse error: the body is not an object")
    return value, duplicates(value)


def duplicates(value: object) -> list[str]:
    """Return the complaints about fields that stand twice."""
    return [f'duplicate field "{path}"' for path in _doubled(value)]
