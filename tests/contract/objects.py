"""The objects that the contract suite writes."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
GROUP = "contract.meshui.io"
ISTIO = "networking.istio.io"

WIDGET_SPEC: Json = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 100},
        "colour": {"type": "string", "enum": ["red", "green"]},
        "code": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 8},
        "parts": {
            "type": "array",
            "maxItems": 3,
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        "ratio": {"type": "number"},
        "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "mode": {"type": "string", "default": "plain"},
        "note": {"type": "string", "nullable": True},
        "tags": {"type": "object", "additionalProperties": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "choice": {
            "type": "object",
            "properties": {"left": {"type": "string"}, "right": {"type": "string"}},
            "oneOf": [{"required": ["left"]}, {"required": ["right"]}],
        },
    },
}


def widget_definition(plural: str = "widgets", kind: str = "Widget") -> Json:
    """Return a definition whose schema uses every keyword that the product's kinds use."""
    schema = {
        "type": "object",
        "properties": {
            "spec": WIDGET_SPEC,
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
        },
    }
    version = {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [{**version, "schema": {"openAPIV3Schema": schema}}],
        },
    }


def widget(name: str, size: Any = 1, **spec: Any) -> Json:
    """Return a Widget."""
    body = {"size": size, **spec}
    return {"apiVersion": f"{GROUP}/v1", "kind": "Widget", "metadata": {"name": name}, "spec": body}


def config_map(name: str, **data: str) -> Json:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def namespace(name: str, **labels: str) -> Json:
    """Return a Namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def splitting(name: str, **weights: int) -> Json:
    """Return a VirtualService that splits host `name` among subsets."""
    route = [{"destination": {"host": name, "subset": subset}, "weight": weight} for subset, weight in weights.items()]
    spec = {"hosts": [name], "http": [{"route": route, "timeout": "3s"}]}
    return {"apiVersion": f"{ISTIO}/v1", "kind": "VirtualService", "metadata": {"name": name}, "spec": spec}
