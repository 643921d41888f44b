"""A real cluster with Istio and a real one with Linkerd, and one route on both: what tests of changes stand on."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from lab.client import ApiError
from lab.samples import accept, deploy_shop, is_available, shop_objects
from meshes.models import Route as StoredRoute
from playground.south import ap_south
from tests.journey import add_by_verb
from tests.servers import wait_until
from tests.traffic.conftest import Way
from tests.traffic.matrix import swept
from traffic.models import Change, TargetStep
from traffic.types import TERMINAL, State, StepState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from accounts.models import User
    from lab.cluster import Cluster as LabCluster
    from lab.sessions import Lab

PLACE = "duo"
HTTP = "HTTPRoute.gateway.networking.k8s.io"
ISTIO = ("VirtualService", "DestinationRule")
Pair = tuple["LabCluster", "LabCluster"]


def _moved(body: dict[str, Any]) -> dict[str, Any]:
    """The object, in the namespace of these tests."""
    moved = copy.deepcopy(body)
    if moved["kind"] == "Namespace":
        moved["metadata"]["name"] = PLACE
    moved["metadata"]["namespace"] = PLACE
    return moved


def _ensure(cluster: LabCluster, bodies: list[dict[str, Any]]) -> None:
    for body in bodies:
        try:
            cluster.client.create(body)
        except ApiError as error:
            if error.status != 409:
                raise
    for body in bodies:
        if body["kind"] == "Deployment":
            cluster.wait(
                "Deployment", body["metadata"]["name"], body["metadata"]["namespace"], is_available, seconds=120
            )


def _istio() -> list[dict[str, Any]]:
    wanted = [o for o in shop_objects() if "shop" in {o["metadata"]["name"], o["metadata"].get("namespace")}]
    return [_moved(body) for body in wanted]


def _linkerd() -> list[dict[str, Any]]:
    """Linkerd's objects, and of its shop the checkout."""
    plane, shop = [], []
    for body in ap_south():
        name, namespace = body["metadata"]["name"], body["metadata"].get("namespace")
        if body["kind"] == "MutatingWebhookConfiguration":
            continue  # nobody answers it
        if (namespace == "shop" and name.startswith("checkout")) or (body["kind"], name) == ("Namespace", "shop"):
            shop.append(_moved(body))
        elif "linkerd" in {name, namespace}:
            plane.append(body)
    return [*plane, *shop]


@pytest.fixture
def single(lab: Lab) -> Iterator[LabCluster]:
    """A real cluster with Istio; checkout stands at 90/10 there, with nothing of ours on it."""
    first = min(lab.clusters[:2], key=lambda cluster: cluster.name)
    deploy_shop(first)  # its control plane
    clear(first, *ISTIO)
    _ensure(first, _istio())
    yield first
    clear(first, *ISTIO)


@pytest.fixture
def pair(single: LabCluster, lab: Lab, lab_crds: Path) -> Iterator[Pair]:
    """That one, and one with Linkerd, where checkout stands at 90/10 too."""
    second = max(lab.clusters[:2], key=lambda cluster: cluster.name)
    clear(second, HTTP)
    _ensure(second, _linkerd())
    accept(second, HTTP, "checkout", PLACE)
    yield single, second
    clear(second, HTTP)


def clear(cluster: LabCluster, *kinds: str) -> None:
    """No route, and nothing that a start made."""
    for kind in kinds:
        for body in cluster.list(kind, PLACE):
            cluster.delete(kind, body["metadata"]["name"], PLACE)


@pytest.fixture
def alone(single: LabCluster, author: User, approver: User, admin: User) -> Way:
    """The cluster with Istio added, and its route of checkout."""
    add_by_verb(single, admin)
    return Way(author, approver, routes_of("checkout"))


@pytest.fixture
def moving(pair: Pair, author: User, approver: User, admin: User) -> Way:
    """Both clusters added, and the routes of checkout there."""
    for cluster in pair:
        add_by_verb(cluster, admin)
    return Way(author, approver, routes_of("checkout"))


def routes_of(*names: str) -> list[StoredRoute]:
    """What is known of them, Istio's first."""
    rows = StoredRoute.objects.filter(namespace=PLACE, name__in=names, gone_at=None)
    return list(rows.order_by("mesh_kind").select_related("cluster"))


def run(way: Way, pair: Pair) -> Change:
    """Start the change; Linkerd has its word as soon as its route is written. As it ends."""
    way.start()
    conclude(way, pair)
    return way.now()


def conclude(way: Way, pair: Pair) -> None:
    """Until the change rests."""

    def rests() -> bool:
        written = TargetStep.objects.filter(change=way.now(), plan_target__mesh_kind="linkerd", state=StepState.WRITTEN)
        for step in written.exclude(op="delete").select_related("plan_target"):
            accept(pair[1], HTTP, step.plan_target.name, PLACE)
        return way.now().state in TERMINAL

    wait_until(swept(rests), seconds=60, what="the end of the change")


def weights(cluster: LabCluster) -> list[int]:
    """Of checkout, as the server with Istio holds them."""
    route = cluster.get("VirtualService", "checkout", PLACE)["spec"]["http"][-1]["route"]
    return [each["weight"] for each in route]


def shares(pair: Pair) -> tuple[list[int], list[int]]:
    """The weights of checkout, as the two servers hold them."""
    rule = pair[1].get(HTTP, "checkout", PLACE)["spec"]["rules"][-1]
    return weights(pair[0]), [each["weight"] for each in rule["backendRefs"]]


def rest(moving: Way, state: State) -> Change:
    """The change, once it stands there or has ended."""
    wait_until(swept(lambda: moving.now().state in {*TERMINAL, state}), seconds=60, what=f"the change {state}")
    return moving.now()
