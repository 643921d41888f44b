"""The Linkerd adapter: what it detects, reads and looks at around a route, in a whole cluster of the playground."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.clients import ObjectRef
from meshes.adapters.base import UnreadableRouteError
from meshes.adapters.linkerd import LinkerdAdapter
from meshes.types import Around, Root, Version
from playground.south import ap_south
from tests.meshes.golden import stored
from tests.meshes.still import Still

if TYPE_CHECKING:
    from meshes.adapters.base import Read
    from meshui.lib.jsontypes import JsonObject

ADAPTER = LinkerdAdapter()
SERVED = frozenset(
    {"v1", "gateway.networking.k8s.io/v1", "policy.linkerd.io/v1beta3", "linkerd.io/v1alpha2", "apps/v1"}
)
WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet"}


@pytest.fixture(scope="module")
def world() -> Still:
    """Cluster ap-south."""
    return Still(ap_south(), SERVED)


def planes(world: Still) -> list[JsonObject]:
    """Its workloads, all of them available."""
    bodies = [body for body in world.objects if body["kind"] in WORKLOADS]
    return [cast("JsonObject", {**body, "status": {"availableReplicas": 1}}) for body in bodies]


def read(world: Still, **options: Any) -> Read:
    """As a sync reads it: objects by plural, those of two groups together."""
    objects: dict[str, list[JsonObject]] = {}
    for resource in ADAPTER.resources(SERVED):
        objects.setdefault(resource.plural, []).extend(world.list_objects(resource).items)
    return ADAPTER.read(objects, [body for body in world.objects if body["kind"] == "Namespace"], **options)


def test_detect__whole_installation__version_trust_and_readiness(world: Still) -> None:
    detected = ADAPTER.detect(world.reader, planes(world))

    (mesh,) = detected.meshes
    (plane,) = mesh.control_planes
    assert (mesh.kind, mesh.trust_domain, len(mesh.trust_root)) == ("linkerd", "cluster.local", 64)
    assert (plane.namespace, plane.name, plane.is_ready) == ("linkerd", "linkerd-destination", True)
    assert ADAPTER.capabilities(plane.version).is_known
    assert detected.problems == ()


def test_detect__without_identity__half_removed_and_not_ready(world: Still) -> None:
    left = [body for body in planes(world) if cast("Any", body)["metadata"]["name"] != "linkerd-identity"]

    detected = ADAPTER.detect(world.reader, left)

    assert [plane.is_ready for mesh in detected.meshes for plane in mesh.control_planes] == [False]
    assert [problem.message for problem in detected.problems] == [
        "Half of a control plane: linkerd-identity is not there."
    ]


def test_detect__config_maps_forbidden__found_with_the_version_of_its_image_and_no_trust_guessed(world: Still) -> None:
    shut = Still(world.objects, SERVED, forbidden=["configmaps"])

    detected = ADAPTER.detect(shut.reader, planes(world))

    (mesh,) = detected.meshes
    assert (mesh.trust_domain, mesh.trust_root) == ("", "")
    assert mesh.control_planes[0].version.major > 0
    assert [problem.message.partition(" is forbidden")[2] for problem in detected.problems] == [
        " The trust domain is not known.",
        " The root of trust is not known.",
    ]


def test_detect__an_extension_alone__is_no_mesh(world: Still) -> None:
    labels = {"linkerd.io/control-plane-component": "web"}
    viz = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "viz", "uid": "1", "labels": labels}}

    assert ADAPTER.detect(world.reader, [cast("JsonObject", viz)]).meshes == ()


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("stable-2.14.10", True),
        ("stable-2.11.1", False),
        ("edge-25.4.4", True),
        ("edge-26.6.3", True),
        ("edge-24.11.8", False),
        ("enterprise-2.20.1", True),
        ("enterprise-2.21.0", False),
        ("latest", False),
    ],
)
def test_capabilities__editions_of_linkerd__known_or_said_not_to_be(text: str, is_known: bool) -> None:  # noqa: FBT001
    found = ADAPTER.capabilities(Version.parse(text))

    assert (found.is_known, found.reports_acceptance, found.weight_step_bp) == (is_known, True, 1)


def test_resources__what_is_served__routes_first_and_nothing_without_linkerd() -> None:
    assert [(r.group, r.version, r.plural) for r in ADAPTER.resources(SERVED)] == [
        ("gateway.networking.k8s.io", "v1", "httproutes"),
        ("gateway.networking.k8s.io", "v1", "grpcroutes"),
        ("policy.linkerd.io", "v1beta3", "httproutes"),
        ("linkerd.io", "v1alpha2", "serviceprofiles"),
    ]
    assert ADAPTER.resources(frozenset({"v1", "gateway.networking.k8s.io/v1"})) == ()
    old = ADAPTER.resources(frozenset({"gateway.networking.k8s.io/v1beta1", "policy.linkerd.io/v1beta2"}))
    assert [(r.version, r.plural) for r in old] == [("v1beta1", "httproutes"), ("v1beta2", "httproutes")]


def test_read__whole_cluster__every_route_of_a_service_and_what_a_profile_switches_off(world: Still) -> None:
    found = {route.live.route.root.service: route for route in read(world).routes if route.live}

    assert set(found) >= {"checkout", "recommendations", "search", "payments"}
    assert found["search"].ref.resource.group == "policy.linkerd.io"
    assert [b.weight_bp for b in found["recommendations"].live.route.rules[0].backends] == [6000, 3000, 1000]  # type: ignore[union-attr]
    assert found["checkout"].problems == ()
    assert ["switches every route" in problem.message for problem in found["payments"].problems] == [True]


def test_read__only_some__those_and_still_what_is_around_them(world: Still) -> None:
    whole = {route.ref.name: route for route in read(world).routes}
    uid = cast("Any", whole["payments"].body)["metadata"]["uid"]

    (found,) = read(world, only=frozenset({uid})).routes

    assert found == whole["payments"]


def test_read__injection__by_annotation_and_a_label_does_nothing(world: Still) -> None:
    labels = {"linkerd.io/inject": "enabled"}
    labelled: Any = {"kind": "Namespace", "metadata": {"name": "x", "uid": "1", "labels": labels}}

    found = ADAPTER.read({}, [*(b for b in world.objects if b["kind"] == "Namespace"), labelled]).injections

    assert (found["shop"].state, found["shop"].reason) == ("injected", "linkerd.io/inject=enabled")
    assert (found["linkerd"].state, found["linkerd"].reason) == ("none", "linkerd.io/inject=disabled")
    assert found["x"].state == "none"
    assert "only the annotation counts" in found["x"].reason


def test_around__of_a_route__services_profiles_rivals_and_namespaces(world: Still) -> None:
    route = next(r for r in read(world).routes if r.ref.name == "payments")
    assert route.live is not None

    around = ADAPTER.around(world.reader, route.live.route, route.ref)

    assert sorted(around.services) == [("payments", name) for name in ("payments", "payments-v1", "payments-v2")]
    assert [body["kind"] for body in around.companions] == ["ServiceProfile", "Namespace"]
    assert around.rivals == ()
    assert around.served == SERVED
    assert ADAPTER.render(route.live.route, route.live, around).losses[0].moves_requests


def test_around__no_list_over_all_namespaces__what_may_be_seen(world: Still) -> None:
    shut = Still(world.objects, SERVED, forbidden=["httproutes/*", "grpcroutes/*", "namespaces"])
    route = next(r for r in read(world).routes if r.ref.name == "checkout")
    assert route.live is not None

    around = ADAPTER.around(shut.reader, route.live.route, None)

    assert [cast("Any", body)["metadata"]["name"] for body in around.rivals] == ["checkout"]
    assert [body["kind"] for body in around.companions] == []


def test_render__start_then_end__made_with_our_label_and_taken_back(world: Still) -> None:
    live = next(r for r in read(world).routes if r.ref.name == "checkout").live
    assert live is not None
    desired = replace(live.route, root=Root("catalog", "shop", 8080))
    around = replace(ADAPTER.around(world.reader, desired, None), rivals=())

    started = ADAPTER.render(desired, None, around).objects

    assert [(write.op, write.ref.name) for write in started] == [("create", "catalog-split")]
    made = ADAPTER.live(stored(started[0].body))
    assert [write.op for write in ADAPTER.render(None, made, around).objects] == ["delete"]
    assert ADAPTER.render(None, live, around).losses[0].moves_requests


def test_project__created_and_stored_with_defaults__the_same_content(world: Still) -> None:
    live = next(r for r in read(world).routes if r.ref.name == "recommendations").live
    assert live is not None
    short = cast("Any", {**live.body, "metadata": {**cast("Any", live.body)["metadata"], "uid": ""}})
    spec = cast("Any", live.body)["spec"]
    filled = {
        **spec,
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [
                    {"group": "", "kind": "Service", **ref, "weight": ref["weight"] * 7} for ref in rule["backendRefs"]
                ],
            }
            for rule in spec["rules"]
        ],
    }

    sent, kept = ADAPTER.project(live.ref, short), ADAPTER.project(live.ref, {**live.body, "spec": filled})

    assert sent.content_hash == kept.content_hash
    assert sent.hash != kept.hash


def test_live__a_route_of_a_gateway__unreadable_in_words() -> None:
    body: Any = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "x", "namespace": "shop", "uid": "1"},
        "spec": {"parentRefs": [{"name": "public"}], "rules": [{}]},
    }

    with pytest.raises(UnreadableRouteError, match="None of its parents is a Service"):
        ADAPTER.live(body)


def test_new_ref__served_kinds__by_protocol_or_none() -> None:
    route = next(r for r in read(Still(ap_south(), SERVED)).routes if r.live is not None).live
    assert route is not None
    desired = route.route

    made = ADAPTER.new_ref(replace(desired, protocol="grpc"), SERVED)

    assert isinstance(made, ObjectRef)
    assert made.resource.kind == "GRPCRoute"
    assert ADAPTER.new_ref(desired, frozenset({"linkerd.io/v1alpha2"})) is None
    assert ADAPTER.render(None, None, Around()).objects == ()
