"""A reader that is given some namespaces: it lists them one by one, so that nobody above needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.clients import ForbiddenError, ObjectGoneError
from clusters.kube_lists import KubeReader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from clusters.clients import Resource, WatchEvent, WatchStream
    from clusters.transport import Transport

EMPTY = b'{"metadata":{},"items":[]}'


class ScopedReader(KubeReader):
    """Lists kinds in the given namespaces alone; of Namespaces, those.

    A kind of the whole cluster that is forbidden is empty: a credential of some namespaces may not list it, and the
    page of the cluster says so. Watching is refused: it would need a watch per kind and namespace.
    """

    def __init__(self, transport: Transport, namespaces: Sequence[str]) -> None:
        super().__init__(transport)
        self._namespaces = tuple(namespaces)

    def watch(self, resource: Resource, resource_version: str) -> WatchStream:
        """One that is refused."""
        return _Refused(resource)

    def _bodies(self, resource: Resource, path: str, query: Mapping[str, str], accept: str = "") -> Iterator[bytes]:
        """The pages of each namespace, one after the other. Raises ClusterError; one that fails fails the list."""
        if path != resource.path():  # of one namespace
            yield from super()._bodies(resource, path, query, accept)
        elif resource.namespaced:
            for namespace in self._namespaces:
                yield from super()._bodies(resource, resource.path(namespace), query, accept)
        elif (resource.group, resource.plural) == ("", "namespaces"):
            yield self._own_namespaces(resource)
        else:
            yield from self._if_allowed(resource, path, query, accept)

    def _own_namespaces(self, resource: Resource) -> bytes:
        found = []
        for name in self._namespaces:
            try:
                found.append(self.transport.get(resource.path(name=name)))
            except ObjectGoneError:
                continue
        return b'{"metadata":{},"items":[' + b",".join(found) + b"]}"

    def _if_allowed(self, resource: Resource, path: str, query: Mapping[str, str], accept: str) -> Iterator[bytes]:
        try:
            yield from super()._bodies(resource, path, query, accept)
        except ForbiddenError:
            yield EMPTY


class _Refused:
    """A watch that is not there."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def __iter__(self) -> Iterator[WatchEvent]:
        """Raise ForbiddenError."""
        raise ForbiddenError(f"{self._resource.plural} are read namespace by namespace, and not watched.", status=403)

    def stop(self) -> None:
        """Nothing runs."""
