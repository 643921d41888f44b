"""Names, labels and annotations: what the server demands of every object."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from playground.apiserver.errors import FieldError
from playground.apiserver.resources import RBAC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.resources import Resource

LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
PART = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
MOST_ANNOTATIONS = 256 * 1024
DNS_LABEL_KINDS = frozenset({"namespaces", "services"})
LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    f"an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL}')"
)
SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
)
NAME_PART_TEXT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    f"character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{PART}')"
)
VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def check_metadata(resource: Resource, metadata: Json) -> Iterator[FieldError]:
    """Yield the faults of an object's name, labels and annotations."""
    yield from _check_name(resource, metadata.get("name", ""))
    for key, value in (metadata.get("labels") or {}).items():
        yield from _check_key("metadata.labels", key)
        if len(value) > 63:
            yield FieldError("metadata.labels", f'Invalid value: "{value}": must be no more than 63 bytes')
        elif value and not re.fullmatch(PART, value):
            yield FieldError("metadata.labels", f'Invalid value: "{value}": {VALUE_TEXT}')
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        yield from _check_key("metadata.annotations", key.lower())
    if sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items()) > MOST_ANNOTATIONS:
        text = f"Too long: may not be more than {MOST_ANNOTATIONS} bytes"
        yield FieldError("metadata.annotations", text, "FieldValueTooLong")
    yield from _check_owners(metadata.get("ownerReferences") or ())


def _check_owners(owners: Sequence[Json]) -> Iterator[FieldError]:
    for owner in owners:
        for field, word in (("apiVersion", "version"), ("kind", "kind"), ("name", "name"), ("uid", "uid")):
            if not owner.get(field):
                text = f"Invalid value: {json.dumps(owner.get(field, ''))}: {word} must not be empty"
                yield FieldError(f"metadata.ownerReferences.{field}", text)
    controllers = [f"{owner.get('kind')}/{owner.get('name')}" for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        found = f'Found "true" in references for {" and ".join(controllers[:2])}'
        text = f"Invalid value: null: Only one reference can have Controller set to true. {found}"
        yield FieldError("metadata.ownerReferences", text)


def _check_name(resource: Resource, name: str) -> Iterator[FieldError]:
    if not name:
        yield FieldError("metadata.name", "Required value: name or generateName is required", "FieldValueRequired")
    elif resource.group == RBAC:
        if name in {".", ".."} or "/" in name or "%" in name:
            yield FieldError("metadata.name", f"Invalid value: \"{name}\": may not contain '/' or '%'")
    elif resource.key in DNS_LABEL_KINDS:
        yield from _check_text(name, LABEL, LABEL_TEXT, longest=63)
    else:
        yield from _check_text(name, SUBDOMAIN, SUBDOMAIN_TEXT, longest=253)


def _check_text(name: str, pattern: str, text: str, *, longest: int) -> Iterator[FieldError]:
    if len(name) > longest:
        yield FieldError("metadata.name", f'Invalid value: "{name}": must be no more than {longest} bytes')
    if not re.fullmatch(pattern, name):
        yield FieldError("metadata.name", f'Invalid value: "{name}": {text}')


def _check_key(field: str, key: str) -> Iterator[FieldError]:
    prefix, slash, name = key.rpartition("/")
    if slash and not re.fullmatch(SUBDOMAIN, prefix):
        yield FieldError(field, f'Invalid value: "{key}": prefix part {SUBDOMAIN_TEXT}')
    if not re.fullmatch(PART, name):
        yield FieldError(field, f'Invalid value: "{key}": {NAME_PART_TEXT}')
    elif len(name) > 63:
        yield FieldError(field, f'Invalid value: "{key}": name part must be no more than 63 bytes')


def wrong_metadata_type(metadata: object) -> str:
    """Return what is wrong with the shape of `metadata`, in the words of a Go decoder; empty if it is sound."""
    if not isinstance(metadata, dict):
        return f"json: cannot unmarshal {_go_type(metadata)} into Go value of type v1.ObjectMeta"
    for field in ("labels", "annotations"):
        values = metadata.get(field)
        if values is None:
            continue
        if not isinstance(values, dict):
            return f"json: cannot unmarshal {_go_type(values)} into Go struct field ObjectMeta.{field}"
        for value in values.values():
            if not isinstance(value, str):
                return (
                    f"json: cannot unmarshal {_go_type(value)} into Go struct field ObjectMeta.{field} of type string"
                )
    return ""


def _go_type(value: object) -> str:
    names = {bool: "bool", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
