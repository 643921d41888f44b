"""Who takes plaintext, as clusters are read: what moves it, what is not known, and what is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.models import Cluster
from clusters.services import remove_cluster
from meshes.models import Mesh, MtlsMode, Sync
from meshes.services import stocks
from meshui.lib import clock
from playground.worlds import peer_authentication
from tests.meshes.conftest import add, read
from tests.meshes.test_inventory_meshes import text_of
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
READS = ["get", "list", "watch"]


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Nothing is known of other tests."""
    stocks.drop_all()
    with zeal_ignore():
        yield
    stocks.drop_all()


def modes() -> dict[str, str]:
    """Namespace → mode, of those that are there."""
    return dict(MtlsMode.objects.filter(gone_at=None).values_list("namespace", "mode"))


def test_reading__policies_of_mesh_and_pods__modes_with_the_objects_that_say_so(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)

    shop, payments = MtlsMode.objects.get(namespace="shop"), MtlsMode.objects.get(namespace="payments")

    assert modes() == {"shop": "mixed", "payments": "strict"}
    assert (payments.scope, payments.origin) == ("mesh", "PeerAuthentication istio-system/default")
    assert shop.parts == [
        {
            "where": "port 8080 of pods with app=frontend",
            "mode": "permissive",
            "origin": "PeerAuthentication shop/frontend",
            "workloads": ["frontend-v1"],
        }
    ]


def test_reading__linkerd__modes_by_inbound_policy_and_server(
    ap_south: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(ap_south)

    payments = MtlsMode.objects.get(namespace="payments")

    assert modes() == {"shop": "permissive", "payments": "mixed"}
    assert payments.base == "strict"
    assert [(part["origin"], part["workloads"]) for part in payments.parts] == [
        ("Server payments/ledger-grpc", ["ledger-v1"])
    ]


def test_reading_again__policy_deleted_and_another_made__what_holds_now(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    before = modes()

    eu_west.delete("PeerAuthentication", "default", "istio-system")
    eu_west.load([peer_authentication("payments", "own", "DISABLE")])
    read(cluster)

    assert before == {"shop": "mixed", "payments": "strict"}
    assert modes() == {"shop": "permissive", "payments": "disabled"}


def test_reading_again__pods_get_another_label__the_workloads_that_a_policy_means(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)
    untouched = MtlsMode.objects.get(namespace="payments").read_at

    def relabel(deployment: Any) -> None:
        deployment["spec"]["template"]["metadata"]["labels"]["app"] = "front"

    eu_west.edit("Deployment", "frontend-v1", "shop", relabel)
    read(cluster)

    assert MtlsMode.objects.get(namespace="shop").parts[0]["workloads"] == []
    assert MtlsMode.objects.get(namespace="payments").read_at == untouched


def test_reading_again__nothing_moved__not_judged_again(
    eu_west: EmulatedCluster, added: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = added(eu_west)
    judged: list[object] = []

    def note(*found: object) -> dict[str, object]:
        judged.append(found)
        return {}

    monkeypatch.setattr("meshes.services.securing._judged", note)

    eu_west.edit("VirtualService", "checkout", "shop", lambda body: body["spec"]["http"][0].update(timeout="9s"))
    read(cluster)

    assert judged == []


def test_reading_again__namespace_leaves_the_mesh__it_is_no_longer_judged(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)

    eu_west.edit("Namespace", "shop", "", lambda body: body["metadata"]["labels"].pop("istio-injection"))
    read(cluster)

    assert modes() == {"payments": "strict"}


def without(*groups: str) -> list[dict[str, Any]]:
    """Rights to read everything but kinds of these groups."""
    every = ["", "apps", "admissionregistration.k8s.io", "gateway.networking.k8s.io", "networking.istio.io"]
    every += ["security.istio.io", "linkerd.io", "policy.linkerd.io"]
    return [{"apiGroups": [name for name in every if name not in groups], "resources": ["*"], "verbs": READS}]


def test_reading__no_right_to_read_policies__not_known_and_why_and_the_rest_is_fresh(
    client: Client, viewer: User, admin: User, eu_west: EmulatedCluster
) -> None:
    eu_west.grant("reader", without("security.istio.io"))
    cluster = add(eu_west, admin, config=eu_west.kubeconfig("reader"))
    read(cluster)
    client.force_login(viewer)

    page = text_of(client.get(f"/meshes/{Mesh.objects.get().pk}/"))

    assert modes() == {"shop": "unknown", "payments": "unknown"}
    assert "Not known" in page
    assert "give the reader the right to list them" in page
    assert "<code>peerauthentications.security.istio.io</code>" in page
    assert "lock-open" not in page
    cluster.refresh_from_db()
    assert cluster.last_synced_at is not None


def test_reading__a_kind_that_the_cluster_does_not_have__nothing_can_be_set_by_it(
    ap_south: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    ap_south.delete("CustomResourceDefinition", "authorizationpolicies.policy.linkerd.io")
    ap_south.load([serving_v1alpha1()])

    added(ap_south)

    assert modes() == {"shop": "permissive", "payments": "mixed"}
    assert not Sync.objects.exclude(error="").exists()


def serving_v1alpha1() -> dict[str, Any]:
    """Another kind of Linkerd in the version that AuthorizationPolicies have."""
    names = {"kind": "Other", "plural": "others", "singular": "other", "listKind": "OtherList"}
    version = {"name": "v1alpha1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "policy.linkerd.io", "scope": "Namespaced", "names": names, "versions": [version]}
    api = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**api, "metadata": {"name": "others.policy.linkerd.io"}, "spec": spec}


def test_reading__right_given_later__known(admin: User, eu_west: EmulatedCluster) -> None:
    eu_west.grant("reader", without("security.istio.io"))
    cluster = add(eu_west, admin, config=eu_west.kubeconfig("reader"))
    read(cluster)
    before = modes()

    eu_west.grant("reader", without())
    read(cluster)

    assert before == {"shop": "unknown", "payments": "unknown"}
    assert modes() == {"shop": "mixed", "payments": "strict"}
    assert Sync.objects.get(resource="peerauthentications.security.istio.io").error == ""


def test_reading__only_some_namespaces_are_read__mesh_wide_policies_are_not_taken_for_none(
    admin: User, eu_west: EmulatedCluster
) -> None:
    def move_root(body: Any) -> None:
        body["data"]["mesh"] = body["data"]["mesh"].replace("rootNamespace: istio-system", "rootNamespace: mesh-admin")

    eu_west.edit("ConfigMap", "istio", "istio-system", move_root)
    eu_west.load([peer_authentication("payments", "own", "PERMISSIVE")])
    cluster = add(eu_west, admin)
    Cluster.objects.filter(pk=cluster.pk).update(only_namespaces=["shop", "payments", "istio-system"])
    read(cluster)

    assert modes() == {"shop": "unknown", "payments": "permissive"}


def test_reading__configuration_not_readable_for_a_while__policies_of_the_mesh_stay_known(
    admin: User, eu_west: EmulatedCluster
) -> None:
    cluster = add(eu_west, admin)
    read(cluster)
    config = eu_west.get("ConfigMap", "istio", "istio-system")

    eu_west.delete("ConfigMap", "istio", "istio-system")
    read(cluster)
    while_gone = modes()
    eu_west.load([{**config, "metadata": {"name": "istio", "namespace": "istio-system"}}])
    read(cluster)

    assert while_gone == modes() == {"shop": "mixed", "payments": "strict"}


def test_reading__root_certificates__when_the_first_ends(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)

    found = Mesh.objects.get()

    assert found.root_ends_at is not None
    assert found.root_ends_at > clock.now() + timedelta(days=365)


def test_removal__what_was_judged__gone(
    client: Client, viewer: User, admin: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    cluster = added(eu_west)

    remove_cluster(actor=as_actor(admin), cluster_id=cluster.pk, reason="It was torn down.")

    assert modes() == {}
    client.force_login(viewer)
    assert client.get("/").context["there"].judged == 0
