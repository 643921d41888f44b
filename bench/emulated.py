"""The emulated cluster of a measurement: a process of its own, told what to do over a pipe."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from playground import worlds
from playground.cluster import EmulatedCluster

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

NAMESPACE = "bulk"


def serve(pipe: Connection, services: int) -> None:
    """The emulated cluster, until it is told to end."""
    with EmulatedCluster("bench") as cluster:
        cluster.load(worlds.many_services(services))
        cluster.settle()
        pipe.send(cluster.admin_kubeconfig())
        pipe.recv()
        names = [body["metadata"]["name"] for body in cluster.list("VirtualService", NAMESPACE)][::100]
        for name in names:
            cluster.edit("VirtualService", name, NAMESPACE, _halve)
        pipe.send(len(names))
        pipe.recv()


def serve_events(pipe: Connection, services: int, each_second: float) -> None:
    """The emulated cluster; told a number it moves so many routes, one after the other, until it is told to end.

    Answers, in their order, name and version of each, and when it began to move it (time.perf_counter, of all
    processes of a machine the same).
    """
    with EmulatedCluster("bench") as cluster:
        cluster.load(worlds.many_services(services))
        cluster.settle()
        pipe.send(cluster.admin_kubeconfig())
        names = [body["metadata"]["name"] for body in cluster.list("VirtualService", NAMESPACE)]
        moved, pause = 0, threading.Event()
        while (told := pipe.recv()) != "end":
            done: list[tuple[str, int, float]] = []
            start = time.perf_counter()
            for place in range(int(told)):
                pause.wait(max(0.0, start + place / each_second - time.perf_counter()))
                name, began = names[moved % len(names)], time.perf_counter()
                body = cluster.edit("VirtualService", name, NAMESPACE, _next)
                done.append((name, int(body["metadata"]["resourceVersion"]), began))
                moved += 1
            pipe.send(done)


def _halve(body: dict[str, Any]) -> None:
    for entry in body["spec"]["http"][0]["route"]:
        entry["weight"] = 50


def _next(body: dict[str, Any]) -> None:
    """One per cent more for the second version; what has all of it begins anew."""
    first, second = body["spec"]["http"][0]["route"]
    second["weight"] = (second["weight"] + 1) % 101
    first["weight"] = 100 - second["weight"]
