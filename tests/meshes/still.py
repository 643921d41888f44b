"""A cluster that stands still: what adapters read of one, from plain objects, without a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from clusters.clients import ForbiddenError, Listing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.clients import ObjectRef, Reader, Resource
    from meshui.lib.jsontypes import JsonObject


class Still:
    """As much of a Reader as adapters use. `forbidden`: what may not be read, as `plural` or `plural/namespace`.

    `plural/*` forbids the list over all namespaces alone.
    """

    def __init__(self, objects: Iterable[Any], served: Iterable[str] = (), forbidden: Iterable[str] = ()) -> None:
        self.objects = [_full(body) for body in objects]
        self.served = frozenset(served)
        self.forbidden = frozenset(forbidden)

    def api_groups(self) -> frozenset[str]:
        """What it serves."""
        return self.served

    def get_object(self, ref: ObjectRef) -> JsonObject | None:
        """One object."""
        self._refuse(ref.resource.plural, ref.namespace)
        found = [body for body in self._of(ref.resource) if _place(body) == (ref.namespace, ref.name)]
        return found[0] if found else None

    def list_objects(self, resource: Resource, *, label_selector: str = "", namespace: str = "") -> Listing:
        """All of a kind, or of a kind in one namespace."""
        assert not label_selector
        self._refuse(resource.plural, namespace or "*")
        found = [body for body in self._of(resource) if not namespace or _place(body)[0] == namespace]
        return Listing(resource, tuple(found), "1")

    def _of(self, resource: Resource) -> list[JsonObject]:
        group = resource.api_version.rpartition("/")[0]
        of_kind = [body for body in self.objects if body["kind"] == resource.kind]
        return [body for body in of_kind if str(body["apiVersion"]).rpartition("/")[0] == group]

    def _refuse(self, plural: str, namespace: str) -> None:
        if {plural, f"{plural}/{namespace}"} & self.forbidden:
            raise ForbiddenError(f"{plural} in {namespace} is forbidden")

    @property
    def reader(self) -> Reader:
        """As an adapter takes it."""
        return cast("Reader", self)


def _full(body: Any) -> JsonObject:
    metadata = {"uid": f"uid-{body['kind']}-{body['metadata']['name']}", **body["metadata"]}
    return cast("JsonObject", {"apiVersion": "v1", **body, "metadata": metadata})


def _place(body: JsonObject) -> tuple[str, str]:
    metadata = cast("dict[str, str]", body["metadata"])
    return metadata.get("namespace", ""), metadata["name"]
