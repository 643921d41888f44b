"""Owners and surroundings, read from native objects."""

from __future__ import annotations

from typing import Any

import pytest

from meshes.types import Around, Backend, Root
from traffic.checks import surroundings
from traffic.checks.owners import hint_of, managers_of, owner_of
from traffic.checks.surroundings import Claim

ROOT = Root("checkout", "shop")
V1 = Backend("subset", "checkout", "shop", subset="v1")


def body(kind: str = "VirtualService", name: str = "checkout", namespace: str = "shop", **metadata: Any) -> Any:
    """A native object."""
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "uid": f"u-{name}", **metadata}}


def written_by(*managers: str) -> Any:
    """managedFields, the first wrote first."""
    entries = [{"manager": name, "time": f"2026-01-0{day}T00:00:00Z"} for day, name in enumerate(managers, 1)]
    return body(managedFields=[*entries, {"manager": "controller", "subresource": "status", "time": "2027-01-01"}])


@pytest.mark.parametrize(
    ("native", "expected"),
    [
        (body(ownerReferences=[{"kind": "Canary", "name": "checkout"}]), ("controller", "Canary checkout")),
        (body(ownerReferences=[{"kind": "Rollout", "name": "checkout"}]), ("controller", "Rollout checkout")),
        (body(ownerReferences=[{"kind": "Deployment", "name": "x"}]), ("unknown", "")),
        (
            body(labels={"rollouts.argoproj.io/gatewayapi-canary": "in-progress"}),
            ("controller", "Argo Rollouts (in-progress)"),
        ),
        (
            body(annotations={"argo-rollouts.argoproj.io/managed-by-rollouts": "shop"}),
            ("controller", "Argo Rollouts (shop)"),
        ),
        (body(annotations={"argocd.argoproj.io/tracking-id": "x"}), ("gitops", "Argo CD")),
        (body(labels={"kustomize.toolkit.fluxcd.io/name": "x"}), ("gitops", "Flux")),
        (body(labels={"helm.toolkit.fluxcd.io/name": "x"}), ("gitops", "Flux")),
        (body(labels={"app.kubernetes.io/managed-by": "Helm"}), ("gitops", "Helm")),
        (body(annotations={"meta.helm.sh/release-name": "x"}), ("gitops", "Helm")),
        (body(labels={"app.kubernetes.io/managed-by": "meshui"}), ("unknown", "")),
        (written_by("kubectl-edit", "meshui"), ("ours", "meshui")),
        (written_by("meshui", "kubectl-edit"), ("human", "kubectl-edit")),
        (written_by("flagger"), ("unknown", "flagger")),
        (body(), ("unknown", "")),
    ],
)
def test_owner__by_its_marks__then_by_who_wrote_last(native: Any, expected: tuple[str, str]) -> None:
    assert owner_of(native, field_manager="meshui") == expected


@pytest.mark.parametrize(
    ("manager", "tool"),
    [
        ("flagger", "Flagger"),
        ("rollouts-controller", "Argo Rollouts"),
        ("argocd-controller", "Argo CD"),
        ("kustomize-controller", "Flux"),
        ("helm-controller", "Flux"),
        ("helm", "Helm"),
        ("helmsman", ""),
        ("kubectl-edit", ""),
    ],
)
def test_hint__name_in_managed_fields__is_a_hint_only(manager: str, tool: str) -> None:
    assert hint_of(written_by(manager, "kubectl-edit")) == tool
    assert owner_of(written_by(manager), field_manager="meshui")[0] not in {"controller", "gitops"}


def test_managers__written_twice__stands_once_where_it_wrote_last() -> None:
    assert managers_of(written_by("a", "b", "a")) == ["b", "a"]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Claim("a", "VirtualService"), Claim("b", "VirtualService"), True),
        (Claim("a", "VirtualService", "consumer(web)"), Claim("b", "VirtualService"), True),
        (Claim("a", "VirtualService", "consumer(web)"), Claim("b", "VirtualService", "consumer(web,api)"), True),
        (Claim("a", "VirtualService", "consumer(web)"), Claim("b", "VirtualService", "consumer(api)"), False),
        (Claim("a", "VirtualService", "gateway"), Claim("b", "VirtualService"), False),
        (Claim("a", "HTTPRoute", port=80), Claim("b", "HTTPRoute", port=80), True),
        (Claim("a", "HTTPRoute", port=80), Claim("b", "HTTPRoute"), True),
        (Claim("a", "HTTPRoute", port=80), Claim("b", "HTTPRoute", port=81), False),
    ],
)
def test_claims__for_some_of_the_same_clients__meet(one: Claim, other: Claim, expected: bool) -> None:  # noqa: FBT001
    assert one.meets(other) is expected
    assert other.meets(one) is expected


def test_winner__virtual_services__private_before_public_then_the_oldest() -> None:
    old = Claim("VirtualService shop/old", "VirtualService", made_at="2024-01-01T00:00:00Z")
    new = Claim("VirtualService shop/new", "VirtualService", made_at="2025-01-01T00:00:00Z")
    private = Claim("VirtualService web/p", "VirtualService", "consumer(web)", made_at="2026-01-01T00:00:00Z")
    planned = Claim("VirtualService shop/a", "VirtualService")

    assert surroundings.winner_of(new, [old]) == old.words
    assert surroundings.winner_of(old, [new, private]) == private.words
    assert surroundings.winner_of(planned, [new]) == new.words


def test_winner__merged_kinds_or_nobody_else__none() -> None:
    route = Claim("HTTPRoute shop/a", "HTTPRoute")
    service = Claim("VirtualService shop/a", "VirtualService")

    assert surroundings.winner_of(route, [route]) == ""
    assert surroundings.winner_of(service, []) == ""
    assert surroundings.winner_of(service, [route]) == ""


def test_missing__hosts_outside__are_not_missing() -> None:
    outside = Backend("service", "api.example.org", "shop")
    ghost = Backend("service", "ghost", "shop")

    assert surroundings.missing_in([V1, outside, ghost], {("shop", "checkout"): body("Service")}) == {ghost.key}


def test_undefined__by_the_rules_that_are_there() -> None:
    rule = body("DestinationRule") | {"spec": {"host": "checkout", "subsets": [{"name": "v1", "labels": {"v": "1"}}]}}
    v2 = Backend("subset", "checkout", "shop", subset="v2")

    subsets = surroundings.subsets_in([rule, body("ServiceProfile")])

    assert surroundings.undefined_in([V1, v2, Backend("service", "checkout", "shop")], subsets) == {v2.key}


def test_profiles__of_the_service_in_any_namespace__and_domain() -> None:
    name = "checkout.shop.svc.corp.example"
    found = surroundings.profiles_in(
        ROOT,
        [
            body("ServiceProfile", name),
            body("ServiceProfile", name, "web"),
            body("ServiceProfile", "checkout2.shop.svc.x"),
            body("HTTPRoute", name),
        ],
    )

    assert found == (f"ServiceProfile shop/{name}", f"ServiceProfile web/{name}")


@pytest.mark.parametrize(
    ("service", "space", "expected"),
    [
        ({"istio.io/use-waypoint": "w"}, None, "w"),
        ({}, {"istio.io/use-waypoint": "w"}, "w"),
        ({"istio.io/use-waypoint": "none"}, {"istio.io/use-waypoint": "w"}, ""),
        ({}, {}, ""),
        ({}, None, None),
        (None, {}, None),
    ],
)
def test_waypoint__by_the_service_then_its_namespace__else_it_cannot_be_told(
    service: Any, space: Any, expected: str | None
) -> None:
    services = {("shop", "checkout"): body("Service", labels=service)} if service is not None else {}
    companions = (body("Namespace", "shop", "", labels=space),) if space is not None else ()

    assert surroundings.waypoint_in(ROOT, Around(services=services, companions=companions)) == expected


def test_drivers__rollout_behind_a_backend__is_a_controller() -> None:
    hashed = Backend("subset", "checkout", "shop", subset="canary", labels=(("rollouts-pod-template-hash", "ab"),))
    marked = Backend("service", "checkout-v2", "shop")
    services = {
        ("shop", "checkout-v2"): body("Service", annotations={"argo-rollouts.argoproj.io/managed-by-rollouts": "x"})
    }

    found = list(surroundings.drivers_in([V1, hashed, marked, marked], services))

    assert [(owner.object, owner.owner_class, owner.name) for owner in found] == [
        ("backend canary", "controller", "Argo Rollouts"),
        ("backend checkout-v2", "controller", "Argo Rollouts"),
    ]
