"""The kinds a server knows: the built-in ones, and those that CustomResourceDefinitions bring."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playground.apiserver.jsontypes import Json

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
RBAC = "rbac.authorization.k8s.io"
ADMISSION = "admissionregistration.k8s.io"
CRD_GROUP = "apiextensions.k8s.io"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one version: how it is named, where it lives, what it can do."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    has_status: bool = False
    has_generation: bool = False
    is_custom: bool = False
    short_names: tuple[str, ...] = ()
    schema: Json | None = field(default=None, hash=False, compare=False)

    @property
    def key(self) -> str:
        """The name in messages and in the store: `pods`, `virtualservices.networking.istio.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _core(plural: str, kind: str, *, namespaced: bool = True, has_status: bool = False) -> Resource:
    return Resource("", "v1", plural, kind, namespaced=namespaced, has_status=has_status)


def _apps(plural: str, kind: str) -> Resource:
    return Resource("apps", "v1", plural, kind, has_status=True, has_generation=True)


def _cluster(group: str, plural: str, kind: str, *, has_generation: bool = False) -> Resource:
    return Resource(group, "v1", plural, kind, namespaced=False, has_generation=has_generation)


BUILT_IN: tuple[Resource, ...] = (
    _core("namespaces", "Namespace", namespaced=False, has_status=True),
    _core("nodes", "Node", namespaced=False, has_status=True),
    _core("services", "Service", has_status=True),
    _core("pods", "Pod", has_status=True),
    _core("configmaps", "ConfigMap"),
    _core("serviceaccounts", "ServiceAccount"),
    _core("secrets", "Secret"),
    _core("events", "Event"),
    _apps("deployments", "Deployment"),
    _apps("replicasets", "ReplicaSet"),
    _apps("daemonsets", "DaemonSet"),
    _apps("statefulsets", "StatefulSet"),
    Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", has_generation=True),
    Resource("coordination.k8s.io", "v1", "leases", "Lease"),
    _cluster(RBAC, "clusterroles", "ClusterRole"),
    _cluster(RBAC, "clusterrolebindings", "ClusterRoleBinding"),
    Resource(RBAC, "v1", "roles", "Role"),
    Resource(RBAC, "v1", "rolebindings", "RoleBinding"),
    _cluster(ADMISSION, "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", has_generation=True),
    _cluster(ADMISSION, "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", has_generation=True),
    Resource(
        CRD_GROUP,
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        namespaced=False,
        has_status=True,
        has_generation=True,
        short_names=("crd", "crds"),
    ),
)

# Kinds that are asked and never stored: only `create` exists.
REVIEWS: tuple[Resource, ...] = (
    _cluster("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    _cluster("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    _cluster("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
)


class Registry:
    """Finds a kind by the words of a URL or of an object. Safe to use from several threads."""

    def __init__(self) -> None:
        """Know the built-in kinds."""
        self._lock = threading.Lock()
        self._kinds = {(kind.group, kind.version, kind.plural): kind for kind in (*BUILT_IN, *REVIEWS)}

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the kind of a URL, or None."""
        return self._kinds.get((group, version, plural))

    def is_built_in(self, group: str) -> bool:
        """Tell whether a group is one of the server's own: unknown kinds of others are no API at all."""
        return any(kind.group == group for kind in BUILT_IN)

    def for_object(self, api_version: str, kind: str) -> Resource | None:
        """Return the kind of an object, or None."""
        for resource in self:
            if resource.kind == kind and resource.api_version == api_version:
                return resource
        return None

    def named(self, name: str) -> Resource:
        """Return the kind that is called `name`: a kind ("Pod") or a key ("pods"). Raises KeyError.

        A kind that several groups have must be named with its group; the core group needs none.
        """
        found = [each for each in self if name in {each.kind, each.key, f"{each.kind}.{each.group}"}]
        groups = sorted({each.group for each in found})
        if not found:
            raise KeyError(f"This server has no kind {name!r}.")
        if len(groups) > 1 and groups[0]:
            raise KeyError(f"{name} is in several groups: {', '.join(groups)}.")
        return next(each for each in found if each.group == groups[0])

    def __iter__(self) -> Iterator[Resource]:
        """Go through all kinds, in the order in which they came."""
        with self._lock:
            return iter(list(self._kinds.values()))

    def install(self, definition: Json) -> None:
        """Serve what a CustomResourceDefinition describes, in place of what it described before."""
        self.remove(definition)
        with self._lock:
            for kind in custom_kinds(definition):
                self._kinds[kind.group, kind.version, kind.plural] = kind

    def remove(self, definition: Json) -> None:
        """Serve a CustomResourceDefinition no more."""
        spec = definition["spec"]
        wanted = (spec["group"], spec["names"]["plural"])
        with self._lock:
            for key in [key for key in self._kinds if (key[0], key[2]) == wanted]:
                del self._kinds[key]


def custom_kinds(definition: Json) -> Iterator[Resource]:
    """Yield a kind per served version of a CustomResourceDefinition, the newest first."""
    spec = definition["spec"]
    names = spec["names"]
    base = Resource(
        spec["group"],
        "",
        names["plural"],
        names["kind"],
        namespaced=spec.get("scope") != "Cluster",
        has_generation=True,
        is_custom=True,
        short_names=tuple(names.get("shortNames") or ()),
    )
    for version in spec["versions"]:
        if version.get("served"):
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            has_status = "status" in (version.get("subresources") or {})
            yield replace(base, version=version["name"], has_status=has_status, schema=schema)
