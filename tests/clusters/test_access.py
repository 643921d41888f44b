"""What credentials may do, kind by kind: asked once, in time, and said in words that name what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from zeal import zeal_ignore

from clusters import access, services
from clusters.clients import BadAnswerError, CredentialRejectedError
from clusters.connect import inspector_for
from clusters.manifests import HOME, READER, WRITER, Wish, rbac_manifest
from clusters.models import Credential, Health
from clusters.selectors import excess, get_cluster, rights_table, wish_of
from playground import parts
from tests.clusters.makers import checked, parsed, register
from tests.people import as_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User
    from clusters.models import Cluster
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
ISTIO = frozenset({"virtualservices.networking.istio.io", "destinationrules.networking.istio.io"})


@pytest.fixture(autouse=True)
def several_acts() -> Iterator[None]:
    """A test calls verbs one after another, as many requests would: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def by_manifest(server: EmulatedCluster, wish: Wish, admin: User) -> Cluster:
    """Registered as an operator would who applied what MeshUI prints; not tested yet."""
    server.load(yaml.safe_load_all(rbac_manifest(wish)))
    cluster = register(server.name, text=server.service_account_kubeconfig(HOME, READER), namespaces=wish.namespaces)
    if wish.writes:
        writer = parsed(server.service_account_kubeconfig(HOME, WRITER))
        actor = as_actor(admin)
        services.replace_credential(actor=actor, cluster_id=cluster.pk, role="writer", kubeconfig=writer)
        services.allow_writes(actor=actor, cluster_id=cluster.pk)
    return cluster


def states(cluster: Cluster, role: str = "reader") -> dict[str, str]:
    """Label → state."""
    return {row["label"]: row["state"] for row in cluster.access if row["role"] == role}


@pytest.mark.parametrize("mesh", ["istio", "linkerd"])
@pytest.mark.parametrize("writes", [False, True])
def test_access__manifest_of_the_one_mesh_that_is_there__healthy_and_the_other_is_not_served(
    mesh: str, *, writes: bool, eu_west: EmulatedCluster, ap_south: EmulatedCluster, admin: User
) -> None:
    server = {"istio": eu_west, "linkerd": ap_south}[mesh]

    cluster = checked(by_manifest(server, Wish(writes=writes, meshes=(mesh,)), admin))

    found = states(cluster)
    assert (cluster.health, cluster.health_reason) == (Health.HEALTHY, "")
    assert {state for label, state in found.items() if label in ISTIO} == {
        "allowed" if mesh == "istio" else "not_served"
    }
    assert found["configmaps istio, istio-ca-root-cert"] == ("allowed" if mesh == "istio" else "not_served")
    assert set(found.values()) == {"allowed", "not_served"}
    assert set(states(cluster, "writer").values()) == ({"allowed", "not_served"} if writes else set())
    assert wish_of(cluster) == Wish(writes=writes, meshes=(mesh,))


def test_access__manifest_of_the_other_mesh__degraded_and_says_what_is_not_shown(
    eu_west: EmulatedCluster, admin: User
) -> None:
    eu_west.load([parts.namespace("linkerd", {})])

    cluster = checked(by_manifest(eu_west, Wish(meshes=("linkerd",)), admin))

    lacking = [row.need.without for row in rights_table(cluster) if row.lacks]
    assert cluster.health == Health.DEGRADED
    assert "get, list, watch virtualservices.networking.istio.io (reader)" in cluster.health_reason
    assert "No routes of Istio, no changes to them." in lacking


def test_access__some_namespaces__asked_and_named_there(eu_west: EmulatedCluster, admin: User) -> None:
    by_manifest(eu_west, Wish(namespaces=("shop",), meshes=("istio",)), admin)
    wider = register("wider", text=eu_west.service_account_kubeconfig(HOME, READER), namespaces=("payments", "shop"))

    cluster = checked(wider)

    rows = {row["label"]: row for row in cluster.access}
    assert cluster.health == Health.DEGRADED
    assert "list services in payments (reader)" in cluster.health_reason.replace("get, list, watch", "list")
    assert rows["virtualservices.networking.istio.io"]["where"] == ["payments"]
    assert rows["namespaces"]["where"] == ["payments"]
    assert rows["mutatingwebhookconfigurations.admissionregistration.k8s.io"]["state"] == "left_out"
    assert rows["configmaps istio, istio-ca-root-cert"]["state"] == "left_out"


def test_access__more_than_needed__said(eu_west: EmulatedCluster, viewer: User) -> None:
    checked(register("eu-west", text=eu_west.admin_kubeconfig()))

    assert excess(get_cluster(viewer, "eu-west")) == [
        "everything (reader)",
        "list secrets (reader)",
        "create pods (reader)",
    ]


def test_access__server_too_slow_to_say_all__known_rows_kept_and_the_rest_unanswered(
    eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = register("eu-west", text=eu_west.admin_kubeconfig())
    inspector = inspector_for(cluster, "reader")
    served = inspector.served()
    eu_west.faults.call(lambda _request: setattr(inspector, "_end", 0.0), "POST", access.REVIEWS)

    rows = access.access_rows(inspector, "reader", served, ())

    found = [row["state"] for row in rows if row["state"] != "excess"]
    assert found.count("unanswered") > 0
    assert "so slowly that" in access.missing_words(rows)
    assert len(eu_west.server.requests) < 20


def test_access__slow_and_nothing_denied__degraded_not_unreachable(
    eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.access.Inspector._may", lambda _self, _asked: None)

    cluster = checked(register("eu-west", text=eu_west.admin_kubeconfig()))

    assert cluster.health == Health.DEGRADED
    assert cluster.health_reason == "It answers so slowly that 12 of its rights are not known."
    assert cluster.failures == 0


def test_access__one_review_fails__the_rest_is_not_asked(eu_west: EmulatedCluster) -> None:
    inspector = inspector_for(register("eu-west", text=eu_west.admin_kubeconfig()), "reader")
    served = inspector.served()
    eu_west.faults.answer(401, "POST", access.REVIEWS, times=1)

    with pytest.raises(CredentialRejectedError):
        access.access_rows(inspector, "reader", served, ())

    asked = sum(access.REVIEWS in request.path for request in eu_west.server.requests)
    assert asked < 30


@pytest.mark.parametrize("fault", ["revoked", "no key"])
def test_access__writer_does_not_work__reading_goes_on_and_the_page_says_which(
    fault: str, eu_west: EmulatedCluster, admin: User
) -> None:
    cluster = by_manifest(eu_west, Wish(writes=True, meshes=("istio",)), admin)
    writer = Credential.objects.filter(cluster=cluster, role="writer")
    if fault == "revoked":
        eu_west.delete("ServiceAccount", WRITER, HOME)
    else:
        writer.update(ciphertext=b"of another key")

    cluster = checked(cluster)

    assert cluster.health == Health.DEGRADED
    assert cluster.health_reason.startswith("The writer credential does not work: ")
    assert set(states(cluster, "writer").values()) == {"rejected"}
    assert "denied" not in states(cluster).values()
    assert cluster.next_sync_at is not None
    services.forbid_writes(actor=as_actor(admin), cluster_id=cluster.pk)
    observed = checked(cluster)
    assert (observed.health, set(states(observed, "writer").values())) == (Health.HEALTHY, {"idle"})


def test_inspector__kinds_that_no_honest_server_lists__are_a_bad_answer(
    eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    inspector = inspector_for(register("eu-west", text=eu_west.admin_kubeconfig()), "reader")
    get: Callable[..., bytes] = inspector._transport.get

    def lying(path: str, **options: Any) -> bytes:
        return b'{"resources": 7}' if path.startswith("/apis/apps") else get(path, **options)

    monkeypatch.setattr(inspector._transport, "get", lying)

    with pytest.raises(BadAnswerError, match="list of kinds in apps/v1"):
        inspector.served()
