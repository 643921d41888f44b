"""Rows for tests of pages and selectors, made without any cluster: a stored route, a change, its plan."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from clusters.models import Cluster
from meshes.models import Drift, ManagedRoute, Service
from meshes.models import Route as StoredRoute
from meshes.types import Backend, Match, PathMatch, Root, Route, Rule, WeightedBackend
from meshui.lib.clock import now
from meshui.lib.ids import new_id
from tests.people import as_actor
from traffic.models import Change, Plan, PlanTarget
from traffic.services.propose import propose_change
from traffic.types import Proposal, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import User

DIGEST = "9f31c2e" + "0" * 57


def make_cluster(slug: str = "eu-west", *, environment: str = "staging", **columns: Any) -> Cluster:
    """A cluster that answers and may be written to."""
    given = {"name": slug, "server": f"https://{slug}.example:6443", "health": "healthy", "is_observe_only": False}
    return Cluster.objects.create(slug=slug, environment=environment, created_at=now(), **{**given, **columns})


def checkout_route(v1: int = 9000, v2: int = 1000, *, rule: str = "primary") -> Route:
    """shop/checkout: one rule, two subsets."""
    backends = tuple(
        WeightedBackend(Backend("subset", "checkout", "shop", subset=name), share, str(share // 100))
        for name, share in (("v1", v1), ("v2", v2))
    )
    match = Match(path=PathMatch("prefix", "/"))
    return Route(root=Root("checkout", "shop", hosts=("checkout",)), rules=(Rule(rule, (match,), backends),))


def native(route: Route, *, name: str = "checkout", resource_version: str = "1") -> dict[str, Any]:
    """The VirtualService that reads as `route`."""
    http = [
        {
            "name": rule.name,
            "match": [{"uri": {"prefix": "/"}}],
            "route": [
                {"destination": {"host": "checkout", "subset": b.backend.subset}, "weight": b.weight_bp // 100}
                for b in rule.backends
            ],
        }
        for rule in route.rules
    ]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": resource_version,
            "generation": 1,
        },
        "spec": {"hosts": ["checkout"], "http": http},
    }


def make_route(cluster: Cluster, route: Route | None = None, *, name: str = "checkout") -> StoredRoute:
    """A stored route of shop/checkout in `cluster`, with its service."""
    neutral = route or checkout_route()
    Service.objects.get_or_create(
        cluster=cluster,
        namespace="shop",
        name="checkout",
        defaults={"uid": f"service-{cluster.slug}", "content_hash": "", "read_at": now()},
    )
    return StoredRoute.objects.create(
        cluster=cluster,
        mesh_kind="istio",
        group="networking.istio.io",
        version="v1",
        plural="virtualservices",
        kind="VirtualService",
        namespace="shop",
        name=name,
        uid=f"uid-{name}-{cluster.slug}",
        root_service="checkout",
        root_namespace="shop",
        neutral=neutral.to_json(),
        body=native(neutral, name=name),
        resource_version="1",
        content_hash="",
        read_at=now(),
        is_split=True,
    )


def make_managed(route: StoredRoute, drift: str = Drift.CHANGED, **columns: Any) -> ManagedRoute:
    """`route` as MeshUI left it at 90/10; by now it is as its row says."""
    given = {
        "change_number": 7,
        "body": native(checkout_route(), name=route.name),
        "left_hash": "left",
        "uid": route.uid,
        "written_at": now() - timedelta(hours=1),
        "drifted_at": now() - timedelta(minutes=2) if drift else None,
    }
    names = ("mesh_kind", "group", "version", "plural", "kind", "namespace", "name", "root_service", "root_namespace")
    copied = {name: getattr(route, name) for name in names}
    return ManagedRoute.objects.create(
        cluster=route.cluster, route=route, drift=drift, **{**copied, **given, **columns}
    )


def make_change(author: User, routes: Sequence[StoredRoute], *, title: str = "Shift checkout", **words: Any) -> Change:
    """A draft by `author`: 75/25 on `routes`."""
    proposal = Proposal(
        title=title,
        reason=words.get("reason", "v2 was good for a day."),
        desired=words.get("desired", checkout_route(7500, 2500)),
        targets=tuple(Wanted(route.cluster_id, route.mesh_kind, route.pk) for route in routes),
    )
    return propose_change(actor=as_actor(author), proposal=proposal)


def make_plan(change: Change, *, is_sound: bool = True, needed: int = 1, **words: Any) -> Plan:
    """A plan in force, as if every target had been dry-run. `error` = the server's refusal."""
    revision = change.current_revision
    assert revision is not None
    plan = Plan.objects.create(
        change=change,
        revision=revision,
        number=revision.plans.count() + 1,
        digest=words.get("digest", DIGEST) if is_sound else "",
        is_sound=is_sound,
        findings=words.get("findings", []),
        policy="built-in/1",
        rules=[{"name": "approvals", "n": needed}],
        product_version="0",
        created_at=now(),
        expires_at=now() + timedelta(hours=24),
    )
    for target in change.targets.select_related("cluster", "route"):
        _plan_target(plan, target, **words)
    Change.objects.filter(pk=change.pk).update(current_plan=plan)
    change.refresh_from_db()
    return plan


def _plan_target(plan: Plan, target: Any, **words: Any) -> None:
    live = words.get("live", checkout_route())
    desired = plan.revision.route
    error = words.get("error", "")
    PlanTarget.objects.create(
        plan=plan,
        target=target,
        cluster=target.cluster,
        mesh_kind="istio",
        group=target.group,
        api_version=target.api_version,
        plural=target.plural,
        kind=target.kind,
        namespace=target.namespace,
        name=target.name,
        uid=f"uid-{target.name}",
        snapshot=native(live, name=target.name),
        live_route=live.to_json(),
        desired_route=desired.to_json(),
        expected=None if error else native(desired, name=target.name),
        operations=[{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 75}],
        base_hash=words.get("base_hash", "base"),
        error=error,
    )


def in_state(change: Change, state: str, **columns: Any) -> Change:
    """`change` as it would be there; for pages only, no move is recorded."""
    Change.objects.filter(pk=change.pk).update(state=state, **columns)
    return Change.objects.select_related("current_plan").get(pk=change.pk)


def in_review(author: User, routes: Sequence[StoredRoute], **words: Any) -> Change:
    """Planned and waiting for approval."""
    change = make_change(author, routes, **{k: v for k, v in words.items() if k in {"title", "reason", "desired"}})
    make_plan(change, **words)
    return in_state(change, "in_review", submitted_at=now())


def many_changes(author: User, route: StoredRoute, count: int) -> list[Change]:
    """`count` changes in review, quickly."""
    return [in_review(author, [route], title=f"Change {number}", digest=new_id().hex * 2) for number in range(count)]
