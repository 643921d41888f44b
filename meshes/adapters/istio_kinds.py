"""Istio's own kinds, and which version of them goes where. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.clients import ObjectRef, Resource
from meshes.adapters import gateway_kinds
from meshes.adapters.istio_detect import WEBHOOKS
from meshes.adapters.natives import name_of, namespace_of

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject

GROUP = "networking.istio.io"
VERSIONS = ("v1", "v1beta1", "v1alpha3")
"""Newest first; the same fields under each (1.22 began to serve v1)."""
KINDS = (("virtualservices", "VirtualService"), ("destinationrules", "DestinationRule"))


def resources(served: frozenset[str]) -> tuple[Resource, ...]:
    """What is listed, routes first; empty where the cluster serves no VirtualServices."""
    version = next((v for v in VERSIONS if f"{GROUP}/{v}" in served), None)
    if version is None:
        return ()
    routes, rules = (Resource(GROUP, version, plural, kind) for plural, kind in KINDS)
    return (routes, *gateway_kinds.resources(served), rules, WEBHOOKS)


def version_of(body: JsonObject) -> str:
    """The version that an object was read in: a patch goes where the read came from."""
    version = str(body.get("apiVersion") or "").rpartition("/")[2]
    return version if version in VERSIONS else VERSIONS[0]


def ref_of(body: JsonObject) -> ObjectRef:
    """A VirtualService."""
    return ObjectRef(Resource(GROUP, version_of(body), *KINDS[0]), namespace_of(body), name_of(body))
