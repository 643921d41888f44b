"""How objects leave the server: in the version that was asked for, whole or as metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver.store import encode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.store import Entry

META = "meta.k8s.io/v1"


def in_version(call: Call, obj: Json) -> Json:
    """Return an object in the version of the request."""
    if obj["apiVersion"] == call.resource.api_version:
        return obj
    return {**obj, "apiVersion": call.resource.api_version}


def entry_json(call: Call, entry: Entry) -> bytes:
    """Return one object as the client wants it."""
    if call.wants_partial:
        partial = {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": entry.object["metadata"]}
        return encode(partial)
    if entry.object["apiVersion"] == call.resource.api_version:
        return entry.body
    return encode(in_version(call, entry.object))


def list_json(call: Call, entries: Iterable[Entry], metadata: Json) -> bytes:
    """Return a list. The items of built-in kinds do not repeat kind and apiVersion, as in the real server."""
    kind, api_version = f"{call.resource.kind}List", call.resource.api_version
    if call.wants_partial:
        kind, api_version = "PartialObjectMetadataList", META
    bodies = [entry_json(call, entry) for entry in entries]
    if not call.resource.is_custom and not call.wants_partial:
        prefix = encode({"kind": call.resource.kind, "apiVersion": api_version})[:-1] + b","
        bodies = [b"{" + body.removeprefix(prefix) if body.startswith(prefix) else body for body in bodies]
    head = encode({"kind": kind, "apiVersion": api_version, "metadata": metadata})[:-1]
    return head + b',"items":[' + b",".join(bodies) + b"]}"
