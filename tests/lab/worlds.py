"""Golden cases on a real server: each in namespaces of its own, so that many stand beside each other."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import GuardedCreate, GuardedDelete, GuardedPatch
from clusters.kube import KubeWriter
from clusters.kube_lists import KubeReader
from lab.client import ApiError
from meshes.types import Route
from tests.clusters.test_kube import transport_of
from traffic.marks import mark_operations, marked, uid_of, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clusters.clients import Write
    from lab.cluster import Cluster
    from meshes.adapters.base import MeshAdapter
    from meshes.types import NativeWrite
    from meshui.lib.jsontypes import JsonObject
    from tests.meshes.golden import Case

PLACES = ("shop", "front", "legacy", "pay", "other")
"""The namespaces of golden cases."""
SERVER_FIELDS = ("uid", "resourceVersion", "generation", "creationTimestamp")
MARK = "test/1"


@dataclass(frozen=True)
class World:
    """One golden case in namespaces that end in `number`."""

    adapter: MeshAdapter
    case: Case
    number: str

    @property
    def name(self) -> str:
        """As a test id."""
        return f"{self.case.folder.parent.name}-{self.case.name}"

    def here(self, value: Any) -> Any:
        """`value` of the case, with the names of these namespaces."""
        text = re.sub(rf"(?<![\w-])({'|'.join(PLACES)})(?![\w-])", rf"\1{self.number}", json.dumps(value))
        return json.loads(text)

    def live(self) -> JsonObject | None:
        """The route object, as it is made."""
        return cast("JsonObject | None", self.here(self.case.live()))

    def desired(self) -> Route | None:
        """The wish."""
        found = self.case.desired()
        return Route.from_json(self.here(found.to_json())) if found else None

    def namespaces(self) -> list[JsonObject]:
        """Every one of the case, with its labels and annotations."""
        told = [body for body in self.here(list(self.case.around().companions)) if body["kind"] == "Namespace"]
        found = {body["metadata"]["name"]: body for body in told}
        for name in {body["metadata"]["namespace"] for body in cast("Any", self.objects())}:
            found.setdefault(name, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return [_fresh(body) for body in found.values()]

    def objects(self) -> list[JsonObject]:
        """What stands there, the route last; of routes of Services every Service that they name, with port 8080."""
        around, live = self.case.around(), self.live()
        others = self.here([*around.services.values(), *around.companions, *around.rivals])
        bodies = [body for body in others if body["kind"] != "Namespace"]
        known = {(b["metadata"]["namespace"], b["metadata"]["name"]) for b in bodies if b["kind"] == "Service"}
        wanted = set(self._named())
        if live is None or live["kind"] != "VirtualService":
            bodies += [service(*place) for place in sorted(wanted - known)]
        return [_fresh(body) for body in (*bodies, *([live] if live else []))]

    def _named(self) -> Iterator[tuple[str, str]]:
        live = self.live()
        for route in filter(None, (self.desired(), self.adapter.live(live).route if live else None)):
            backends = [weighted.backend for rule in route.rules for weighted in rule.backends]
            for name, namespace in (
                (route.root.service, route.root.namespace),
                *((b.service, b.namespace) for b in backends),
            ):
                if re.fullmatch(r"[a-z0-9-]+", name):
                    yield namespace, name


def service(namespace: str, name: str, *ports: int) -> JsonObject:
    """A Service without pods."""
    spec = {"ports": [{"name": f"http-{port}", "port": port} for port in ports or (8080,)]}
    metadata = {"name": name, "namespace": namespace}
    return cast("JsonObject", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def _fresh(body: Any) -> JsonObject:
    """Without what the server alone writes."""
    metadata = {key: value for key, value in body["metadata"].items() if key not in SERVER_FIELDS}
    return {**{key: value for key, value in body.items() if key != "status"}, "metadata": metadata}


def make(cluster: Cluster, worlds: Sequence[World]) -> dict[str, ApiError]:
    """All of them, a few side by side; what the server refused, by the world's name."""

    def one(world: World) -> ApiError | None:
        try:
            cluster.load([*world.namespaces(), *world.objects()])
        except ApiError as error:
            return error
        return None

    with ThreadPoolExecutor(4) as pool:
        found = zip(worlds, pool.map(one, worlds), strict=True)
        return {world.name: error for world, error in found if error is not None}


def let_go(cluster: Cluster, worlds: Iterable[World]) -> None:
    """Ask for the end of all their namespaces, and do not wait for it."""
    for world in worlds:
        for body in world.namespaces():
            cluster.request("DELETE", f"/api/v1/namespaces/{cast('Any', body)['metadata']['name']}")


class Hands:
    """The product's own clients, as the cluster's administrator."""

    def __init__(self, cluster: Cluster) -> None:
        self.reader = KubeReader(transport_of(cluster))
        self.writer = KubeWriter(transport_of(cluster), field_manager="meshui")

    def send(self, write: NativeWrite) -> tuple[Any, Any, Any]:
        """(before, as the dry run said, after): each None where there is none."""
        before = self.writer.read(write.ref)
        sent = guarded(write, before)
        promised = self.writer.dry_run(sent)
        assert self.writer.read(write.ref) == before
        self.writer.write(sent)
        return before, promised, self.writer.read(write.ref)

    def close(self) -> None:
        """Drop the connections."""
        self.reader.close()
        self.writer.close()


def guarded(write: NativeWrite, live: JsonObject | None) -> Write:
    """As the product sends it."""
    if write.op == "create":
        return GuardedCreate(write.ref, marked(write.body, MARK))
    assert live is not None
    if write.op == "delete":
        return GuardedDelete(write.ref, uid_of(live), version_of(live))
    return GuardedPatch(write.ref, (*mark_operations(live, MARK), *write.operations))
