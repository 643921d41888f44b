"""get and list: selectors, pages of one consistent snapshot, continue tokens that expire."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.calls import PARTIAL, PARTIAL_LIST
from playground.apiserver.messages import Response
from playground.apiserver.selectors import parse_fields, parse_labels
from playground.apiserver.store import CompactedError, encode
from playground.apiserver.views import entry_json, list_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.store import Entry

LATEST = -1


def get(call: Call) -> Response:
    """GET one object. Raises ApiError 404."""
    entry = call.core.store.get(call.resource.key, call.key)
    if entry is None:
        raise errors.not_found(call.resource, call.target.name)
    if call.partial == PARTIAL_LIST:
        raise errors.ApiError(500, "", "content is not a list")
    return Response(200, entry_json(call, entry))


def selection(call: Call) -> Callable[[Json], bool]:
    """Return the test that namespace, labelSelector and fieldSelector of a request make. Raises ApiError 400."""
    namespace = call.target.namespace if call.resource.namespaced else ""
    labels = parse_labels(call.request.query.get("labelSelector", ""))
    fields = parse_fields(call.request.query.get("fieldSelector", ""), call.resource.key)

    def fits(obj: Json) -> bool:
        metadata = obj["metadata"]
        is_here = not namespace or metadata.get("namespace") == namespace
        return is_here and fields(obj) and labels(metadata.get("labels") or {})

    return fits


def list_objects(call: Call) -> Response:
    """GET a list, or a page of one. Raises ApiError 400, 410, 504."""
    if call.partial == PARTIAL:
        kind = f"the requested object is a list (*{call.resource.kind}List)"
        raise errors.ApiError(406, "NotAcceptable", f"you requested PartialObjectMetadata, but {kind}")
    limit = whole_number(call, "limit")
    version, start = _position(call)
    try:
        entries, version = call.core.store.entries(call.resource.key, version)
    except CompactedError as error:
        if start:
            raise errors.expired_continue(_token(LATEST, start)) from error
        raise errors.expired_version(version or 0, error.oldest) from error
    fits = selection(call)
    found = [entry for entry in entries if entry.key >= start and fits(entry.object)]
    metadata: Json = {"resourceVersion": str(version)}
    if call.resource.is_custom and not call.wants_partial:
        metadata["continue"] = ""
    if limit and len(found) > limit:
        metadata["continue"] = _token(version, found[limit - 1].key + "\0")
        if not _has_selector(call):
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    return Response(200, list_json(call, found, metadata))


def select(call: Call) -> list[Entry]:
    """Return all objects that a request selects, as they are now."""
    fits = selection(call)
    return [entry for entry in call.core.store.entries(call.resource.key)[0] if fits(entry.object)]


def _has_selector(call: Call) -> bool:
    return bool(call.request.query.get("labelSelector") or call.request.query.get("fieldSelector"))


def whole_number(call: Call, name: str) -> int:
    """Return a number of the query, 0 if it is absent. Raises ApiError 400 for any other text."""
    text = call.request.query.get(name, "") or "0"
    if not text.isascii() or not text.isdigit():
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def _position(call: Call) -> tuple[int | None, str]:
    """Return the version to read (None: the latest) and the key to begin with."""
    query = call.request.query
    token = query.get("continue", "")
    wanted = whole_number(call, "resourceVersion")
    if token:
        if wanted:
            text = "specifying resource version is not allowed when using continue"
            raise errors.bad_request(text)
        version, start = _read_token(token)
        return (None if version == LATEST else version), start
    if wanted > call.core.store.revision:
        raise _too_large(wanted, call.core.store.revision)
    return (wanted if wanted and query.get("resourceVersionMatch") == "Exact" else None), ""


def _too_large(wanted: int, current: int) -> errors.ApiError:
    text = f"Too large resource version: {wanted}, current: {current}"
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return errors.ApiError(504, "Timeout", f"Timeout: {text}", {"causes": [cause], "retryAfterSeconds": 1})


def _token(version: int, start: str) -> str:
    value = {"v": "meta.k8s.io/v1", "rv": version, "start": start}
    return base64.urlsafe_b64encode(encode(value)).rstrip(b"=").decode()


def _read_token(token: str) -> tuple[int, str]:
    try:
        value = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(value["rv"]), str(value["start"])
    except (ValueError, KeyError, TypeError) as error:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {error}") from error
