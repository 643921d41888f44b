"""create, update (PUT) and patch: read, judge, admit, compare and swap."""

from __future__ import annotations

import dataclasses
import json
import secrets
import uuid
from typing import TYPE_CHECKING

from playground.apiserver import errors, patches
from playground.apiserver.admission import Subject
from playground.apiserver.builtin import CRD_KEY, check_change, check_definition, fill_in_built_in
from playground.apiserver.decoding import duplicates, read_json, read_object
from playground.apiserver.errors import FieldError
from playground.apiserver.jsontypes import clone, timestamp
from playground.apiserver.messages import Response, answer
from playground.apiserver.objectmeta import check_metadata, wrong_metadata_type
from playground.apiserver.ownership import update_managed_fields
from playground.apiserver.pruning import fill_in, prune
from playground.apiserver.schemas import validate
from playground.apiserver.views import entry_json, in_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.store import Entry

SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
CARRIED = (
    *("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"),
    *("managedFields", "namespace"),
)
METADATA_FIELDS = frozenset(
    {*CARRIED, "name", "generateName", "selfLink", "resourceVersion"}
    | {"labels", "annotations", "finalizers", "ownerReferences"}
)
PATCH_TYPES = (patches.JSON_PATCH, patches.MERGE_PATCH, patches.APPLY_PATCH)


def create(call: Call) -> Response:
    """POST an object."""
    call.check_options()
    obj, complaints = read_object(call.request)
    created = create_object(call, obj, complaints)
    return Response(201, entry_json(call, created)) if not isinstance(created, dict) else answer(201, created)


def create_object(call: Call, obj: Json, complaints: list[str]) -> Entry | Json:
    """Make an object; return what was stored, or (dry run) what would have been."""
    _check_kind(call, obj)
    metadata = _new_metadata(call, obj)
    call = call.on(metadata.get("name", ""))
    _decode(call, obj, complaints)
    if call.resource.has_status and not call.is_trusted:
        obj.pop("status", None)
    if call.resource.key == CRD_KEY:
        check_definition(call, obj)
    _require_namespace(call)
    obj = call.core.admission.mutate(Subject(call, "CREATE", obj, None)) or obj
    fill_in_built_in(call, obj)
    _judge(call, obj)
    call.core.admission.validate(Subject(call, "CREATE", obj, None))
    update_managed_fields(None, obj, call.manager)
    if call.is_dry_run:
        if call.core.store.get(call.resource.key, call.key):
            raise errors.already_exists(call.resource, call.target.name)
        return obj
    entry = call.core.store.put(call.resource.key, obj, expected=0)
    if entry is None:
        raise errors.already_exists(call.resource, call.target.name)
    if call.resource.key == CRD_KEY:
        call.core.registry.install(obj)
    return entry


def _check_kind(call: Call, obj: Json) -> None:
    resource = call.resource
    if not resource.is_custom:  # a URL says what a built-in kind is; custom ones must say it themselves
        obj.setdefault("kind", resource.kind)
        obj.setdefault("apiVersion", resource.api_version)
    kind, api_version = obj.get("kind"), obj.get("apiVersion")
    if not kind:
        text = json.dumps(obj)
        why = f"the object provided is unrecognized (must be of type {resource.kind}): Object 'Kind' is missing in"
        raise errors.bad_request(f"{why} '{text}' ({text[:40]} ...)")
    if api_version != resource.api_version:
        text = f"the API version in the data ({api_version}) does not match the expected API version"
        raise errors.bad_request(f"{text} ({resource.api_version})")
    problem = wrong_metadata_type(obj.setdefault("metadata", {}))
    if problem:
        raise call.cannot_be_handled(obj, problem)
    if kind != resource.kind:
        raise _wrong_kind(call, obj)


def _wrong_kind(call: Call, obj: Json) -> errors.ApiError:
    resource, kind = call.resource, obj["kind"]
    if not resource.is_custom:
        why = f'no kind "{kind}" is registered for version "{resource.api_version}" in scheme'
        version = resource.version
        return errors.bad_request(f'{kind} in version "{version}" cannot be handled as a {resource.kind}: {why}')
    fault = FieldError("kind", f'Invalid value: "{kind}": must be {resource.kind}')
    return errors.invalid(dataclasses.replace(resource, kind=kind), obj["metadata"].get("name", ""), [fault])


def _new_metadata(call: Call, obj: Json) -> Json:
    metadata: Json = obj["metadata"]
    if call.resource.namespaced:
        if metadata.setdefault("namespace", call.target.namespace) != call.target.namespace:
            text = "the namespace of the provided object does not match the namespace sent on the request"
            raise errors.bad_request(text)
    else:
        metadata.pop("namespace", None)
    if metadata.pop("resourceVersion", "") and not call.is_trusted:
        raise errors.internal("resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + "".join(secrets.choice(SUFFIX) for _ in range(5))
    born = call.is_trusted and metadata.get("creationTimestamp")
    for field in (*CARRIED[:-1], "selfLink"):
        metadata.pop(field, None)
    metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": born or timestamp()}
    if call.resource.has_generation:
        metadata["generation"] = 1
    return metadata


def _decode(call: Call, obj: Json, complaints: list[str]) -> None:
    """Prune and fill in what the schema says; complain of what is unknown or doubled."""
    schema, metadata = call.resource.schema, obj["metadata"]
    unknown = [f"metadata.{field}" for field in metadata if field not in METADATA_FIELDS]
    obj["metadata"] = {field: value for field, value in metadata.items() if field in METADATA_FIELDS}
    if schema is not None:
        unknown += prune(schema, obj)
        fill_in(schema, obj)
    complaints = [*complaints, *(f'unknown field "{path}"' for path in unknown)]
    call.complain(obj, complaints)


def _judge(call: Call, obj: Json) -> None:
    """Raise ApiError 422 if names or fields are wrong."""
    faults = list(check_metadata(call.resource, obj["metadata"]))
    if call.resource.schema is not None:
        body = {key: value for key, value in obj.items() if key != "metadata"}
        faults += validate({**call.resource.schema, "required": _required(call)}, body)
    if faults:
        raise errors.invalid(call.resource, obj["metadata"].get("name", ""), faults)


def _required(call: Call) -> list[str]:
    names = (call.resource.schema or {}).get("required") or ()
    return [name for name in names if name != "metadata"]


def _require_namespace(call: Call) -> None:
    """Refuse to make anything in a namespace that is not there, or on its way out."""
    if not call.resource.namespaced:
        return
    name = call.target.namespace
    namespace = call.core.store.get("namespaces", name)
    if namespace is None:
        raise errors.not_found(call.core.registry.named("namespaces"), name)
    if "deletionTimestamp" in namespace.object["metadata"]:
        why = f"unable to create new content in namespace {name} because it is being terminated"
        error = errors.forbidden(call.resource, call.target.name, why)
        message = f"namespace {name} is being terminated"
        cause = {"reason": "NamespaceTerminating", "message": message, "field": "metadata.namespace"}
        error.details = {**(error.details or {}), "causes": [cause]}
        raise error


def replace(call: Call) -> Response:
    """PUT an object in the place of the one that is there."""
    call.check_options()
    body, complaints = read_object(call.request)
    _check_kind(call, body)
    _check_url(call, body["metadata"])

    def compute(_: Json) -> Json:
        obj = clone(body)
        if call.resource.is_custom and not obj["metadata"].get("resourceVersion"):
            fault = FieldError("metadata.resourceVersion", "Invalid value: 0: must be specified for an update")
            raise errors.invalid(call.resource, call.target.name, [fault])
        return obj

    return update(call, compute, complaints)


def _check_url(call: Call, metadata: Json) -> None:
    for field, wanted in (("name", call.target.name), ("namespace", call.target.namespace)):
        if field == "namespace" and not call.resource.namespaced:
            continue
        found = metadata.setdefault(field, wanted)
        if found != wanted:
            raise errors.bad_request(
                f"the {field} of the object ({found}) does not match the {field} on the URL ({wanted})"
            )


def patch(call: Call) -> Response:
    """PATCH an object: JSON Patch and merge patch are understood."""
    call.check_options()
    kind = call.request.content_type
    if kind not in PATCH_TYPES[:2]:
        raise errors.unsupported_media_type(PATCH_TYPES)
    body = read_json(call.request.body)
    if kind == patches.JSON_PATCH:
        return update(call, lambda old: patches.apply_json_patch(old, body), duplicates(body))
    if not isinstance(body, dict):
        raise errors.bad_request("json: cannot unmarshal into Go value of type map[string]interface {}")
    return update(call, lambda old: dict(patches.merge(old, body)), duplicates(body))


def update(call: Call, compute: Callable[[Json], Json], complaints: list[str]) -> Response:
    """Change an object by `compute`, again and again until no other write comes between."""
    while True:
        entry = call.core.store.get(call.resource.key, call.key)
        if entry is None:
            raise errors.not_found(call.resource, call.target.name)
        call.warnings.clear()
        new = compute(clone(in_version(call, entry.object)))
        done = _try_update(call, entry, new, complaints)
        if done is not None:
            return answer(200, done) if isinstance(done, dict) else Response(200, entry_json(call, done))


def _try_update(call: Call, entry: Entry, new: Json, complaints: list[str]) -> Entry | Json | None:
    """Return what was stored, or would be in a dry run; None if another write came first."""
    if not new.get("kind"):
        raise errors.invalid_result(new, f"Object 'Kind' is missing in '{json.dumps(new)}'")
    problem = wrong_metadata_type(new.setdefault("metadata", {}))
    if problem:
        raise call.cannot_be_handled(new, problem)
    _check_identity(call, entry.object, new)
    new = _merged(call, entry.object, new)
    _decode(call, new, complaints)
    new = call.core.admission.mutate(Subject(call, "UPDATE", new, entry.object)) or new
    _judge(call, new)
    check_change(call, entry.object, new)
    call.core.admission.validate(Subject(call, "UPDATE", new, entry.object))
    if _without_managers(new) == _without_managers(in_version(call, entry.object)):
        return entry
    if call.resource.has_generation and _spec(call, new) != _spec(call, entry.object):
        new["metadata"]["generation"] = entry.object["metadata"].get("generation", 1) + 1
    update_managed_fields(entry.object, new, call.manager, call.target.subresource)
    if call.is_dry_run:
        return new
    return _store(call, entry, new)


def _store(call: Call, entry: Entry, new: Json) -> Entry | None:
    store, key = call.core.store, call.resource.key
    metadata = new["metadata"]
    if "deletionTimestamp" in metadata and not metadata.get("finalizers") and key != "namespaces":
        return store.delete(key, entry.key, expected=entry.version, last=new)
    stored = store.put(key, new, expected=entry.version)
    if stored is not None and key == CRD_KEY:
        call.core.registry.install(new)
    return stored


def _check_identity(call: Call, old: Json, new: Json) -> None:
    """Refuse what would write over an object that the caller has not seen. Raises ApiError 400, 409."""
    wanted, found = new["metadata"], old["metadata"]
    if new["kind"] != old["kind"]:
        raise _wrong_kind(call, new)
    if not wanted.get("name"):
        name = found["name"]
        text = f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
        raise errors.bad_request(text)
    _check_url(call, wanted)
    uid = wanted.get("uid")
    if uid and uid != found["uid"]:
        if call.request.method == "PATCH":
            fault = FieldError("metadata.uid", f'Invalid value: "{uid}": field is immutable')
            raise errors.invalid(call.resource, found["name"], [fault])
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found['uid']}"
        raise errors.conflict(call.resource, found["name"], why)
    version = wanted.get("resourceVersion")
    if version and version != found["resourceVersion"]:
        raise errors.conflict(call.resource, found["name"])


def _merged(call: Call, old: Json, new: Json) -> Json:
    """Return `new` with all that this request may not change taken from `old`."""
    if call.target.subresource == "status":
        merged = {**in_version(call, old), "metadata": dict(old["metadata"])}
        merged.pop("status", None)
        return merged | ({"status": new["status"]} if "status" in new else {})
    metadata = {**new["metadata"], "resourceVersion": old["metadata"]["resourceVersion"]}
    for field in CARRIED:
        metadata.pop(field, None)
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
    merged = {**new, "metadata": {key: value for key, value in metadata.items() if value not in ({}, [], None)}}
    if call.resource.has_status and not call.is_trusted:
        merged.pop("status", None)
        merged |= {"status": old["status"]} if "status" in old else {}
    return merged


def _without_managers(obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _spec(call: Call, obj: Json) -> Json:
    ignored = {"metadata", "apiVersion", "kind"} | ({"status"} if call.resource.has_status else set())
    return {key: value for key, value in obj.items() if key not in ignored}
