"""Who takes plaintext, read from real API servers with the real definitions, by the rights that the manifest grants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.kubeconfig import parse_kubeconfig
from clusters.manifests import HOME, READER, Wish, rbac_manifest
from clusters.services import NewCluster, add_cluster
from lab.samples import SHOP, deploy_shop
from meshes.models import MtlsMode, Sync
from meshes.services import stocks
from playground import south
from playground.worlds import peer_authentication
from tests.lab.test_cluster_rights import applied, take_away
from tests.meshes.conftest import read
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from accounts.models import User
    from clusters.models import Cluster
    from lab.cluster import Cluster as LabCluster
    from lab.sessions import Lab

pytestmark = [pytest.mark.lab, pytest.mark.django_db]
SYSTEM = "istio-system"
TILL = {"group": "policy.linkerd.io", "kind": "Server", "name": "till-http"}
ANYONE = {"group": "policy.linkerd.io", "kind": "NetworkAuthentication", "name": "anyone"}


@pytest.fixture(autouse=True)
def _several_acts() -> Iterator[None]:
    """A test calls verbs one after another: not the N+1 that zeal looks for. Nothing is known of other tests."""
    stocks.drop_all()
    with zeal_ignore():
        yield
    stocks.drop_all()


@pytest.fixture
def east(lab: Lab, lab_crds: Path) -> Iterator[LabCluster]:
    """A real cluster with the shop of Istio, and the rights that MeshUI prints."""
    assert lab_crds.is_dir()
    cluster = next(each for each in lab.clusters if each.name == "east")
    deploy_shop(cluster)
    cluster.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "linkerd"}}])
    made = applied(cluster, rbac_manifest(Wish()))
    yield cluster
    take_away(cluster, made)
    cluster.delete("Namespace", "linkerd")


@pytest.fixture
def cluster(east: LabCluster, admin: User) -> Cluster:
    """The same as MeshUI knows it, by its reader's token."""
    parsed = parse_kubeconfig(east.service_account_kubeconfig(HOME, READER).encode())
    return add_cluster(actor=as_actor(admin), new=NewCluster("East", "east", "staging", parsed))


def mode_of(namespace: str) -> MtlsMode:
    """What is known of a namespace."""
    return MtlsMode.objects.get(namespace=namespace, gone_at=None)


def test_modes__istio__real_policies_made_and_deleted(east: LabCluster, cluster: Cluster) -> None:
    policies = [
        peer_authentication(SYSTEM, "default", "STRICT"),
        peer_authentication(SHOP, "till", app="checkout", p8080="PERMISSIVE"),
    ]
    east.load(policies)
    read(cluster)
    found = mode_of(SHOP)
    told = (found.mode, found.base, found.origin, [(part["mode"], part["workloads"]) for part in found.parts])
    for policy in policies:
        east.delete("PeerAuthentication", policy["metadata"]["name"], policy["metadata"]["namespace"])
    read(cluster)

    assert told == (
        "mixed",
        "strict",
        f"PeerAuthentication {SYSTEM}/default",
        [("permissive", ["checkout-v1", "checkout-v2"])],
    )
    assert (mode_of(SHOP).mode, mode_of(SHOP).scope) == ("permissive", "default")
    assert Sync.objects.get(resource="peerauthentications.security.istio.io").error == ""


def linkerd_objects() -> list[dict[str, Any]]:
    """A control plane of Linkerd, and a namespace that takes mutual TLS alone but for one port."""
    plane = [body for body in south.linkerd() if body["kind"] in {"Deployment", "ConfigMap"}]
    annotations = {"linkerd.io/inject": "enabled", south.INBOUND: "all-authenticated"}
    policy = {"apiVersion": "policy.linkerd.io/v1alpha1", "kind": "AuthorizationPolicy"}
    return [
        *plane,
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "till", "annotations": annotations}},
        {
            "apiVersion": "policy.linkerd.io/v1beta3",
            "kind": "Server",
            "metadata": {"name": "till-http", "namespace": "till"},
            "spec": {"podSelector": {"matchLabels": {"app": "till"}}, "port": 8080},
        },
        {
            **policy,
            "metadata": {"name": "open", "namespace": "till"},
            "spec": {"targetRef": TILL, "requiredAuthenticationRefs": [ANYONE]},
        },
    ]


def test_modes__linkerd__real_servers_and_authorizations(east: LabCluster, cluster: Cluster) -> None:
    east.load(linkerd_objects())

    read(cluster)
    found = mode_of("till")
    east.delete("Namespace", "till")  # and with it what stands there

    assert (found.mode, found.base) == ("mixed", "strict")
    assert [(part["where"], part["mode"], part["origin"]) for part in found.parts] == [
        (
            "port 8080 of pods with app=till",
            "permissive",
            "Server till/till-http, AuthorizationPolicy till/open",
        )
    ]
    errors = Sync.objects.filter(resource__endswith="policy.linkerd.io").exclude(error="")
    assert not errors.exists()
