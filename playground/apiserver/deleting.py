"""delete and deletecollection: preconditions, finalizers, what dies with a definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.admission import Subject
from playground.apiserver.builtin import CRD_KEY
from playground.apiserver.decoding import read_object
from playground.apiserver.jsontypes import clone, timestamp
from playground.apiserver.messages import Response, answer
from playground.apiserver.reading import select
from playground.apiserver.views import entry_json, list_json

if TYPE_CHECKING:
    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.store import Entry

UNDYING = frozenset({"default", "kube-system", "kube-public"})
RETURN_THE_OBJECT = frozenset({"pods", "services", "serviceaccounts"})


def delete(call: Call) -> Response:
    """DELETE one object. What has finalizers (a namespace always has) is only marked."""
    options = _options(call)
    entry = delete_object(call, options)
    metadata = entry.object["metadata"]
    is_marked = bool(metadata.get("finalizers")) or call.resource.key == "namespaces"
    if is_marked or call.resource.key in RETURN_THE_OBJECT:
        return Response(200, entry_json(call, entry))
    details: Json = {"name": entry.name, "kind": call.resource.plural, "uid": metadata["uid"]}
    if call.resource.group:
        details["group"] = call.resource.group
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return answer(200, status)


def delete_collection(call: Call) -> Response:
    """DELETE all that selectors choose."""
    options = _options(call)
    gone = [delete_object(call.on(entry.name, entry.namespace), options) for entry in select(call)]
    return Response(200, list_json(call, gone, {"resourceVersion": str(call.core.store.revision)}))


def _options(call: Call) -> Json:
    """Return the DeleteOptions. A body makes the server deaf to the same words in the query, `dryRun` too."""
    query = call.request.query
    if not call.request.body.strip():
        call.check_options()
        return {}
    options = read_object(call.request)[0]
    for name in ("dryRun", "propagationPolicy"):
        query.pop(name, None)
        if options.get(name):
            value = options[name]
            query[name] = value[0] if isinstance(value, list) else str(value)
    call.check_options()
    return options


def delete_object(call: Call, options: Json) -> Entry:
    """Delete, or mark as deleted, and return what is or was there. Raises ApiError 403, 404, 409."""
    store = call.core.store
    if call.resource.key == "namespaces" and call.target.name in UNDYING:
        raise errors.forbidden(call.resource, call.target.name, "this namespace may not be deleted")
    while True:
        entry = store.get(call.resource.key, call.key)
        if entry is None:
            raise errors.not_found(call.resource, call.target.name)
        _check_preconditions(call, entry, options.get("preconditions") or {})
        call.core.admission.validate(Subject(call, "DELETE", None, entry.object))
        if call.is_dry_run:
            return entry
        if call.request.query.get("propagationPolicy") == "Orphan":
            _orphan(call, entry.object["metadata"]["uid"])
        gone = _mark(call, entry) if _is_held(call, entry) else _remove(call, entry)
        if gone is not None:
            return gone


def _is_held(call: Call, entry: Entry) -> bool:
    return bool(entry.object["metadata"].get("finalizers")) or call.resource.key == "namespaces"


def _check_preconditions(call: Call, entry: Entry, wanted: Json) -> None:
    for field in errors.PRECONDITIONS:
        found = entry.object["metadata"][field]
        if wanted.get(field, found) != found:
            raise errors.changed(call.resource, entry.name, field, wanted[field], found)


def _orphan(call: Call, uid: str) -> None:
    """Let everything forget this owner, so that nothing dies with it."""
    store = call.core.store
    for key in {resource.key for resource in call.core.registry}:
        for entry in store.entries(key)[0]:
            owners = entry.object["metadata"].get("ownerReferences") or ()
            left = [owner for owner in owners if owner["uid"] != uid]
            if len(left) < len(owners):
                obj = clone(entry.object)
                obj["metadata"]["ownerReferences"] = left
                if not left:
                    del obj["metadata"]["ownerReferences"]
                store.put(key, obj)


def _mark(call: Call, entry: Entry) -> Entry | None:
    if "deletionTimestamp" in entry.object["metadata"]:
        return entry
    obj = clone(entry.object)
    obj["metadata"]["deletionTimestamp"] = timestamp()
    if call.resource.key == "namespaces":
        obj["status"] = {**obj.get("status", {}), "phase": "Terminating"}
    else:
        obj["metadata"]["deletionGracePeriodSeconds"] = 0
    if call.resource.has_generation:
        obj["metadata"]["generation"] = obj["metadata"].get("generation", 1) + 1
    return call.core.store.put(call.resource.key, obj, expected=entry.version)


def _remove(call: Call, entry: Entry) -> Entry | None:
    store = call.core.store
    gone = store.delete(call.resource.key, entry.key, expected=entry.version)
    if gone is not None and call.resource.key == CRD_KEY:
        key = entry.name
        for other in store.entries(key)[0]:
            store.delete(key, other.key)
        call.core.registry.remove(entry.object)
    return gone
