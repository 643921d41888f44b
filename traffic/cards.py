"""What a plan does to each target, and where somebody else came between: the same for pages and the API."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext, gettext_lazy

from meshes.adapters.base import UnreadableRouteError
from meshes.adapters.registry import adapter_for
from meshes.types import Route
from meshui.ui.yaml_text import to_yaml
from traffic import selectors
from traffic.diff import neutral_diff, three_way
from traffic.drifts import drift_lines, live_body, rules_of
from traffic.marks import annotation
from traffic.types import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from accounts.models import User
    from meshes.models import ManagedRoute
    from meshui.lib.jsontypes import JsonObject
    from traffic.diff import RuleDiff, ThreeWayRow
    from traffic.drifts import DriftLine
    from traffic.models import Change, Plan, PlanTarget, TargetStep

OWNERS: Final = {
    "controller": gettext_lazy("A controller drives it"),
    "gitops": gettext_lazy("Kept in Git"),
    "ours": gettext_lazy("Written by MeshUI last"),
    "human": gettext_lazy("Written by hand last"),
    "unknown": gettext_lazy("No known owner"),
}
WRITES: Final = {
    "patch": gettext_lazy("changes %(ref)s"),
    "create": gettext_lazy("creates %(ref)s"),
    "delete": gettext_lazy("deletes %(ref)s"),
}
LEAVES: Final = {"patch": gettext_lazy("leaves %(ref)s as it is")}
COUNTERS: Final = frozenset({"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"})


@dataclass(frozen=True, slots=True)
class ObjectCard:
    """One native object of a target, in the order of its writes. `before` and `after` are its bodies as YAML."""

    number: int
    op: str
    ref: str
    before: str
    after: str
    error: str
    owner: str
    managers: tuple[str, ...]
    is_written: bool
    is_tried: bool

    @property
    def words(self) -> str:
        """What is done to it."""
        says = WRITES if self.is_written or self.op != "patch" else LEAVES
        return str(says[self.op] % {"ref": self.ref})


@dataclass(frozen=True, slots=True)
class TargetCard:
    """One target of the plan in force: what its route is and would be, and the objects that make it so."""

    key: str
    cluster: str
    environment: str
    mesh_kind: str
    mesh: str
    ref: str
    action: str
    rules: tuple[RuleDiff, ...]
    objects: tuple[ObjectCard, ...]
    losses: tuple[str, ...]
    quantisation_error_bp: int

    @property
    def op(self) -> str:
        """What is done to the first of its objects."""
        return self.objects[0].op

    @property
    def slug(self) -> str:
        """Its mark in paths: names of objects may hold slashes and dots; the same as long as the names are."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:12]

    @property
    def error(self) -> str:
        """What its API server, or the reading of it, refused; empty: nothing."""
        return next((item.error for item in self.objects if item.error), "")

    @property
    def is_refused(self) -> bool:
        """Whether one of its objects was refused."""
        return bool(self.error)

    @property
    def is_tried(self) -> bool:
        """Whether its API server dry-ran every write of it and took them all."""
        written = [item for item in self.objects if item.is_written]
        return not self.is_refused and bool(written) and all(item.is_tried for item in written)

    @property
    def is_compared(self) -> bool:
        """Whether it is known of every object what it would be."""
        return all(item.after or item.op == "delete" for item in self.objects)

    @property
    def before(self) -> str:
        """Every object as it is, for the counts of lines."""
        return "\n".join(item.before for item in self.objects if item.before)

    @property
    def after(self) -> str:
        """Every object as it would be."""
        return "\n".join(item.after for item in self.objects if item.after)

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


def cards_of(targets: Iterable[PlanTarget], *, is_sound: bool) -> list[TargetCard]:
    """Every target of a plan, with its objects in the order they are written."""
    grouped: dict[tuple[object, ...], list[PlanTarget]] = {}
    for row in targets:
        grouped.setdefault((row.cluster_id, row.target_id or row.ref), []).append(row)
    return [_card(sorted(rows, key=lambda row: row.position), is_sound=is_sound) for rows in grouped.values()]


def _card(rows: Sequence[PlanTarget], *, is_sound: bool) -> TargetCard:
    main = _main_of(rows)
    desired = Route.from_json(main.desired_route) if main.desired_route else None
    live = Route.from_json(main.live_route) if main.live_route else None
    action = _action_of(main)
    return TargetCard(
        key=key_of(main),
        cluster=main.cluster.slug,
        environment=main.cluster.environment,
        mesh_kind=main.mesh_kind,
        mesh=adapter_for(main.mesh_kind).label,
        ref=ref_of(main),
        action=action,
        rules=neutral_diff(live, None if action == "end" else desired, _route_in(main, main.expected)),
        objects=tuple(_object(row, number, is_sound=is_sound) for number, row in enumerate(rows, start=1)),
        losses=tuple(dict.fromkeys(f"{loss['path']}: {loss['reason']}" for row in rows for loss in row.losses)),
        quantisation_error_bp=max(row.quantisation_error_bp for row in rows),
    )


def _main_of(rows: Sequence[PlanTarget]) -> PlanTarget:
    """The route's own object: the one that holds a route; companions hold none."""
    return next((row for row in rows if row.desired_route or row.live_route), rows[0])


def _action_of(main: PlanTarget) -> str:
    return {"create": "start", "delete": "end"}.get(main.op, "set")


def _object(row: PlanTarget, number: int, *, is_sound: bool) -> ObjectCard:
    is_patched = any(operation["op"] != "test" for operation in row.operations)
    answered = row.expected if row.op != "delete" else None
    return ObjectCard(
        number=number,
        op=row.op,
        ref=ref_of(row),
        before=shown_yaml(row.snapshot),
        after=shown_yaml(answered or (row.body if row.op == "create" else None)),
        error=row.error,
        owner="" if row.op == "create" else str(OWNERS.get(row.owner_class, OWNERS["unknown"])),
        managers=tuple(row.managers),
        is_written=row.op != "patch" or is_patched,
        is_tried=not row.error and (is_sound if row.op == "delete" else bool(answered)),
    )


@dataclass(frozen=True, slots=True)
class DriftCard:
    """One route as MeshUI left it and as it was read last: what moved, rule by rule, and both bodies as YAML."""

    line: DriftLine
    rules: tuple[RuleDiff, ...]
    left: str
    live: str


def drift_card(user: User, row: ManagedRoute) -> DriftCard:
    """Of a row that `user` may see, which bears its route. Secrets are masked. One query."""
    (line,) = drift_lines(user, [row])
    rules = rules_of(row) if line.moved else ()
    return DriftCard(line, rules, shown_yaml(row.body), shown_yaml(live_body(row)))


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
    return f"{target.cluster.slug}/{target.kind}/{target.namespace}/{target.name}"


def ref_of(target: PlanTarget) -> str:
    """`VirtualService shop/checkout`."""
    return f"{target.kind} {target.namespace}/{target.name}"


def conflicts_of(change: Change, targets: Sequence[PlanTarget], steps: Sequence[TargetStep]) -> list[Conflict]:
    """What its run met, else what moved since people voted. At most two queries."""
    in_run = conflicts_in_run(steps)
    if in_run or change.state in TERMINAL or change.current_plan is None:
        return in_run
    if change.current_plan.number == 1:
        return []
    previous = selectors.previous_plan(change)
    before = list(selectors.list_plan_targets(previous)) if previous else []
    return conflicts_since(previous, before, targets)


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
        ref=ref_of(target),
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
