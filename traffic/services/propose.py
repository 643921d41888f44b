"""Propose: an author says what is wanted, and edits it. Nothing is sent anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.services import about, record, verb
from audit.types import Evidence, FieldDiff
from clusters.models import Cluster
from meshes.adapters.registry import adapter_for
from meshes.models import Route as StoredRoute
from meshes.selectors import served_by
from meshes.types import Route
from meshui.lib.canonical import sha256_hex
from meshui.lib.clock import read_db_now
from meshui.lib.rights import Place
from traffic import policy
from traffic.checks import weights_range, weights_sum, weights_zero
from traffic.errors import ChangeMissingError, DeniedError, InvalidChangeError, StaleChangeError
from traffic.models import Change, ChangeNumber, ChangeTarget, Revision
from traffic.services.approve import void_votes
from traffic.services.once import first_result, keep_result
from traffic.transitions import EDIT, transition
from traffic.words import require_no_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from accounts.models import User
    from audit.types import Actor
    from clusters.clients import ObjectRef
    from traffic.types import Kind, Once, Proposal, Seen, Wanted

MAX_TARGETS = 1000


@verb("traffic.change.proposed")
def propose_change(*, actor: Actor, proposal: Proposal, once: Once | None = None) -> Change:
    """C1: a draft with its first revision. `actor` needs change.propose on every target.

    `once`: asked again, it answers the change that there is. Raises InvalidChangeError (with every blocking check in
    words), KeyReusedError, DeniedError.
    """
    if (earlier := first_result(actor, once)) is not None:
        return earlier
    user = policy.person_of(actor)
    targets = resolved(proposal)
    policy.require_right_at(actor, "change.propose", [target.place for target in targets])
    _require_writable(targets)
    _require_sound(proposal)
    change = create_change(user, proposal, kind="route", restores=None)
    write_revision(change, proposal.desired, targets, user)
    record("traffic.change.proposed", actor=actor, target=change, reason=proposal.reason, move="C1")
    keep_result(actor, once, change)
    return change


@verb("traffic.change.edited")
def edit_change(*, actor: Actor, seen: Seen, proposal: Proposal) -> Change:
    """C2: a new revision; every vote is void and the change is a draft again.

    Raises StaleChangeError, ChangeGoneError (already queued or later), InvalidChangeError, DeniedError.
    """
    change = get_locked(seen)
    about(change)
    user = policy.require_right(actor, "change.edit", change)
    if change.kind != "route" or change.has_writes:
        raise DeniedError("A change that has written something, or restores one, is not edited.", mend="Propose anew.")
    targets = resolved(proposal)
    policy.require_right_at(actor, "change.propose", [target.place for target in targets])
    _require_writable(targets)
    _require_sound(proposal)
    before = change.current_revision
    void_votes(change, actor=actor, cause=f"{user} edited the change")
    change.title, change.reason, change.ticket = proposal.title, proposal.reason, proposal.ticket
    change.current_plan = None
    change.save(update_fields=["title", "reason", "ticket", "current_plan"])
    revision = write_revision(change, proposal.desired, targets, user)
    diff = (FieldDiff("intent", before.intent_hash if before else "", revision.intent_hash),)
    if change.state == "draft":
        Change.objects.filter(pk=change.pk).update(version=change.version + 1)
        change.version += 1
        evidence = Evidence(diff=diff)
        record(
            "traffic.change.edited", actor=actor, target=change, reason=proposal.reason, evidence=evidence, move="C2"
        )
    else:
        transition(change, EDIT, actor=actor, cause=proposal.reason, evidence=Evidence(diff=diff))
    return change


def get_locked(seen: Seen) -> Change:
    """The change `seen` means, locked. Raises ChangeMissingError, StaleChangeError."""
    try:
        change = Change.objects.locked(seen.change_id)
    except Change.DoesNotExist as error:
        raise ChangeMissingError from error
    if change.version != seen.version:
        about(change)
        raise StaleChangeError(seen=seen.version, current=change.version)
    return change


def create_change(user: User, proposal: Proposal, *, kind: Kind, restores: Change | None) -> Change:
    """The row, without revision; inside a verb."""
    number = ChangeNumber.objects.create().pk
    now = read_db_now()
    return Change.objects.create(
        number=number,
        kind=kind,
        title=proposal.title,
        reason=proposal.reason,
        ticket=proposal.ticket,
        author=user,
        author_name=str(user),
        restores=restores,
        created_at=now,
        state_changed_at=now,
    )


@dataclass(frozen=True, slots=True)
class Resolved:
    """A wanted target with its rows: what it is called, where it is. `route` None: it is still to be made."""

    wanted: Wanted
    cluster: Cluster
    ref: ObjectRef
    service: str
    route: StoredRoute | None = None

    @property
    def place(self) -> Place:
        """For scopes."""
        return Place(
            environment=self.cluster.environment,
            mesh=self.wanted.mesh_kind,
            cluster=self.cluster.slug,
            namespace=self.ref.namespace,
            service=self.service,
        )

    def to_json(self) -> dict[str, object]:
        """As a revision keeps it."""
        resource = self.ref.resource
        kept: dict[str, object] = {
            "cluster": str(self.cluster.pk),
            "mesh": self.wanted.mesh_kind,
            "action": self.wanted.action,
            "object": f"{resource.group}/{resource.kind}/{self.ref.namespace}/{self.ref.name}",
        }
        if self.route is not None:
            kept["route"] = str(self.route.pk)
        if self.wanted.desired is not None:
            kept["desired"] = self.wanted.desired.to_json()
        return kept

    def to_row(self, change: Change) -> ChangeTarget:
        """Unsaved."""
        resource = self.ref.resource
        return ChangeTarget(
            change=change,
            cluster=self.cluster,
            route=self.route,
            action=self.wanted.action,
            mesh_kind=self.wanted.mesh_kind,
            group=resource.group,
            api_version=resource.version,
            plural=resource.plural,
            kind=resource.kind,
            namespace=self.ref.namespace,
            name=self.ref.name,
            service=self.service,
        )


def write_revision(change: Change, desired: Route, targets: Sequence[Resolved], user: User) -> Revision:
    """The next revision of `change`, in force, with the rows that scopes and pages look at. Inside a verb."""
    change.targets.all().delete()
    ChangeTarget.objects.bulk_create(target.to_row(change) for target in targets)
    kept = [target.to_json() for target in targets]
    intent = {"desired": desired.intent(), "targets": [_intent_of_target(each) for each in kept]}
    revision = Revision.objects.create(
        change=change,
        number=change.revisions.count() + 1,
        desired=desired.to_json(),
        targets=kept,
        intent_hash=sha256_hex(intent),
        editor=user,
        editor_name=str(user),
        created_at=read_db_now(),
    )
    change.current_revision = revision
    change.save(update_fields=["current_revision"])
    return revision


def _intent_of_target(target: dict[str, object]) -> dict[str, object]:
    own = target.get("desired")
    intent = {"desired": Route.from_json(own).intent()} if own else {}
    return {"cluster": target["cluster"], "object": target["object"], "action": target["action"], **intent}


def resolved(proposal: Proposal) -> list[Resolved]:
    """The targets of `proposal` by cluster and name. Raises InvalidChangeError, saying which cannot be had."""
    if not 0 < len(set(proposal.targets)) <= MAX_TARGETS:
        raise InvalidChangeError("Choose at least one cluster to change.")
    if len({(w.cluster_id, w.route_id) for w in proposal.targets}) != len(proposal.targets):
        raise InvalidChangeError("A route is named twice.", mend="Name each route once.")
    routes = StoredRoute.objects.filter(pk__in=[w.route_id for w in proposal.targets if w.route_id], gone_at=None)
    known = {route.pk: route for route in routes.select_related("cluster")}
    clusters = Cluster.objects.in_bulk([w.cluster_id for w in proposal.targets if w.action == "start"])
    found = [
        _starting(wanted, clusters.get(wanted.cluster_id))
        if wanted.action == "start"
        else _existing(wanted, known.get(wanted.route_id) if wanted.route_id else None)
        for wanted in proposal.targets
    ]
    return sorted(found, key=lambda each: (each.cluster.slug, each.ref.namespace, each.ref.name))


def _existing(wanted: Wanted, route: StoredRoute | None) -> Resolved:
    if route is None or route.cluster_id != wanted.cluster_id or route.mesh_kind != wanted.mesh_kind:
        raise InvalidChangeError("A route you chose is gone from its cluster.", mend="Open the service again.")
    return Resolved(wanted, route.cluster, route.ref, route.root_service, route)


def _starting(wanted: Wanted, cluster: Cluster | None) -> Resolved:
    """The object that the mesh's adapter would make, in a version that the cluster was last seen to serve."""
    if cluster is None:
        raise InvalidChangeError("A cluster you chose is gone.", mend="Open the service again.")
    if wanted.desired is None or not wanted.desired.rules:
        raise InvalidChangeError(f"What shall begin in {cluster.slug} is not said.", mend="Choose its backends.")
    label = adapter_for(wanted.mesh_kind).label
    served = served_by(cluster)
    ref = adapter_for(wanted.mesh_kind).new_ref(wanted.desired, served)
    if ref is None:
        raise InvalidChangeError(
            f"{label} in {cluster.slug} has no kind of object for this split.",
            mend="Install the resources of its routes there, or leave this cluster out.",
        )
    root = wanted.desired.root
    taken = StoredRoute.objects.filter(
        cluster=cluster,
        root_service=root.service,
        root_namespace=root.namespace,
        mesh_kind=wanted.mesh_kind,
        gone_at=None,
    ).first()
    if taken is not None:
        raise InvalidChangeError(
            f"{root.namespace}/{root.service} has a route in {cluster.slug} already: {taken}.",
            mend="Shift its weights instead of starting a split.",
        )
    return Resolved(wanted, cluster, ref, root.service)


def _require_writable(targets: Sequence[Resolved]) -> None:
    observed = sorted({target.cluster.slug for target in targets if target.cluster.is_observe_only})
    if observed:
        raise InvalidChangeError(
            f"MeshUI only observes {', '.join(observed)}.",
            mend="A Cluster admin can allow writes on the cluster's page.",
        )


def _require_sound(proposal: Proposal) -> None:
    if not proposal.title.strip() or not proposal.reason.strip():
        raise InvalidChangeError("Say what this change does and why: both are read by who approves it.")
    require_no_secret(title=proposal.title, reason=proposal.reason, ticket=proposal.ticket)
    wanted = [w.desired or proposal.desired for w in proposal.targets if w.action != "end"]
    blocking = {
        f"{finding.id}: {finding.message}": None
        for route in wanted
        for check in (weights_sum, weights_zero, weights_range)
        for finding in check.of_route(route)
    }
    if blocking:
        raise InvalidChangeError(" ".join(blocking))
