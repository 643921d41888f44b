"""The whole life of a split on a real API server: started, widened, shown to chosen callers, edited, ended."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from clusters.clients import LostRaceError, ObjectRef, Resource
from lab.samples import accept
from meshes.adapters.base import MANAGED_BY
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Backend, HeaderMatch, Match, PathMatch
from tests.lab.lives import Life, Wishes, first_rule_for, of_service, subset, without_first
from tests.lab.worlds import Hands, guarded, service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.cluster import Cluster
    from meshes.adapters.base import MeshAdapter

    Begin = Callable[..., "Life"]

pytestmark = pytest.mark.lab
ISTIO, LINKERD = IstioAdapter(), LinkerdAdapter()
GATEWAY = "gateway.networking.k8s.io"
VIRTUAL_SERVICES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")
HTTP_ROUTES = Resource(GATEWAY, "v1", "httproutes", "HTTPRoute")
GRPC_ROUTES = Resource(GATEWAY, "v1", "grpcroutes", "GRPCRoute")
POLICY_ROUTES = Resource("policy.linkerd.io", "v1beta3", "httproutes", "HTTPRoute")
QA = Match(headers=(HeaderMatch("x-user", "exact", "qa"),))
BY_PATH = Match(path=PathMatch("exact", "/api"))


@pytest.fixture(scope="module")
def hands(lab_crds: Path, lab_cluster: Cluster) -> Iterator[Hands]:
    """Reader and writer of the product."""
    assert lab_crds.is_dir()
    found = Hands(lab_cluster)
    yield found
    found.close()


@pytest.fixture
def life(hands: Hands, lab_cluster: Cluster) -> Iterator[Callable[..., Life]]:
    """`life(adapter, *objects)`: a namespace with Service web, web-v1 … web-v3, and these objects."""
    names: list[str] = []

    def begun(adapter: MeshAdapter, *objects: dict[str, Any]) -> Life:
        name = f"life-{secrets.token_hex(4)}"
        names.append(name)
        lab_cluster.load([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])
        lab_cluster.load(service(name, each) for each in ("web", "web-v1", "web-v2", "web-v3"))
        lab_cluster.load({**body, "metadata": {**body["metadata"], "namespace": name}} for body in objects)
        return Life(adapter, hands, lab_cluster, name)

    yield begun
    for name in names:
        lab_cluster.request("DELETE", f"/api/v1/namespaces/{name}")


def check_life(life: Life, wishes: Wishes, patch: str, *more: Match) -> None:
    """All between the first day and the last of a route that is there: weights, backends, rules."""
    assert life.change(wishes.shares(v1=9_950, v2=50)) == [patch]
    assert life.change(wishes.shares(v1=6_000, v2=3_000, v3=1_000))[-1] == patch
    assert life.change(wishes.dark_launch(QA)) == [patch]
    assert life.change(first_rule_for(QA, *more)) == [patch]
    assert life.shares() == [wishes.named(v3=10_000), wishes.named(v1=6_000, v2=3_000, v3=1_000)]
    assert len(life.shown().rules[0].matches) == 1 + len(more)

    assert life.change(without_first) == [patch]
    assert life.change(wishes.shares(v1=0, v2=10_000)) == [patch]
    assert life.shares() == [wishes.named(v1=0, v2=10_000)]


def whose(body: Any) -> str:
    """As its label says."""
    return str((body["metadata"].get("labels") or {}).get(MANAGED_BY[0]))


def test_istio__virtual_service__from_the_first_day_to_the_last(life: Begin) -> None:
    one = life(ISTIO)
    wishes = Wishes(one.namespace, subset)

    assert one.start(wishes.first()) == ["create DestinationRule web", "create VirtualService web"]
    made = [one.cluster.get(kind, "web", one.namespace) for kind in ("DestinationRule", "VirtualService")]
    check_life(one, wishes, "patch VirtualService web", BY_PATH)
    rule = one.cluster.get("DestinationRule", "web", one.namespace)

    assert [whose(body) for body in made] == ["meshui", "meshui"]
    assert [each["name"] for each in rule["spec"]["subsets"]] == ["v1", "v2", "v3"]
    assert one.step(None) == ["delete VirtualService web", "delete DestinationRule web"]
    assert one.cluster.list("DestinationRule", one.namespace) == []


def test_istio__backend_added__its_subset_comes_before_what_names_it_and_the_others_stay(life: Begin) -> None:
    rule: dict[str, Any] = {"host": "web", "subsets": [{"name": v, "labels": {"version": v}} for v in ("v1", "v2")]}
    rule["trafficPolicy"] = {"connectionPool": {"tcp": {"maxConnections": 7}}}
    theirs = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "theirs"}}
    one = life(ISTIO, {**theirs, "spec": rule})
    wishes = Wishes(one.namespace, subset)

    assert one.start(wishes.first()) == ["create VirtualService web"]
    added = one.change(wishes.shares(v1=8_000, v2=1_500, v3=500))

    assert added == ["patch DestinationRule theirs", "patch VirtualService web"]
    after = one.cluster.get("DestinationRule", "theirs", one.namespace)["spec"]
    assert after == {**rule, "subsets": [*rule["subsets"], {"name": "v3", "labels": {"version": "v3"}}]}
    assert one.step(None) == ["delete VirtualService web"]
    assert [body["metadata"]["name"] for body in one.cluster.list("DestinationRule", one.namespace)] == ["theirs"]


def test_istio__end__what_another_hand_took_over_or_changed_meanwhile_stays(life: Begin) -> None:
    one = life(ISTIO)
    one.start(Wishes(one.namespace, subset).first())
    ending = one.render(None).objects
    before = [one.hands.writer.read(write.ref) for write in ending]
    one.cluster.edit("DestinationRule", "web", one.namespace, limits_connections)

    one.hands.writer.write(guarded(ending[0], before[0]))
    with pytest.raises(LostRaceError):
        one.hands.writer.write(guarded(ending[1], before[1]))

    assert one.live() is None
    assert one.cluster.get("DestinationRule", "web", one.namespace)["spec"]["trafficPolicy"]
    assert one.start(Wishes(one.namespace, subset).first()) == ["create VirtualService web"]
    one.cluster.edit("VirtualService", "web", one.namespace, lambda body: body["metadata"].pop("labels"))
    assert "was not made by MeshUI" in one.refused(None)


def limits_connections(body: Any) -> None:
    """A foreign hand on a DestinationRule."""
    body["spec"]["trafficPolicy"] = {"connectionPool": {"tcp": {"maxConnections": 7}}}


def test_istio__route_of_a_service__taken_by_istiod_at_every_step(life: Begin) -> None:
    one = life(ISTIO, of_gateway("HTTPRoute"))
    one.ref = ObjectRef(HTTP_ROUTES, one.namespace, "web")
    wishes = Wishes(one.namespace, of_service)

    assert one.told("L2").answer == "verified"
    check_life(one, wishes, "patch HTTPRoute web", BY_PATH)

    assert one.told("L2").answer == "verified"
    assert one.spec()["rules"][0]["timeouts"] == {"request": "3s"}
    assert one.step(None) == ["delete HTTPRoute web"]


def test_istio__route_of_grpc__taken_by_istiod_at_every_step(life: Begin) -> None:
    one = life(ISTIO, of_gateway("GRPCRoute"))
    one.ref = ObjectRef(GRPC_ROUTES, one.namespace, "web")
    by_method = Match(path=PathMatch("exact", "/shop.Checkout/Pay"))

    check_life(one, Wishes(one.namespace, of_service), "patch GRPCRoute web", by_method)

    assert one.told("L2").answer == "verified"
    assert "GRPCRoute" in str(one.ref)
    one.cluster.edit("GRPCRoute.gateway.networking.k8s.io", "web", one.namespace, drop_labels)
    assert "was not made by MeshUI" in one.refused(None)


def drop_labels(body: Any) -> None:
    """As if somebody else had made it."""
    body["metadata"].pop("labels")


def of_gateway(kind: str, api_version: str = f"{GATEWAY}/v1", parent_group: str = "") -> dict[str, Any]:
    """A route of ours, 100/0, with a timeout where its kind has one."""
    refs = [{"name": "web-v1", "port": 8080, "weight": 100}, {"name": "web-v2", "port": 8080, "weight": 0}]
    rule = {"backendRefs": refs, **({"timeouts": {"request": "3s"}} if kind == "HTTPRoute" else {})}
    parent = {"group": parent_group, "kind": "Service", "name": "web", "port": 8080}
    metadata = {"name": "web", "labels": dict([MANAGED_BY])}
    spec = {"parentRefs": [parent], "rules": [rule]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def test_istio__delegate__shown_with_its_root_and_changed_where_it_stands(life: Begin) -> None:
    root = {"hosts": ["web"], "http": [{"name": "api", "match": [API], "delegate": {"name": "rules"}}, REST]}
    one = life(ISTIO, virtual_service("web", root), virtual_service("rules", {"http": [REST]}))
    one.ref = ObjectRef(VIRTUAL_SERVICES, one.namespace, "web")
    wishes = Wishes(one.namespace, of_service_without_port)

    shown = one.shown()
    assert [rule.name for rule in shown.rules] == ["api/rule-1", "rule-2"]
    assert one.change(wishes.shares(v1=7_500, v2=2_500)) == ["patch VirtualService web"]
    moved = replace(shown.rules[0], backends=wishes.split(v1=5_000, v2=5_000))
    assert f"{one.namespace}/rules: change them there" in one.refused(
        replace(one.shown(), rules=(moved, *one.shown().rules[1:]))
    )

    one.ref = ObjectRef(VIRTUAL_SERVICES, one.namespace, "rules")
    assert one.change(wishes.shares(v1=5_000, v2=5_000)) == ["patch VirtualService rules"]
    one.ref = ObjectRef(VIRTUAL_SERVICES, one.namespace, "web")
    assert [[b.weight_bp for b in rule.backends] for rule in one.shown().rules] == [[5_000, 5_000], [7_500, 2_500]]


API = {"uri": {"prefix": "/api"}}
REST = {
    "route": [{"destination": {"host": "web-v1"}, "weight": 90}, {"destination": {"host": "web-v2"}, "weight": 10}],
    "retries": {"attempts": 2},
}


def of_service_without_port(namespace: str, version: str) -> Backend:
    """As Istio names it."""
    return Backend("service", f"web-{version}", namespace)


def virtual_service(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Made by somebody else."""
    head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": name}}
    return {**head, "spec": spec}


def test_linkerd__http_route__from_the_first_day_to_the_last(life: Begin) -> None:
    one = life(LINKERD)
    wishes = Wishes(one.namespace, of_service)

    assert one.start(wishes.first()) == ["create HTTPRoute web-split"]
    check_life(one, wishes, "patch HTTPRoute web-split", BY_PATH)
    kind = "HTTPRoute.gateway.networking.k8s.io"
    body = accept(one.cluster, kind, "web-split", one.namespace)

    assert whose(body) == "meshui"
    assert one.told("L2").answer == "verified"
    accept(one.cluster, kind, "web-split", one.namespace, reason="BackendNotFound")
    assert "BackendNotFound" in one.told("L1").detail
    assert one.step(None) == ["delete HTTPRoute web-split"]


def test_linkerd__grpc_route__from_the_first_day_to_the_last(life: Begin) -> None:
    one = life(LINKERD)
    wishes = Wishes(one.namespace, of_service)
    by_method = Match(path=PathMatch("exact", "/shop.Checkout/Pay"))

    assert one.start(wishes.first("grpc")) == ["create GRPCRoute web-split"]
    check_life(one, wishes, "patch GRPCRoute web-split", by_method)

    assert one.step(None) == ["delete GRPCRoute web-split"]


@pytest.mark.parametrize("group", ["", "core"])
def test_linkerd__own_http_route__from_the_first_day_to_the_last(life: Begin, group: str) -> None:
    one = life(LINKERD, of_gateway("HTTPRoute", "policy.linkerd.io/v1beta3", group))
    one.ref = ObjectRef(POLICY_ROUTES, one.namespace, "web")

    check_life(one, Wishes(one.namespace, of_service), "patch HTTPRoute web", BY_PATH)

    assert one.spec()["parentRefs"][0]["group"] == group
    assert one.spec()["rules"][0]["timeouts"] == {"request": "3s"}
    assert one.step(None) == ["delete HTTPRoute web"]


def test_linkerd__service_profile__nothing_is_written_until_it_is_gone(life: Begin) -> None:
    one = life(LINKERD)
    wishes = Wishes(one.namespace, of_service)
    one.start(wishes.first())
    profile = f"web.{one.namespace}.svc.cluster.local"
    weights = [{"authority": f"web-{v}.{one.namespace}.svc.cluster.local", "weight": "500m"} for v in ("v1", "v2")]
    body = {"apiVersion": "linkerd.io/v1alpha2", "kind": "ServiceProfile", "spec": {"dstOverrides": weights}}
    one.cluster.load([{**body, "metadata": {"name": profile, "namespace": one.namespace}}])

    why = one.refused(wishes.shares(v1=5_000, v2=5_000)(one.shown()))
    again = LINKERD.render(wishes.first(), None, LINKERD.around(one.hands.reader, wishes.first(), None))
    one.cluster.delete("ServiceProfile", profile, one.namespace)

    assert f"ServiceProfile {one.namespace}/{profile} switches every route of this Service off" in why
    assert "switches every route" in again.losses[-1].reason or "decides for this service" in again.losses[-1].reason
    assert one.change(wishes.shares(v1=5_000, v2=5_000)) == ["patch HTTPRoute web-split"]


def test_linkerd__grpc_route_beside_it__the_http_route_is_not_written(life: Begin) -> None:
    one = life(LINKERD, {**of_gateway("GRPCRoute"), "metadata": {"name": "calls"}}, of_gateway("HTTPRoute"))
    one.ref = ObjectRef(HTTP_ROUTES, one.namespace, "web")
    wishes = Wishes(one.namespace, of_service)

    assert "Linkerd then takes no HTTPRoute of it" in one.refused(wishes.shares(v1=5_000, v2=5_000)(one.shown()))
    one.ref = None
    assert f"GRPCRoute {one.namespace}/calls decides for this service already" in one.refused(wishes.first())


def test_linkerd__port_made_opaque__nothing_is_started_there(life: Begin) -> None:
    one = life(LINKERD)
    wishes = Wishes(one.namespace, of_service)
    one.cluster.edit("Service", "web", one.namespace, make_opaque)

    assert "opaque to Linkerd" in one.refused(wishes.first())


def make_opaque(body: Any) -> None:
    """As the annotation of Linkerd does."""
    body["metadata"]["annotations"] = {"config.linkerd.io/opaque-ports": "8000-8100"}


def test_istio__namespace_made_ambient__shown_and_not_written(life: Begin) -> None:
    one = life(ISTIO)
    wishes = Wishes(one.namespace, subset)
    one.start(wishes.first())
    one.cluster.edit("Namespace", one.namespace, "", make_ambient)

    assert "ambient mode" in one.refused(wishes.shares(v1=5_000, v2=5_000)(one.shown()))
    one.ref = None
    assert "ambient mode" in one.refused(wishes.first())


def make_ambient(body: Any) -> None:
    """As people turn it on."""
    body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), "istio.io/dataplane-mode": "ambient"}


def test_istio__several_revisions_and_a_tag__found_and_followed_to_the_namespace(life: Begin) -> None:
    """Two control planes beside each other and a tag that points at one, as the API server gives them back."""
    one = life(ISTIO, *(istiod(revision, image) for revision, image in REVISIONS.items()), *TRUST)
    tagged = tag_of("1-31-0", f"canary-{one.namespace}")
    one.cluster.load([tagged])
    one.cluster.edit("Namespace", one.namespace, "", follows(tagged["metadata"]["labels"]["istio.io/tag"]))
    one.cluster.wait("Deployment", "istiod-1-31-0", one.namespace, lambda body: bool(body.get("status")))
    reader = one.hands.reader

    planes = reader.list_objects(DEPLOYMENTS, namespace=one.namespace).items
    detected = ISTIO.detect(reader, planes)
    webhooks = [kind for kind in ISTIO.resources(reader.api_groups()) if kind.kind == "MutatingWebhookConfiguration"]
    listed = {kind.plural: reader.list_objects(kind).items for kind in webhooks}
    space = one.cluster.get("Namespace", one.namespace)
    found = ISTIO.read(listed, [space]).injections[one.namespace]
    one.cluster.delete("MutatingWebhookConfiguration", tagged["metadata"]["name"])

    (mesh,) = detected.meshes
    assert (mesh.trust_domain, detected.problems) == ("corp.example", ())
    assert [(p.revision, p.version.text) for p in mesh.control_planes] == [
        ("1-30-4", "1.30.4"),
        ("1-31-0", "1.31.0-distroless"),
    ]
    assert (found.state, found.revision) == ("injected", "1-31-0")
    assert "a tag of revision 1-31-0" in found.reason


DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REVISIONS = {
    "1-30-4": "localhost:5000/istio/pilot:1.30.4",
    "1-31-0": "registry.istio.io/release/pilot:1.31.0-distroless",
}
TRUST = [
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"istio-{revision}"},
        "data": {"mesh": "trustDomain: corp.example"},
    }
    for revision in REVISIONS
]


def istiod(revision: str, image: str) -> dict[str, Any]:
    """A control plane of which no pod runs."""
    labels = {"app": "istiod", "istio.io/rev": revision}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "discovery", "image": image}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": f"istiod-{revision}", "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def tag_of(revision: str, tag: str) -> dict[str, Any]:
    """What `istioctl tag set` leaves, without the webhooks that nobody would answer."""
    labels = {"istio.io/tag": tag, "istio.io/rev": revision}
    metadata = {"name": f"istio-revision-tag-{tag}", "labels": labels}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**head, "metadata": metadata, "webhooks": []}


def follows(tag: str) -> Callable[[Any], None]:
    """A namespace that is injected by a tag."""

    def changed(body: Any) -> None:
        body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), "istio.io/rev": tag}

    return changed
