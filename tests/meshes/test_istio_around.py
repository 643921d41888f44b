"""What stands around a route of Istio: who else claims its host, what defines its subsets, where it counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.clients import ObjectRef, Resource
from meshes.adapters.istio import IstioAdapter
from meshes.types import Around, Backend, Root, Route, Rule, WeightedBackend
from tests.meshes.objects import destination, destination_rule, namespace, virtual_service
from tests.meshes.still import Still

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject

ADAPTER = IstioAdapter()
SERVED = frozenset({"v1", "networking.istio.io/v1", "gateway.networking.k8s.io/v1"})
HOST = "web.shop.svc.cluster.local"
OWN = virtual_service()
REF = ADAPTER.live(OWN).ref


def rule(host: str, *subsets: str, namespace: str = "shop", name: str = "rule") -> dict[str, Any]:
    """A DestinationRule as a list brings it."""
    body = cast("Any", destination_rule(host, subsets, namespace))
    metadata = {**body["metadata"], "name": name, "uid": f"uid-{namespace}-{name}"}
    return {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", **body, "metadata": metadata}


def of_service(name: str, namespace: str = "shop", kind: str = "HTTPRoute") -> dict[str, Any]:
    """A route of the Gateway API for Service `name`."""
    spec = {
        "parentRefs": [{"group": "", "kind": "Service", "name": name}],
        "rules": [{"backendRefs": [{"name": name, "port": 80}]}],
    }
    metadata = {"name": f"{name}-{kind.lower()}", "namespace": namespace, "uid": f"uid-{name}-{kind}"}
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec}


def space(name: str, **labels: str) -> dict[str, Any]:
    """A namespace as it is read."""
    return {"kind": "Namespace", **cast("Any", namespace(name, **labels))}


def service(name: str, namespace: str = "shop") -> dict[str, Any]:
    """A Service."""
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": {"ports": [{"port": 80}]}}


WORLD = [
    OWN,
    virtual_service("far", "pay", hosts=[HOST]),
    virtual_service("outside", gateways=["istio-ingress/public"]),
    virtual_service("other", hosts=["other"], http=[{"route": [destination("other")]}]),
    virtual_service("names-a-subset", hosts=["front"], http=[{"route": [destination("web", "v1")]}]),
    virtual_service(
        "mirrors", hosts=["m"], http=[{"route": [destination("m")], "mirror": {"host": "web", "subset": "v2"}}]
    ),
    rule("web", "v1", "v2"),
    rule(HOST, "v9", namespace="pay", name="elsewhere"),
    of_service("web"),
    of_service("web", kind="GRPCRoute"),
    of_service("other"),
    service("web"),
    service("other"),
    space("shop", istio_injection="enabled"),
    space("pay"),
]


def around(*extra: Any, route: Route | None = None, ref: ObjectRef | None = REF, **options: Any) -> Around:
    """Of the route `web`, or of another one."""
    still = Still([*WORLD, *extra], SERVED, **options)
    return ADAPTER.around(still.reader, route or ADAPTER.live(OWN).route, ref)


def names(bodies: tuple[JsonObject, ...]) -> list[str]:
    """`Kind name` of each, sorted."""
    return sorted(f"{body['kind']} {cast('Any', body)['metadata']['name']}" for body in bodies)


def test_around__of_a_route__who_claims_its_host_and_what_names_its_subsets() -> None:
    found = around()

    assert names(found.rivals) == [
        "GRPCRoute web-grpcroute",
        "HTTPRoute web-httproute",
        "VirtualService far",
        "VirtualService outside",
    ]
    assert names(found.companions) == [
        "DestinationRule rule",
        "Namespace shop",
        "VirtualService mirrors",
        "VirtualService names-a-subset",
    ]
    assert list(found.services) == [("shop", "web")]
    assert found.served == SERVED


def test_around__of_a_split_that_starts__its_own_name_is_a_rival_too() -> None:
    assert "VirtualService web" in names(around(ref=None).rivals)


def test_around__backends_elsewhere__their_namespaces_are_looked_at() -> None:
    backends = (WeightedBackend(Backend("subset", "web", "pay", None, "v9"), 10_000),)
    route = Route(Root("web", "shop"), (Rule("rule-1", (), backends),))

    found = around(service("web", "pay"), route=route)

    assert names(found.companions)[:4] == [
        "DestinationRule elsewhere",
        "DestinationRule rule",
        "Namespace pay",
        "Namespace shop",
    ]
    assert sorted(found.services) == [("pay", "web"), ("shop", "web")]


def test_around__delegates__stand_beside_it_and_are_no_rivals() -> None:
    root = virtual_service(http=[{"delegate": {"name": "rules"}}, {"delegate": {"name": "more", "namespace": "pay"}}])
    rules = virtual_service("rules", hosts=[], http=[{"route": [destination("elsewhere")]}])
    more = virtual_service("more", "pay", hosts=[], http=[{"route": [destination("elsewhere")]}])
    still = Still([root, rules, more, *WORLD[1:]], SERVED)

    found = ADAPTER.around(still.reader, ADAPTER.live(root).route, REF)

    assert {"VirtualService rules", "VirtualService more"} <= set(names(found.companions))


def test_around__no_list_over_all_namespaces__those_of_the_route_alone() -> None:
    found = around(forbidden=["virtualservices/*", "httproutes/*", "grpcroutes/*", "namespaces"])

    assert "VirtualService far" not in names(found.rivals)
    assert "VirtualService outside" in names(found.rivals)
    assert not any(name.startswith("Namespace") for name in names(found.companions))


def test_around__no_istio_served__routes_of_services_and_nothing_of_istio() -> None:
    still = Still(WORLD, {"v1", "gateway.networking.k8s.io/v1"})

    found = ADAPTER.around(still.reader, ADAPTER.live(OWN).route, None)

    assert names(found.rivals) == ["GRPCRoute web-grpcroute", "HTTPRoute web-httproute"]
    assert names(found.companions) == ["Namespace shop"]


@pytest.mark.parametrize(
    ("spec", "decides"),
    [
        ({"hosts": [HOST]}, True),
        ({"hosts": [HOST], "exportTo": ["."]}, False),
        ({"hosts": [HOST], "exportTo": ["shop", "."]}, True),
        ({"hosts": [HOST], "exportTo": ["*"]}, True),
        ({"hosts": [HOST], "gateways": ["istio-ingress/public"]}, False),
        ({"hosts": [HOST], "gateways": ["istio-ingress/public", "mesh"]}, True),
    ],
)
@pytest.mark.parametrize("place", ["shop", "gateway", "delegate"])
def test_render__start_beside_another__refused_where_its_clients_see_that_one(
    spec: dict[str, Any],
    decides: bool,  # noqa: FBT001
    place: str,
) -> None:
    """A namespace may be called as a scope is."""
    spec = {key: [each.replace("shop", place) for each in value] for key, value in spec.items()}
    rival = virtual_service("theirs", "pay", **spec)
    backends = (WeightedBackend(Backend("service", "web", place), 10_000),)
    route = Route(Root("web", place), (Rule("rule-1", (), backends),))

    rendered = ADAPTER.render(route, None, Around(rivals=(rival,), served=SERVED))

    assert bool(rendered.objects) is not decides
    assert ["decides for this service already" in loss.reason for loss in rendered.losses] == [True] * decides


def test_seen__subsets_and_delegates__with_what_the_companions_say() -> None:
    http = [
        {"name": "api", "match": [{"uri": {"prefix": "/api"}}], "delegate": {"name": "rules"}},
        route_to("web", "v1"),
    ]
    live = ADAPTER.live(virtual_service(http=http))
    rules = virtual_service("rules", hosts=[], http=[{**route_to("web", "v2"), "timeout": "2s"}])

    seen = ADAPTER.seen(live, Around(companions=(cast("Any", rule("web", "v1", "v2")), rules))).route

    assert [each.name for each in seen.rules] == ["api/rule-1", "rule-2"]
    assert seen.rules[0].matches == live.route.rules[0].matches
    assert (seen.rules[0].timeout_ms, seen.rules[0].extras) == (2000, ("delegate shop/rules",))
    assert [each.backends[0].backend.labels for each in seen.rules] == [(("version", "v2"),), (("version", "v1"),)]


def test_seen__nothing_around__labels_are_not_made_up_and_the_rule_still_delegates() -> None:
    live = ADAPTER.live(virtual_service(http=[{"name": "api", "delegate": {"name": "rules"}}, route_to("web", "v1")]))

    seen = ADAPTER.seen(live, Around())

    assert [each.extras for each in seen.route.rules] == [("delegate",), ()]
    assert seen.route.rules[1].backends[0].backend.labels == ()
    assert seen.body is live.body


def route_to(host: str, subset: str) -> dict[str, Any]:
    """A rule for everything."""
    return {"route": [destination(host, subset)]}


def test_seen__route_of_a_service__is_as_it_is() -> None:
    live = ADAPTER.live(cast("Any", of_service("web")))

    assert ADAPTER.seen(live, around()) is live


def test_read__gateways_alone__its_hosts_are_shown_and_it_decides_for_no_sidecar() -> None:
    body = virtual_service(gateways=["istio-ingress/public"], hosts=["shop.example.com", "*.example.org"])

    (found,) = ADAPTER.read({"virtualservices": [body]}, []).routes

    assert found.live is not None
    assert found.live.route.scope == "gateway"
    assert found.live.route.root.hosts == ("shop.example.com", "*.example.org")
    assert [p.message for p in found.problems] == ["It decides only at the gateways istio-ingress/public."]


@pytest.mark.parametrize(
    ("exported", "scope"),
    [(["*"], "producer"), ([], "producer"), (["."], "consumer(shop)"), (["pay", "."], "consumer(pay,shop)")],
)
def test_read__export_to__whose_requests_it_decides(exported: list[str], scope: str) -> None:
    assert ADAPTER.live(virtual_service(exportTo=exported)).route.scope == scope


AMBIENT = {"istio.io__dataplane_mode": "ambient"}


@pytest.mark.parametrize(
    ("labels", "is_told"),
    [
        (AMBIENT, True),
        ({**AMBIENT, "istio.io__use_waypoint": "none"}, True),
        ({**AMBIENT, "istio.io__use_waypoint": "waypoint"}, False),
        ({"istio_injection": "enabled"}, False),
    ],
)
def test_read__ambient__routes_that_nothing_reads_are_told(labels: dict[str, str], is_told: bool) -> None:  # noqa: FBT001
    status = {"parents": [{"parentRef": {"kind": "Service", "name": "web"}, "controllerName": CONTROLLER}]}
    objects = {"virtualservices": [OWN], "httproutes": [cast("Any", {**of_service("web"), "status": status})]}

    read = ADAPTER.read(objects, [namespace("shop", **labels)])

    told = ["Its namespace is ambient and has no waypoint" in str(found.problems) for found in read.routes]
    assert told == [is_told, is_told]
    assert read.injections["shop"].state == ("ambient" if "istio.io__dataplane_mode" in labels else "injected")


CONTROLLER = "istio.io/gateway-controller"


def test_render__ambient__every_write_is_refused_in_words_but_not_the_end_of_what_is_ours() -> None:
    there = Around(companions=(cast("Any", space("shop", **AMBIENT)),), served=SERVED)
    live = ADAPTER.live(OWN)
    first = live.route.rules[0]
    halves = tuple(replace(weighted, weight_bp=5_000) for weighted in first.backends)
    moved = replace(live.route, rules=(replace(first, backends=halves),))

    rendered = [ADAPTER.render(moved, live, there), ADAPTER.render(moved, None, there)]

    words = "MeshUI shows routes of ambient namespaces and does not change them."
    for found in rendered:
        assert found.objects == ()
        assert any(words in loss.reason for loss in found.losses)
    ours = virtual_service(http=[{"route": [destination("web")]}])
    cast("Any", ours)["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "meshui"}
    assert [write.op for write in ADAPTER.render(None, ADAPTER.live(ours), there).objects] == ["delete"]


def test_around__of_another_version_of_its_kind__still_its_own() -> None:
    older = ObjectRef(Resource("networking.istio.io", "v1beta1", "virtualservices", "VirtualService"), "shop", "web")

    assert "VirtualService web" not in names(around(ref=older).rivals)


@pytest.mark.parametrize(
    "spec",
    [
        7,
        {"hosts": [7]},
        {"hosts": "all", "http": "all"},
        {"hosts": ["x"], "http": [7, {"route": 7}, {"route": [7]}, {"route": [{"destination": 7}]}, {"delegate": 7}]},
        {"hosts": ["x"], "http": 7, "tcp": {"route": []}, "tls": [{"mirror": "web"}]},
    ],
)
def test_around__what_no_api_server_would_send__is_left_aside(spec: Any) -> None:
    """A server that lies must not end the plan of a change that is about others too."""
    odd = {**virtual_service("odd"), "kind": "VirtualService", "spec": spec}
    route = {**of_service("web", kind="HTTPRoute"), "spec": spec}

    found = around(odd, {**route, "metadata": {**route["metadata"], "name": "odd"}})

    assert "VirtualService odd" not in names((*found.companions, *found.rivals))
    assert "HTTPRoute odd" not in names(found.rivals)
    assert ADAPTER.render(None, ADAPTER.live(OWN), found).objects == ()
