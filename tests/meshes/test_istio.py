"""The Istio adapter: what it detects, what it reads beside routes, and how it takes what is not as it should be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from clusters.clients import ForbiddenError
from meshes.adapters.base import UnreadableRouteError
from meshes.adapters.istio import IstioAdapter
from meshes.adapters.istio_read import split_host
from meshes.adapters.natives import image_version
from meshes.types import Around, Version
from tests.meshes.objects import destination, destination_rule, istiod, namespace, virtual_service

if TYPE_CHECKING:
    from clusters.clients import ObjectRef, Reader
    from meshui.lib.jsontypes import JsonObject

ADAPTER = IstioAdapter()
REF = ADAPTER.live(virtual_service()).ref
RELEASE = "registry.istio.io/release/pilot:1.31.0"


class ConfigMaps:
    """As much of a Reader as detection uses: ConfigMaps by name, or the error that reading them gives."""

    def __init__(self, found: dict[str, str] | None = None, error: Exception | None = None) -> None:
        self.found = found or {}
        self.error = error

    def get_object(self, ref: ObjectRef) -> JsonObject | None:
        """The ConfigMap."""
        if self.error:
            raise self.error
        text = self.found.get(f"{ref.namespace}/{ref.name}")
        return None if text is None else {"data": {"mesh": text}}


def reader(**kwargs: Any) -> Reader:
    """As the adapter takes it."""
    return cast("Reader", ConfigMaps(**kwargs))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("registry.istio.io/release/pilot:1.31.0", (1, 31, 0)),
        ("localhost:5000/mirror/pilot:1.30.4-distroless", (1, 30, 4)),
        ("localhost:5000/mirror/pilot:1.30@sha256:" + "a" * 64, (1, 30, 0)),
        ("localhost:5000/mirror/pilot@sha256:" + "a" * 64, (0, 0, 0)),
        ("localhost:5000/mirror/pilot", (0, 0, 0)),
        ("docker.io/istio/pilot:latest", (0, 0, 0)),
    ],
)
def test_image_version__tag_digest_or_port__only_the_tag_counts(image: str, expected: tuple[int, int, int]) -> None:
    version = image_version(image)

    assert (version.major, version.minor, version.patch) == expected


def test_detect__image_by_digest__version_by_label() -> None:
    plane = istiod("localhost:5000/pilot@sha256:" + "a" * 64, labels={"app.kubernetes.io/version": "1.29.2"})

    (mesh,) = ADAPTER.detect(reader(found={"istio-system/istio": "trustDomain: corp.example"}), [plane]).meshes

    assert mesh.control_planes[0].version == Version(1, 29, 2, "1.29.2")


def test_detect__two_revisions_and_two_trust_domains__two_meshes() -> None:
    planes = [istiod(RELEASE), istiod(RELEASE, revision="1-31-0"), istiod(RELEASE, namespace="other")]
    maps = {
        "istio-system/istio": "trustDomain: corp.example",
        "istio-system/istio-1-31-0": "trustDomain: corp.example",
        "other/istio": "enablePrometheusMerge: true",
    }

    detected = ADAPTER.detect(reader(found=maps), planes)

    assert [(m.trust_domain, len(m.control_planes)) for m in detected.meshes] == [
        ("corp.example", 2),
        ("cluster.local", 1),
    ]
    assert [plane.revision for plane in detected.meshes[0].control_planes] == ["default", "1-31-0"]
    assert not detected.problems


def test_detect__half_removed__found_but_not_ready() -> None:
    detected = ADAPTER.detect(reader(found={"istio-system/istio": "{}"}), [istiod(RELEASE, ready=0)])

    assert [plane.is_ready for mesh in detected.meshes for plane in mesh.control_planes] == [False]


@pytest.mark.parametrize(
    ("maps", "why"),
    [
        ({"error": ForbiddenError('configmaps "istio" is forbidden')}, "forbidden"),
        ({"found": {}}, "no mesh configuration"),
        ({"found": {"istio-system/istio": "a: [1"}}, "not YAML"),
    ],
)
def test_detect__config_map_unreadable__mesh_found_and_trust_domain_not_guessed(maps: dict[str, Any], why: str) -> None:
    detected = ADAPTER.detect(reader(**maps), [istiod(RELEASE)])

    assert [mesh.trust_domain for mesh in detected.meshes] == [""]
    assert why in detected.problems[0].message
    assert "trust domain is not known" in detected.problems[0].message


def test_detect__other_deployments__nothing() -> None:
    other = {"metadata": {"name": "web", "namespace": "shop", "uid": "1", "labels": {"app": "web"}}}

    assert ADAPTER.detect(reader(), [cast("JsonObject", other)]).meshes == ()


def versions(served: frozenset[str]) -> set[str]:
    """Of Istio's own kinds."""
    return {r.version for r in ADAPTER.resources(served) if r.group == "networking.istio.io"}


def test_resources__served_versions__the_newest_or_nothing() -> None:
    both = frozenset({"v1", "networking.istio.io/v1", "networking.istio.io/v1beta1"})

    assert versions(both) == {"v1"}
    assert versions(both - {"networking.istio.io/v1"}) == {"v1beta1"}
    assert [r.plural for r in ADAPTER.resources(both | {"gateway.networking.k8s.io/v1"})] == [
        "virtualservices",
        "httproutes",
        "grpcroutes",
        "destinationrules",
        "mutatingwebhookconfigurations",
    ]
    assert [r.plural for r in ADAPTER.resources(both | {"gateway.networking.k8s.io/v1beta1"})][:2] == [
        "virtualservices",
        "httproutes",
    ]
    assert ADAPTER.resources(frozenset({"v1"})) == ()


def test_capabilities__unknown_version__says_so() -> None:
    assert ADAPTER.capabilities(Version.parse("1.31.0")).is_known
    assert not ADAPTER.capabilities(Version.parse("9.0.0")).is_known
    assert not ADAPTER.capabilities(Version.parse("latest")).is_known


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"istio_injection": "enabled"}, "injected"),
        ({"istio_injection": "enabled", "istio.io__rev": "canary"}, "injected"),
        ({"istio_injection": "disabled", "istio.io__rev": "canary"}, "none"),
        ({"istio.io__rev": "canary"}, "injected"),
        ({"istio.io__dataplane_mode": "ambient"}, "ambient"),
        ({"istio.io__dataplane_mode": "none"}, "none"),
        ({}, "none"),
    ],
)
def test_read__namespace_labels__injection_with_the_reason(labels: dict[str, str], expected: str) -> None:
    found = ADAPTER.read({}, [namespace("shop", **labels)]).injections["shop"]

    assert found.state == expected
    assert found.reason


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("checkout", ("checkout", "shop")),
        ("checkout.pay.svc.cluster.local", ("checkout", "pay")),
        ("checkout.pay.svc.corp.example", ("checkout", "pay")),
        ("checkout.pay", ("checkout.pay", "shop")),
        ("checkout.pay.svc", ("checkout.pay.svc", "shop")),
        ("*.pay.svc.cluster.local", ("*.pay.svc.cluster.local", "shop")),
        ("api.example.com", ("api.example.com", "shop")),
        ("*", ("*", "shop")),
    ],
)
def test_split_host__as_istio_resolves_it(host: str, expected: tuple[str, str]) -> None:
    assert split_host(host, "shop") == expected


def test_read__subsets__carry_labels_and_missing_ones_are_told() -> None:
    read = ADAPTER.read(
        {"virtualservices": [virtual_service()], "destinationrules": [destination_rule("web", ["v1"])]}, []
    )

    (found,) = read.routes
    assert found.live is not None
    assert [b.backend.labels for b in found.live.route.rules[0].backends] == [(("version", "v1"),), ()]
    assert [p.message for p in found.problems] == ["No DestinationRule defines subset v2 of web: its requests get 503."]


def test_read__wildcard_destination_rule__defines_subsets_too() -> None:
    rule = destination_rule("*.shop.svc.cluster.local", ["v1", "v2"])

    read = ADAPTER.read({"virtualservices": [virtual_service()], "destinationrules": [rule]}, [])

    assert read.routes[0].problems == ()


def test_read__destination_rules_not_known__no_subset_is_called_missing() -> None:
    read = ADAPTER.read({"virtualservices": [virtual_service()]}, [])

    assert read.routes[0].problems == ()


def test_read__two_of_one_host__the_older_is_believed_to_win() -> None:
    newer = virtual_service("a-newer", created="2026-02-01T00:00:00Z")
    older = virtual_service("b-older", created="2026-01-01T00:00:00Z", hosts=["web.shop.svc.cluster.local"])

    read = ADAPTER.read({"virtualservices": [newer, older]}, [])
    told = {found.live.ref.name: found.problems for found in read.routes if found.live is not None}

    assert "this one is believed to win in all namespaces" in told["b-older"][0].message
    assert "shop/b-older" in told["a-newer"][0].message
    assert "this one does nothing" in told["a-newer"][0].message


def test_read__private_beside_public__the_private_one_wins_where_it_is_seen() -> None:
    public = virtual_service("public", created="2026-01-01T00:00:00Z", hosts=["web.shop.svc.cluster.local"])
    private = virtual_service("private", created="2026-02-01T00:00:00Z", exportTo=["."])
    elsewhere = virtual_service("else", "pay", hosts=["web.shop.svc.cluster.local"], exportTo=["."])

    read = ADAPTER.read({"virtualservices": [public, private, elsewhere]}, [])

    messages = [[p.message for p in found.problems] for found in read.routes]
    assert any("shop/private" in m and "believed to win in shop" in m for m in messages[0])
    assert [("shop/public" in m, "this one is believed to win in shop" in m) for m in messages[1]] == [(True, True)]


def test_read__same_host_at_a_gateway__no_rival() -> None:
    outside = virtual_service("outside", gateways=["istio-ingress/public"])

    read = ADAPTER.read({"virtualservices": [virtual_service(), outside]}, [])

    assert read.routes[0].problems == ()


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"http": []}, "no HTTP rule"),
        ({"http": "all"}, "Expected `array | null`, got `str`"),
        ({"http": [{"route": [{"destination": {"host": "web"}, "weight": "90"}]}]}, "Expected `int | null`, got `str`"),
        ({"http": [{"route": [{"destination": {"host": "web"}, "weight": -1}]}]}, ">= 0"),
        ({"http": [{"route": [{"weight": 1}]}]}, "missing required field `destination`"),
        ({"http": [{"match": [{"sourceLabels": {"größe": "1"}}], "route": [destination("web")]}]}, "not ASCII"),
        ({"http": [{"headers": {"request": {"set": {"größe": "1"}}}, "route": [destination("web")]}]}, "not ASCII"),
    ],
)
def test_read__what_cannot_be_said__unreadable_with_the_reason_and_the_others_stay(
    spec: dict[str, Any], why: str
) -> None:
    read = ADAPTER.read({"virtualservices": [virtual_service("bad", **spec), virtual_service()]}, [])

    bad, good = read.routes
    assert bad.live is None
    assert why in bad.problems[0].message
    assert good.live is not None


def test_live__unreadable__refused_in_words() -> None:
    with pytest.raises(UnreadableRouteError, match="no HTTP rule"):
        ADAPTER.live(virtual_service(http=[]))


def test_read__destination_rule_of_another_shape__named_and_skipped() -> None:
    bad = cast("JsonObject", {"kind": "DestinationRule", "metadata": {"name": "x", "uid": "1"}, "spec": {"host": 1}})

    read = ADAPTER.read({"virtualservices": [virtual_service()], "destinationrules": [bad]}, [])

    assert read.problems[0].where == "DestinationRule x"
    assert len(read.routes) == 1


def test_read__rule_names_twice_or_like_places__every_rule_has_its_own() -> None:
    http = [{"name": name, "route": [destination("web")]} for name in ("rule-2", "", "a", "a")]

    route = ADAPTER.live(virtual_service(http=http)).route

    assert [rule.name for rule in route.rules] == ["rule-2", "rule-2-", "a", "rule-4"]


def test_project__what_does_not_route__same_hash() -> None:
    body = cast("Any", virtual_service())
    other = cast("Any", virtual_service())
    other["metadata"] |= {"resourceVersion": "9", "generation": 4, "annotations": {"meshui.io/change": "x"}}
    other["metadata"]["labels"] = {"team": "b"}
    other["status"] = {"observedGeneration": 4}

    assert ADAPTER.project(REF, body) == ADAPTER.project(REF, other)


@pytest.mark.parametrize(
    "edit",
    [
        lambda body: body["metadata"].update(uid="other"),
        lambda body: body["metadata"].update(labels={"istio.io/rev": "canary"}),
        lambda body: body["spec"].update(exportTo=["."]),
        lambda body: body["spec"]["http"][0].update(timeout="3s"),
        lambda body: body["spec"]["http"][0].update(mirrorPercentage={"value": 12.345678}),
        lambda body: body["spec"]["http"][0]["route"][0].update(weight=91),
    ],
    ids=["uid", "revision", "export", "timeout", "mirror", "weight"],
)
def test_project__what_routes__another_hash(edit: Any) -> None:
    body = cast("Any", virtual_service(http=[{"route": [destination("web", "v1", 90), destination("web", "v2", 10)]}]))
    before = ADAPTER.project(REF, body).hash

    edit(body)

    assert ADAPTER.project(REF, body).hash != before


def test_project__fractions__kept_to_the_last_digit() -> None:
    hashes = {
        ADAPTER.project(
            REF, virtual_service(http=[{"mirrorPercentage": {"value": value}, "route": [destination("web")]}])
        ).hash
        for value in (12.3456781, 12.3456782, 50.0, 50)
    }

    assert len(hashes) == 3


def test_render__backends_in_another_order__found_by_key() -> None:
    live = ADAPTER.live(virtual_service())
    rule = live.route.rules[0]
    first, second = rule.backends
    swapped = replace(rule, backends=(replace(second, weight_bp=2500), replace(first, weight_bp=7500)))

    (write,) = ADAPTER.render(replace(live.route, rules=(swapped,)), live, Around()).objects

    assert [o.value for o in write.operations] == [90, 10, 75, 25]


def test_live__older_api_version__the_patch_goes_where_the_read_came_from() -> None:
    body = virtual_service() | {"apiVersion": "networking.istio.io/v1beta1"}

    assert ADAPTER.live(body).ref.resource.version == "v1beta1"
