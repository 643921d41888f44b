"""What a plan does to each target, and how far its run has come, as a page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext, gettext_lazy

from meshes.adapters.base import UnreadableRouteError
from meshes.adapters.registry import adapter_for
from meshes.types import Route
from meshui.ui.yaml_text import to_yaml
from traffic.diff import neutral_diff, three_way
from traffic.marks import annotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from meshui.lib.jsontypes import JsonObject
    from traffic.diff import RuleDiff, ThreeWayRow
    from traffic.models import Plan, PlanTarget, TargetStep

OWNERS: Final = {
    "controller": gettext_lazy("A controller drives it"),
    "gitops": gettext_lazy("Kept in Git"),
    "ours": gettext_lazy("Written by MeshUI last"),
    "human": gettext_lazy("Written by hand last"),
    "unknown": gettext_lazy("No known owner"),
}
COUNTERS: Final = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})


@dataclass(frozen=True, slots=True)
class TargetCard:
    """One target of the plan in force. `before` and `after` are the native bodies as YAML."""

    key: str
    cluster: str
    environment: str
    mesh_kind: str
    mesh: str
    ref: str
    is_refused: bool
    error: str
    rules: tuple[RuleDiff, ...]
    before: str
    after: str
    losses: tuple[str, ...]
    quantisation_error_bp: int
    owner: str
    managers: tuple[str, ...]
    operations: int

    @property
    def is_tried(self) -> bool:
        """Whether the API server dry-ran the patch and took it."""
        return not self.is_refused and bool(self.after) and self.operations > 0

    @property
    def moved_bp(self) -> int:
        """The largest share of a rule's requests that goes elsewhere."""
        return max((rule.moved_bp for rule in self.rules), default=0)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A target that somebody else changed: as planned from, as it is now, as this change wanted it."""

    cluster: str
    ref: str
    why: str
    rows: tuple[ThreeWayRow, ...]
    planned: str
    live: str
    ours: str


def cards_of(targets: Iterable[PlanTarget]) -> list[TargetCard]:
    """Every target of a plan."""
    return [_card(target) for target in targets]


def _card(target: PlanTarget) -> TargetCard:
    desired = Route.from_json(target.desired_route) if target.desired_route else None
    live = Route.from_json(target.live_route) if target.live_route else None
    return TargetCard(
        key=key_of(target),
        cluster=target.cluster.slug,
        environment=target.cluster.environment,
        mesh_kind=target.mesh_kind,
        mesh=adapter_for(target.mesh_kind).label,
        ref=f"{target.kind} {target.namespace}/{target.name}",
        is_refused=bool(target.error),
        error=target.error,
        rules=neutral_diff(live, desired, _route_in(target, target.expected)),
        before=shown_yaml(target.snapshot),
        after=shown_yaml(target.expected),
        losses=tuple(f"{loss['path']}: {loss['reason']}" for loss in target.losses),
        quantisation_error_bp=target.quantisation_error_bp,
        owner=str(OWNERS.get(target.owner_class, OWNERS["unknown"])),
        managers=tuple(target.managers),
        operations=sum(operation["op"] != "test" for operation in target.operations),
    )


def shown_yaml(body: JsonObject | None) -> str:
    """A native body as people compare it: without the server's own counters and our mark, which the page names."""
    if not body:
        return ""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return to_yaml(body)
    kept = {key: value for key, value in metadata.items() if key not in COUNTERS}
    annotations = kept.pop("annotations", None)
    if isinstance(annotations, dict) and (others := {k: v for k, v in annotations.items() if k != annotation()}):
        kept["annotations"] = others
    return to_yaml({**body, "metadata": kept})


def key_of(target: PlanTarget) -> str:
    """What stands in the URL for a target."""
    return f"{target.cluster.slug}/{target.namespace}/{target.name}"


def conflicts_in_run(steps: Iterable[TargetStep]) -> list[Conflict]:
    """Steps that met a state which was neither as planned from nor as sent."""
    found = [step for step in steps if step.conflict is not None]
    return [
        _conflict(step.plan_target, step.cluster.slug, step.snapshot, (step.conflict or {}).get("live"), why=step.error)
        for step in found
    ]


def conflicts_since(previous: Plan | None, before: Sequence[PlanTarget], now: Sequence[PlanTarget]) -> list[Conflict]:
    """Targets whose routing moved between the plan people voted on and the one in force."""
    if previous is None:
        return []
    by_key = {key_of(target): target for target in now}
    moved = [t for t in before if (new := by_key.get(key_of(t))) is not None and _is_moved(t, new)]
    return [
        _conflict(t, t.cluster.slug, t.snapshot, by_key[key_of(t)].snapshot, why=gettext("It changed after the plan."))
        for t in moved
    ]


def _is_moved(old: PlanTarget, new: PlanTarget) -> bool:
    is_gone = new.error_code == "missing"
    return is_gone or (bool(new.base_hash) and new.base_hash != old.base_hash)


def _conflict(
    target: PlanTarget, cluster: str, planned: JsonObject | None, live: JsonObject | None, *, why: str
) -> Conflict:
    ours = Route.from_json(target.desired_route) if target.desired_route else None
    return Conflict(
        cluster=cluster,
        ref=f"{target.kind} {target.namespace}/{target.name}",
        why=why,
        rows=three_way(_route_in(target, planned), _route_in(target, live), ours),
        planned=shown_yaml(planned),
        live=shown_yaml(live),
        ours=shown_yaml(target.expected),
    )


def _route_in(target: PlanTarget, body: JsonObject | None) -> Route | None:
    """The neutral reading of a body; None for none, or for one that the model has no words for."""
    if not body:
        return None
    try:
        return adapter_for(target.mesh_kind).live(body).route
    except UnreadableRouteError:
        return None
