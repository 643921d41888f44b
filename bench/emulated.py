"""The emulated cluster of a measurement: a process of its own, told what to do over a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground import worlds
from playground.cluster import EmulatedCluster

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


def serve(pipe: Connection, services: int) -> None:
    """The emulated cluster, until it is told to end."""
    with EmulatedCluster("bench") as cluster:
        cluster.load(worlds.many_services(services))
        cluster.settle()
        pipe.send(cluster.admin_kubeconfig())
        pipe.recv()
        names = [body["metadata"]["name"] for body in cluster.list("VirtualService", "bulk")][::100]
        for name in names:
            cluster.edit("VirtualService", name, "bulk", _halve)
        pipe.send(len(names))
        pipe.recv()


def _halve(body: dict[str, Any]) -> None:
    for entry in body["spec"]["http"][0]["route"]:
        entry["weight"] = 50
