"""What the checks of a target need to know: from what was read of it now, and from what is stored. Reads rows alone."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from meshes.adapters.base import MANAGED_BY, UnreadableRouteError
from meshes.adapters.registry import adapter_for
from meshes.models import Namespace
from meshes.models import Route as StoredRoute
from meshes.secrets import masked_route
from meshes.selectors.readiness import Readiness, backends_of, readiness_of_all
from traffic.checks import run_checks, surroundings
from traffic.checks.facts import Facts
from traffic.checks.owners import owner_in_words
from traffic.checks.surroundings import Claim, words_of
from traffic.marks import annotation
from traffic.models import ChangeTarget, TargetStep
from traffic.policy import PRODUCTION
from traffic.selectors import OPEN
from traffic.types import STEP_GOOD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from clusters.clients import ObjectRef
    from clusters.models import Cluster
    from meshes.adapters.istio_companions import Subsets
    from meshes.types import Around, Backend, Finding, LiveRoute, Loss, NativeWrite, Route
    from meshui.lib.jsontypes import JsonObject
    from traffic.checks.facts import Owner
    from traffic.models import Change
    from traffic.types import Action

    Key = tuple[UUID, str, str, str, str]


@dataclass(frozen=True, slots=True)
class FactsTarget:
    """One target, and what rendering it said.

    `ref`: the route's own object, also of one that is still to be made. `asked`: what the proposal asks for everywhere;
    None: this target has a desired route of its own (a rollback), so nothing can differ from it.
    """

    cluster: Cluster
    mesh_kind: str
    action: Action
    ref: ObjectRef
    losses: tuple[Loss, ...] = ()
    quantisation_error_bp: int = 0
    asked: Route | None = None

    @property
    def key(self) -> Key:
        """The object, whatever version it is served in."""
        resource = self.ref.resource
        return self.cluster.pk, resource.group, resource.kind, self.ref.namespace, self.ref.name


@dataclass(frozen=True, slots=True)
class Sketch:
    """One target of a form: what it would be and what is stored of it."""

    target: FactsTarget
    desired: Route | None
    live: LiveRoute | None
    writes: tuple[NativeWrite, ...] = ()

    @property
    def route(self) -> Route:
        """What is wanted; of an end what is. One of the two is there."""
        route = self.desired or (self.live.route if self.live else None)
        if route is None:
            raise ValueError("a target has a desired route, a live one, or both")
        return route


def facts_of(
    *,
    target: FactsTarget,
    desired: Route | None,
    live: LiveRoute | None,
    writes: Sequence[NativeWrite],
    around: Around | None,
    change: Change | None,
) -> Facts:
    """What is known of one target. `writes`: Rendered.objects (none where losses refuse it).

    `around` None: nothing was read now, so what is stored stands for it. `change` is left out of the open changes.
    A few queries; no cluster is asked.
    """
    sketch = Sketch(target, desired, live, tuple(writes))
    subsets = _subsets(sketch, around)
    if desired is not None and subsets is not None:
        sketch = replace(sketch, desired=surroundings.labelled(desired, subsets))
    return _facts(sketch, around, _Stored([sketch], change))


def preview_findings(sketches: Sequence[Sketch], *, change: Change | None = None) -> list[tuple[Finding, ...]]:
    """What the checks say of each target from what is stored, before anything is saved. Constant queries.

    `change`: the one that is edited; it does not stand in its own way.
    """
    stored = _Stored(sketches, change)
    return [run_checks(_facts(sketch, None, stored)) for sketch in sketches]


class _Stored:
    """What the rows say around several targets."""

    def __init__(self, sketches: Sequence[Sketch], change: Change | None) -> None:
        self.clusters = {sketch.target.cluster.pk for sketch in sketches}
        self.names = {sketch.target.ref.name for sketch in sketches}
        self.roots = {sketch.route.root for sketch in sketches}
        wanted = [(s.target.key, s.target.cluster, s.desired) for s in sketches if s.desired is not None]
        found = readiness_of_all([(cluster, desired) for _, cluster, desired in wanted])
        self.readiness = dict(zip((key for key, _, _ in wanted), found, strict=True))
        self.open_changes = self._open_changes(change)
        self.claims = self._claims()
        self.made = self._made() if any(sketch.desired is None for sketch in sketches) else set()
        spaces = Namespace.objects.filter(
            cluster__in=self.clusters,
            name__in={root.namespace for root in self.roots},
            injection="ambient",
            gone_at__isnull=True,
        )
        self.ambient = set(spaces.values_list("cluster_id", "name"))

    def _open_changes(self, change: Change | None) -> Mapping[Key, list[str]]:
        rows = ChangeTarget.objects.filter(cluster__in=self.clusters, name__in=self.names, change__state__in=OPEN)
        if change is not None:
            rows = rows.exclude(change=change)
        found: dict[Key, list[str]] = defaultdict(list)
        columns = ("cluster_id", "group", "kind", "namespace", "name", "change__number", "change__state")
        for *key, number, state in rows.order_by("change__number").values_list(*columns):
            found[cast("Key", tuple(key))].append(f"#{number} ({state.replace('_', ' ')})")
        return found

    def _claims(self) -> Mapping[tuple[UUID, str, str], list[tuple[Key, Claim]]]:
        """Every route object by its root."""
        rows = StoredRoute.objects.filter(
            cluster__in=self.clusters,
            root_service__in={root.service for root in self.roots},
            root_namespace__in={root.namespace for root in self.roots},
            gone_at__isnull=True,
        )
        found: dict[tuple[UUID, str, str], list[tuple[Key, Claim]]] = defaultdict(list)
        for row in rows:
            key = (row.cluster_id, row.group, row.kind, row.namespace, row.name)
            claim = _claim(str(row), row.kind, row.route, row.body)
            found[row.cluster_id, row.root_namespace, row.root_service].append((key, claim))
        return found

    def _made(self) -> set[Key]:
        """Objects that a step of ours made, or put back."""
        steps = TargetStep.objects.filter(
            cluster__in=self.clusters,
            op__in=("create", "delete"),
            state__in=STEP_GOOD,
            plan_target__name__in=self.names,
        )
        columns = (
            "cluster_id",
            "plan_target__group",
            "plan_target__kind",
            "plan_target__namespace",
            "plan_target__name",
        )
        return {
            cast("Key", tuple(key))
            for *key, op, direction in steps.values_list(*columns, "op", "direction")
            if (op, direction) in {("create", "apply"), ("delete", "restore")}
        }


def _facts(sketch: Sketch, around: Around | None, stored: _Stored) -> Facts:
    target, desired, live = sketch.target, sketch.desired, sketch.live
    root = sketch.route.root
    mine = _claim(str(target.ref), target.ref.resource.kind, sketch.route, live.body if live else {})
    rivals, profiles = _rivals(sketch, mine, around, stored)
    readiness = _readiness(sketch, around, stored)
    return Facts(
        target=target.cluster.slug,
        mesh=target.mesh_kind,
        action=target.action,
        desired=desired,
        live=live.route if live else None,
        owners=tuple(_owners(sketch, around)),
        is_observe_only=target.cluster.is_observe_only,
        ready=readiness.ready,
        missing=readiness.missing,
        undefined=readiness.undefined,
        rivals=tuple(claim.words for claim in rivals),
        winner=surroundings.winner_of(mine, rivals),
        open_changes=tuple(stored.open_changes.get(target.key, ())),
        shadows=profiles,
        losses=target.losses,
        quantisation_error_bp=target.quantisation_error_bp,
        kind=target.ref.resource.kind,
        object=str(target.ref),
        is_production=target.cluster.environment == PRODUCTION,
        max_step_bp=round(settings.MAX_STEP_PERCENT * 100),
        asked=_unmasked(target.asked, desired),
        written=_written(sketch),
        outranked_by=tuple(claim.words for claim in rivals if _outranks(target.mesh_kind, claim, mine)),
        outranks=tuple(claim.words for claim in rivals if _outranks(target.mesh_kind, mine, claim)),
        foreign=tuple(_foreign(sketch, stored)),
        is_ambient=target.mesh_kind == "istio" and (target.cluster.pk, root.namespace) in stored.ambient,
        waypoint=surroundings.waypoint_in(root, around) if around is not None else None,
    )


def _subsets(sketch: Sketch, around: Around | None) -> Subsets | None:
    """The subsets there will be, if what is around was read now; None: the stored route says what it has."""
    if around is None or not surroundings.has_looked(around):
        return None
    return surroundings.subsets_in([*around.companions, *(w.body for w in sketch.writes if w.op != "delete")])


def _readiness(sketch: Sketch, around: Around | None, stored: _Stored) -> Readiness:
    """Pods from what is stored; Services and subsets from what was read now, if anything was."""
    if sketch.desired is None:
        return Readiness({}, frozenset(), frozenset())
    found, subsets = stored.readiness[sketch.target.key], _subsets(sketch, around)
    backends = backends_of(sketch.desired).values()
    missing = surroundings.missing_in(backends, around.services) if around and around.services else found.missing
    undefined = surroundings.undefined_in(backends, subsets) if subsets is not None else found.undefined
    return Readiness(found.ready, missing, undefined)


def _rivals(sketch: Sketch, mine: Claim, around: Around | None, stored: _Stored) -> tuple[list[Claim], tuple[str, ...]]:
    """Other routes for the same clients of the same root; and the ServiceProfiles of the root."""
    root, target = sketch.route.root, sketch.target
    if around is not None and surroundings.has_looked(around):
        bodies = (*around.rivals, *around.companions)
        claims = [_claim_of(target.mesh_kind, body) for body in around.rivals if body.get("kind") != "ServiceProfile"]
        profiles = surroundings.profiles_in(root, bodies)
    else:
        known = stored.claims.get((target.cluster.pk, root.namespace, root.service), ())
        others = [claim for key, claim in known if key != target.key]
        claims = [claim for claim in others if claim.kind != "ServiceProfile"]
        profiles = tuple(claim.words for claim in others if claim.kind == "ServiceProfile")
    rivals = [claim for claim in claims if claim.words != mine.words and claim.meets(mine)]
    return rivals, profiles if target.mesh_kind == "linkerd" else ()


def _outranks(mesh_kind: str, claim: Claim, other: Claim) -> bool:
    """Linkerd takes the GRPCRoutes of a parent and leaves its HTTPRoutes aside (trap 15)."""
    return mesh_kind == "linkerd" and (claim.kind, other.kind) == ("GRPCRoute", "HTTPRoute")


def _claim_of(mesh_kind: str, body: JsonObject) -> Claim:
    words, kind = words_of(body), str(body.get("kind") or "")
    try:
        return _claim(words, kind, adapter_for(mesh_kind).live(body).route, body)
    except UnreadableRouteError:
        return _claim(words, kind, None, body)


def _claim(words: str, kind: str, route: Route | None, body: Mapping[str, Any]) -> Claim:
    made_at = str((body.get("metadata") or {}).get("creationTimestamp") or "")
    if route is None:
        return Claim(words, kind, made_at=made_at)
    return Claim(words, kind, route.scope, route.root.port, made_at)


def _owners(sketch: Sketch, around: Around | None) -> Iterator[Owner]:
    """Of every object that is there and would be written; the route's own first, also if nothing would be."""
    manager = settings.FIELD_MANAGER
    ref, live = sketch.target.ref, sketch.live
    if live is not None:
        yield owner_in_words(live.body, str(ref), field_manager=manager)
    for write in sketch.writes:
        if write.op != "create" and write.ref != ref:
            yield owner_in_words(write.body, str(write.ref), field_manager=manager)
    backends: Iterable[Backend] = backends_of(sketch.route).values()
    yield from surroundings.drivers_in(backends, around.services if around is not None else {})


def _unmasked(asked: Route | None, desired: Route | None) -> Route | None:
    """`asked`, whose secrets its row masks, with the matches of `desired` wherever both are the same once masked."""
    if asked is None or desired is None:
        return asked
    seen = {
        masked.matches: rule.matches for masked, rule in zip(masked_route(desired).rules, desired.rules, strict=True)
    }
    rules = zip(masked_route(asked).rules, asked.rules, strict=True)
    return replace(asked, rules=tuple(replace(r, matches=seen.get(m.matches, r.matches)) for m, r in rules))


def _written(sketch: Sketch) -> Route | None:
    """How the route object that would be written reads."""
    target = sketch.target
    for write in sketch.writes:
        if write.ref == target.ref and write.op != "delete":
            try:
                return adapter_for(target.mesh_kind).live(write.body).route
            except UnreadableRouteError:
                return None
    return None


def _foreign(sketch: Sketch, stored: _Stored) -> Iterator[str]:
    """What an end would delete though it does not bear our marks."""
    target, live = sketch.target, sketch.live
    if sketch.desired is not None:
        return
    bodies = {str(write.ref): write.body for write in sketch.writes if write.op == "delete"}
    if live is not None:
        bodies[str(target.ref)] = live.body
    for words, body in bodies.items():
        is_made = words == str(target.ref) and target.key in stored.made
        if not _is_marked(body, is_made=is_made):
            yield words


def _is_marked(body: JsonObject, *, is_made: bool) -> bool:
    """By the label of what we make; or by the mark of a write of ours on what a step of ours made."""
    metadata = cast("dict[str, Any]", body.get("metadata") or {})
    label, ours = MANAGED_BY
    if (metadata.get("labels") or {}).get(label) == ours:
        return True
    return is_made and annotation() in (metadata.get("annotations") or {})
