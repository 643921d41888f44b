"""Reader, writer and the manifest of least rights against a real API server with Istio's CRDs and istiod's webhook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clusters.clients import (
    ClusterError,
    ForbiddenError,
    GuardedPatch,
    InvalidObjectError,
    LostRaceError,
    NotSentError,
    ObjectGoneError,
    ObjectRef,
    PatchOperation,
    Resource,
)
from clusters.kube import KubeWriter
from clusters.kube_lists import KubeReader
from clusters.kubeconfig import parse_kubeconfig
from clusters.manifests import Wish, rbac_manifest
from tests.clusters.raw_server import Authority
from tests.clusters.test_hostile import transport_to
from tests.clusters.test_kube import transport_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.cluster import Cluster

pytestmark = pytest.mark.lab
NAMESPACE = "clients"
ROUTES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
CHECKOUT = ObjectRef(ROUTES, NAMESPACE, "checkout")
WEIGHT = "/spec/http/0/route/{}/weight"


@pytest.fixture(scope="module")
def cluster(lab_cluster: Cluster) -> Cluster:
    """The lab's cluster with the manifest that the product hands out, and a route."""
    lab_cluster.load(rbac_manifest(Wish(writes=True, meshes=("istio",))))
    route = [{"destination": {"host": "checkout", "subset": f"v{n}"}, "weight": w} for n, w in ((1, 90), (2, 10))]
    lab_cluster.load(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
            {
                "apiVersion": "networking.istio.io/v1",
                "kind": "VirtualService",
                "metadata": {"name": "checkout", "namespace": NAMESPACE, "annotations": {"mine": "kept"}},
                "spec": {"hosts": ["checkout"], "http": [{"route": route}]},
            },
        ]
    )
    return lab_cluster


@pytest.fixture
def writer(cluster: Cluster) -> Iterator[KubeWriter]:
    """Signed in as the ServiceAccount meshui-writer of the manifest."""
    text = cluster.service_account_kubeconfig("meshui", "meshui-writer")
    made = KubeWriter(transport_of(cluster, text), field_manager="meshui")
    yield made
    made.close()


@pytest.fixture
def reader(cluster: Cluster) -> Iterator[KubeReader]:
    """Signed in as the ServiceAccount meshui-reader of the manifest."""
    made = KubeReader(transport_of(cluster, cluster.service_account_kubeconfig("meshui", "meshui-reader")))
    yield made
    made.close()


def moved(writer: KubeWriter, new: int) -> GuardedPatch:
    """A guarded patch of the weights as they are now."""
    body = writer.read(CHECKOUT)
    assert body is not None
    metadata: Any = body["metadata"]
    spec: Any = body["spec"]
    old = [entry["weight"] for entry in spec["http"][0]["route"]]
    operations = [PatchOperation("test", "/metadata/uid", metadata["uid"])]
    operations += [PatchOperation("test", "/metadata/resourceVersion", metadata["resourceVersion"])]
    operations += [PatchOperation("test", WEIGHT.format(index), weight) for index, weight in enumerate(old)]
    operations += [
        PatchOperation("replace", WEIGHT.format(0), new),
        PatchOperation("replace", WEIGHT.format(1), 100 - new),
    ]
    return GuardedPatch(CHECKOUT, tuple(operations))


def test_write__real_server__dry_run_then_stored_with_our_manager(writer: KubeWriter, cluster: Cluster) -> None:
    patch = moved(writer, 75)
    before = cluster.get("VirtualService", "checkout", NAMESPACE)

    dry: Any = writer.dry_run(patch)
    in_between = cluster.get("VirtualService", "checkout", NAMESPACE)
    stored: Any = writer.write(patch)

    after = cluster.get("VirtualService", "checkout", NAMESPACE)
    assert dry["spec"] == stored["spec"] == after["spec"]
    assert in_between == before
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1
    assert after["metadata"]["annotations"]["mine"] == "kept"
    assert any(entry["manager"] == "meshui" for entry in after["metadata"]["managedFields"])


def test_write__real_server_foreign_edit_between__lost_race_by_its_own_words(
    writer: KubeWriter, cluster: Cluster
) -> None:
    patch = moved(writer, 60)
    cluster.edit(
        "VirtualService", "checkout", NAMESPACE, lambda body: body["metadata"]["annotations"].update(foreign="hand")
    )
    before = cluster.get("VirtualService", "checkout", NAMESPACE)

    for send in (writer.dry_run, writer.write):
        with pytest.raises(LostRaceError) as lost:
            send(patch)
        assert lost.value.status == 422

    assert cluster.get("VirtualService", "checkout", NAMESPACE) == before


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (PatchOperation("replace", WEIGHT.format(0), "x"), "weight"),
        (PatchOperation("add", "/spec/wieght", 1), "wieght"),
        (PatchOperation("replace", WEIGHT.format(0), -1), "weight"),
    ],
)
def test_write__real_server_bad_object__invalid_with_its_words(
    operation: PatchOperation, words: str, writer: KubeWriter
) -> None:
    patch = GuardedPatch(CHECKOUT, (*moved(writer, 50).operations, operation))

    with pytest.raises(InvalidObjectError, match=words):
        writer.dry_run(patch)


def test_write__real_server_without_right_or_object__named(writer: KubeWriter, reader: KubeReader) -> None:
    services = Resource("", "v1", "services", "Service")
    kubernetes = ObjectRef(services, "default", "kubernetes")

    with pytest.raises(ForbiddenError, match="cannot patch resource"):
        writer.write(GuardedPatch(kubernetes, (PatchOperation("add", "/metadata/labels/x", "y"),)))
    with pytest.raises(ObjectGoneError):
        writer.write(GuardedPatch(ObjectRef(ROUTES, NAMESPACE, "none"), (PatchOperation("add", "/spec/x", 1),)))
    with pytest.raises(ForbiddenError):
        KubeWriter(reader.transport, field_manager="meshui").write(moved(writer, 50))


def test_list__real_server_small_pages__all_once(reader: KubeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 1)
    namespaces = Resource("", "v1", "namespaces", "Namespace", namespaced=False)

    listing = reader.list_objects(namespaces)

    names = [item["metadata"]["name"] for item in listing.items]  # type: ignore[index, call-overload]
    assert len(names) == len(set(names)) >= 5
    assert "kube-system" in names


@pytest.mark.parametrize("fault", ["other CA", "public roots", "wrong name"])
def test_s03_tls__bad_certificate_of_a_real_server__refused(fault: str, cluster: Cluster) -> None:
    ca_pem = {"other CA": Authority().pem, "public roots": ""}.get(fault, cluster.ca_pem.decode())
    transport = transport_to(cluster.url, ca_pem, tls_name="other.example" if fault == "wrong name" else "")

    with pytest.raises(NotSentError):
        KubeReader(transport).version()


def test_sign_in__real_server__certificate_taken_and_forged_token_rejected(cluster: Cluster) -> None:
    text = cluster.admin_kubeconfig()
    by_certificate = KubeReader(transport_of(cluster, text))
    forged = KubeReader(transport_to(cluster.url, cluster.ca_pem.decode()))

    assert parse_kubeconfig(text.encode()).kind == "certificate"
    assert by_certificate.identity().uid == cluster.uid
    with pytest.raises(ClusterError) as refused:
        forged.identity()
    assert refused.value.code == "credential_rejected"
