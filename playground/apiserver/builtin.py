"""What the server fills in for its own kinds."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from playground.apiserver import errors
from playground.apiserver.errors import FieldError
from playground.apiserver.jsontypes import timestamp
from playground.apiserver.resources import ADMISSION, CRD_GROUP

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json

CRD_KEY = f"customresourcedefinitions.{CRD_GROUP}"
_lock = threading.Lock()
_addresses = itertools.count(10)


def next_address(network: str) -> str:
    """Return an address that no other object has: `network` is its first half, like "10.99"."""
    with _lock:
        number = next(_addresses)
    return f"{network}.{number // 250 % 250}.{number % 250 + 1}"


def _namespace(obj: Json) -> None:
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    metadata["labels"] = {"kubernetes.io/metadata.name": metadata["name"], **labels}
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj["status"] = {"phase": "Active"}


def _service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("clusterIP", next_address("10.0"))
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port["port"])
    obj.setdefault("status", {"loadBalancer": {}})


def _pod(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("serviceAccountName", "default")
    obj.setdefault("status", {"phase": "Pending"})


def _deployment(obj: Json) -> None:
    obj.setdefault("spec", {}).setdefault("replicas", 1)
    obj.setdefault("status", {})


def _mutating_webhooks(obj: Json) -> None:
    _validating_webhooks(obj)
    for webhook in obj.get("webhooks") or ():
        webhook.setdefault("reinvocationPolicy", "Never")


def _validating_webhooks(obj: Json) -> None:
    filled = {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10}
    for webhook in obj.get("webhooks") or ():
        for field, value in {**filled, "namespaceSelector": {}, "objectSelector": {}}.items():
            webhook.setdefault(field, value)
        for rule in webhook.get("rules") or ():
            rule.setdefault("scope", "*")
        if "service" in webhook["clientConfig"]:
            webhook["clientConfig"]["service"].setdefault("port", 443)


def _definition(obj: Json) -> None:
    spec = obj["spec"]
    names = spec["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    now = timestamp()
    conditions = [
        {"type": "NamesAccepted", "reason": "NoConflicts", "message": "no conflicts found"},
        {"type": "Established", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"},
    ]
    obj["status"] = {
        "conditions": [{**each, "status": "True", "lastTransitionTime": now} for each in conditions],
        "acceptedNames": names,
        "storedVersions": [version["name"] for version in spec["versions"] if version.get("storage")],
    }


DEFAULTS: dict[str, Callable[[Json], None]] = {
    "namespaces": _namespace,
    "services": _service,
    "pods": _pod,
    "deployments.apps": _deployment,
    f"mutatingwebhookconfigurations.{ADMISSION}": _mutating_webhooks,
    f"validatingwebhookconfigurations.{ADMISSION}": _validating_webhooks,
    CRD_KEY: _definition,
}


def fill_in_built_in(call: Call, obj: Json) -> None:
    """Fill in what the server adds to an object of its own kinds when it is made."""
    filler = DEFAULTS.get(call.resource.key)
    if filler is not None:
        filler(obj)


def check_change(call: Call, old: Json, new: Json) -> None:
    """Refuse a change of what may not change. Raises ApiError 422."""
    if call.resource.key == "configmaps" and old.get("immutable"):
        text = "Forbidden: field is immutable when `immutable` is set"
        fields = [field for field in ("data", "binaryData", "immutable") if old.get(field) != new.get(field)]
        faults = [FieldError(field, text, "FieldValueForbidden") for field in fields]
        if faults:
            raise errors.invalid(call.resource, new["metadata"]["name"], faults)


def check_definition(call: Call, obj: Json) -> None:
    """Refuse a CustomResourceDefinition that cannot be served. Raises ApiError 422."""
    spec = obj.get("spec") or {}
    names = spec.get("names") or {}
    faults = [
        FieldError(f"spec.{field}", "Required value", "FieldValueRequired")
        for field in ("group", "scope", "names", "versions")
        if not spec.get(field)
    ]
    name = obj["metadata"].get("name", "")
    if not faults and name != f"{names.get('plural')}.{spec['group']}":
        text = f'Invalid value: "{name}": must be spec.names.plural+"."+spec.group'
        faults.append(FieldError("metadata.name", text))
    if faults:
        raise errors.invalid(call.resource, name, faults)
