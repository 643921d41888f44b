"""What the facts of a target hold: from what was read now, else from what is stored; and the preview of a form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.models import Namespace, Service, Sync, Workload
from meshes.secrets import masked_route
from meshes.types import (
    Around,
    HeaderMatch,
    Match,
    NativeWrite,
    Route,
)
from meshui.lib.clock import now
from tests.traffic.factories import checkout_route, in_state, make_change, make_cluster, make_route, native
from traffic.checks import run_checks
from traffic.services.facts import FactsTarget, Sketch, facts_of, preview_findings

if TYPE_CHECKING:
    from accounts.models import User
    from clusters.models import Cluster
    from meshes.models import Route as StoredRoute
    from traffic.checks.facts import Facts

pytestmark = pytest.mark.django_db
DESIRED = checkout_route(7500, 2500)
V1, V2 = (item.backend for item in DESIRED.rules[0].backends)
RULE: Any = {
    "kind": "DestinationRule",
    "apiVersion": "networking.istio.io/v1",
    "metadata": {"name": "checkout", "namespace": "shop", "uid": "u-rule"},
    "spec": {"host": "checkout", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]},
}
SERVICE: Any = {"kind": "Service", "metadata": {"name": "checkout", "namespace": "shop", "uid": "u-service"}}
AROUND = Around(services={("shop", "checkout"): SERVICE}, companions=(RULE,))


def target_of(row: StoredRoute, **columns: Any) -> FactsTarget:
    """The target of a stored route."""
    given = {"cluster": row.cluster, "mesh_kind": row.mesh_kind, "action": "set", "ref": row.ref}
    return FactsTarget(**{**given, **columns})


def more_routes(*places: tuple[Cluster, str]) -> list[StoredRoute]:
    """Routes one after the other, which zeal would take for a loop of the product."""
    with zeal_ignore():
        return [make_route(cluster, name=name) for cluster, name in places]


def facts(row: StoredRoute, desired: Route | None = DESIRED, **columns: Any) -> Facts:
    """Of `row`; `columns` are other arguments of facts_of."""
    given = {"target": target_of(row), "live": row.live, "writes": (), "around": None, "change": None}
    return facts_of(desired=desired, **{**given, **columns})


def workload(row: StoredRoute, version: str, ready: int) -> None:
    """Pods of checkout in the cluster of `row`."""
    Service.objects.filter(cluster=row.cluster, name="checkout").update(selector={"app": "checkout"})
    labels = {"app": "checkout", "version": version}
    Workload.objects.create(
        cluster=row.cluster, kind="Deployment", namespace="shop", name=version, uid=f"w-{version}", labels=labels,
        ready=ready, content_hash="", read_at=now(),
    )  # fmt: skip


def rival(name: str = "older", made_at: str = "2020-01-01T00:00:00Z", **spec: Any) -> dict[str, Any]:
    """Another VirtualService of the same host."""
    body = native(checkout_route(), name=name)
    body["metadata"]["creationTimestamp"] = made_at
    body["spec"].update(spec)
    return body


def test_facts__stored_alone__say_cluster_object_and_routes() -> None:
    row = make_route(make_cluster(environment="production", is_observe_only=True))

    found = facts(row)

    assert (found.target, found.mesh, found.kind, found.object) == (
        "eu-west", "istio", "VirtualService", "VirtualService shop/checkout",
    )  # fmt: skip
    assert (found.is_production, found.is_observe_only, found.max_step_bp) == (True, True, 5000)
    assert (found.live, found.desired) == (row.route, DESIRED)
    assert (found.rivals, found.open_changes, found.missing, found.undefined) == ((), (), frozenset(), frozenset())


def test_facts__limit_of_a_step__is_the_setting(settings: Any) -> None:
    settings.MAX_STEP_PERCENT = 12.5

    assert facts(make_route(make_cluster())).max_step_bp == 1250


def test_facts__read_now__subsets_and_services_are_those_of_the_cluster() -> None:
    row = make_route(make_cluster())
    workload(row, "v1", 4)

    found = facts(row, around=AROUND)

    assert found.undefined == {V2.key}
    assert found.missing == frozenset()
    assert found.ready == {V1.key: 4, V2.key: None}


def test_facts__subset_that_the_same_plan_defines__is_defined() -> None:
    row = make_route(make_cluster())
    grown = {
        **RULE,
        "spec": {"host": "checkout", "subsets": [{"name": n, "labels": {"version": n}} for n in ("v1", "v2")]},
    }
    write = NativeWrite(replace(row.ref, name="checkout"), grown)

    assert facts(row, around=AROUND, writes=(write,)).undefined == frozenset()


def test_facts__service_that_is_gone_now__is_missing_though_stored() -> None:
    around = Around(services={("shop", "other"): SERVICE}, companions=(RULE,))

    assert facts(make_route(make_cluster()), around=around).missing == {V1.key, V2.key}


def test_facts__nothing_read_now__stored_services_count() -> None:
    row = make_route(make_cluster())
    Sync.objects.create(cluster=row.cluster, resource="services", started_at=now(), succeeded_at=now())
    Service.objects.all().delete()

    assert facts(row).missing == {V1.key, V2.key}


def test_facts__open_changes__of_the_same_object_without_this_one(author: User) -> None:
    row, other = more_routes((make_cluster(), "checkout"), (make_cluster("us-east"), "checkout"))
    with zeal_ignore():
        mine, theirs, last, _ = (make_change(author, [each]) for each in (row, row, row, other))
    over = in_state(last, "applied")

    found = facts(row, change=mine)

    assert over.state == "applied"
    assert found.open_changes == (f"#{theirs.number} (draft)",)
    assert [f.id for f in run_checks(found)].count("TRF022") == 1


def test_facts__rivals_read_now__older_one_is_believed_to_win() -> None:
    found = facts(make_route(make_cluster()), around=replace(AROUND, rivals=(rival(),)))

    assert found.rivals == ("VirtualService shop/older",)
    assert found.winner == "VirtualService shop/older"


def test_facts__rivals_for_other_clients_or_at_gateways__are_none() -> None:
    elsewhere = rival("gateway", gateways=["shop/front"])

    found = facts(make_route(make_cluster()), around=replace(AROUND, rivals=(elsewhere,)))

    assert (found.rivals, found.winner) == ((), "")


def test_facts__rival_that_cannot_be_read__is_named_all_the_same() -> None:
    found = facts(make_route(make_cluster()), around=replace(AROUND, rivals=(rival("odd", hosts=[]),)))

    assert found.rivals == ("VirtualService shop/odd",)


def test_facts__stored_rivals__of_this_cluster_alone() -> None:
    here, there = make_cluster(), make_cluster("us-east")
    row, *_ = more_routes((here, "checkout"), (here, "second"), (there, "third"))

    assert facts(row).rivals == ("VirtualService shop/second",)


def test_facts__service_profile__shadows_routes_of_linkerd_alone() -> None:
    row = make_route(make_cluster())
    profile: Any = {
        "kind": "ServiceProfile",
        "metadata": {"name": "checkout.shop.svc.cluster.local", "namespace": "web"},
    }
    around = replace(AROUND, companions=(profile,))
    live = row.live
    assert live is not None

    linkerd = facts(row, around=around, target=target_of(row, mesh_kind="linkerd"))

    assert linkerd.shadows == ("ServiceProfile web/checkout.shop.svc.cluster.local",)
    assert facts(row, around=around).shadows == ()


def test_facts__grpc_route_of_the_parent__outranks_the_http_route_of_linkerd() -> None:
    here = make_cluster()
    row, stored = more_routes((here, "checkout"), (here, "grpc"))
    resource = replace(row.ref.resource, group="gateway.networking.k8s.io", kind="HTTPRoute", plural="httproutes")
    target = target_of(row, mesh_kind="linkerd", ref=replace(row.ref, resource=resource))
    type(stored).objects.filter(pk=stored.pk).update(kind="GRPCRoute", group="gateway.networking.k8s.io")
    type(row).objects.filter(pk=row.pk).delete()

    found = facts(row, target=target)

    assert (found.outranked_by, found.outranks) == (("GRPCRoute shop/grpc",), ())
    assert facts(row, target=replace(target, mesh_kind="istio")).outranked_by == ()


def test_facts__owners__of_the_route_and_of_companions_that_are_there() -> None:
    row = make_route(make_cluster())
    live = row.live
    assert live is not None
    live.metadata["labels"] = {"kustomize.toolkit.fluxcd.io/name": "shop"}
    resource = replace(row.ref.resource, kind="DestinationRule", plural="destinationrules")
    owned = {**RULE, "metadata": {**RULE["metadata"], "labels": {"app.kubernetes.io/managed-by": "Helm"}}}
    writes = (NativeWrite(replace(row.ref, resource=resource), owned), NativeWrite(row.ref, live.body, op="patch"))
    made = NativeWrite(replace(row.ref, resource=resource, name="new"), owned, op="create")

    found = facts(row, live=live, writes=(*writes, made))

    assert [(owner.object, owner.name) for owner in found.owners] == [
        ("VirtualService shop/checkout", "Flux"),
        ("DestinationRule shop/checkout", "Helm"),
    ]


def test_facts__written__is_how_the_written_object_reads() -> None:
    row = make_route(make_cluster())

    found = facts(row, writes=(NativeWrite(row.ref, native(DESIRED)),))

    assert found.written is not None
    assert [item.weight_bp for item in found.written.rules[0].backends] == [7500, 2500]
    assert facts(row).written is None


def test_facts__secret_match_asked_for__is_compared_once_masked() -> None:
    row = make_route(make_cluster())
    secret = Match(headers=(HeaderMatch("cookie", "exact", "session=geheim"),))
    desired = replace(DESIRED, rules=(replace(DESIRED.rules[0], matches=(secret,)),))

    found = facts(row, desired, target=target_of(row, asked=masked_route(desired)))

    assert found.asked == desired
    assert "TRF010" not in [finding.id for finding in run_checks(found)]


@pytest.mark.parametrize(("label", "foreign"), [("meshui", 0), ("Helm", 1), ("", 1)])
def test_facts__end__what_we_did_not_make_is_foreign(label: str, foreign: int) -> None:
    row = make_route(make_cluster())
    row.body["metadata"]["labels"] = {"app.kubernetes.io/managed-by": label}

    found = facts(row, None, target=target_of(row, action="end"), live=row.live)

    assert found.desired is None
    assert len(found.foreign) == foreign


def test_facts__ambient_namespace__waypoint_by_label_or_not_told() -> None:
    row = make_route(make_cluster())
    Namespace.objects.create(
        cluster=row.cluster, name="shop", uid="ns", injection="ambient", content_hash="", read_at=now()
    )
    served = {**SERVICE, "metadata": {**SERVICE["metadata"], "labels": {"istio.io/use-waypoint": "w"}}}

    assert (facts(row).is_ambient, facts(row).waypoint) == (True, None)
    assert facts(row, around=replace(AROUND, services={("shop", "checkout"): served})).waypoint == "w"


def test_facts__start__of_a_route_that_is_not_there_has_no_live_one() -> None:
    row = make_route(make_cluster())
    target = target_of(row, action="start", ref=replace(row.ref, name="fresh"))

    found = facts(row, target=target, live=None, around=replace(AROUND, rivals=(rival("checkout"),)))

    assert found.live is None
    assert ("TRF050", "block") in [(f.id, f.severity) for f in run_checks(found)]


def test_sketch__neither_desired_nor_live__is_no_target() -> None:
    row = make_route(make_cluster())

    with pytest.raises(ValueError, match="desired route"):
        _ = Sketch(target_of(row), None, None).route


def test_preview__many_targets__constant_queries_and_each_its_own_findings(django_assert_max_num_queries: Any) -> None:
    clusters = [make_cluster(f"c{number}", is_observe_only=number == 1) for number in range(6)]
    rows = more_routes(*((cluster, "checkout") for cluster in clusters))
    workload(rows[2], "v2", 0)
    sketches = [Sketch(target_of(row), DESIRED, row.live) for row in rows]

    with django_assert_max_num_queries(6):
        found = preview_findings(sketches)

    assert [finding.targets for finding in found[1] if finding.id == "TRF021"] == [("c1",)]
    assert not [finding for each in (*found[:1], *found[2:]) for finding in each if finding.id == "TRF021"]


def test_preview__of_the_change_that_is_edited__is_not_in_its_own_way(author: User) -> None:
    row = make_route(make_cluster())
    change = make_change(author, [row])
    sketch = Sketch(target_of(row), DESIRED, row.live)

    assert "TRF022" in [finding.id for finding in preview_findings([sketch])[0]]
    assert "TRF022" not in [finding.id for finding in preview_findings([sketch], change=change)[0]]
