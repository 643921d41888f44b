"""Propose: an author says what is wanted, and edits it. Nothing is sent anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about, record, verb
from audit.types import Evidence, FieldDiff
from meshes.models import Route as StoredRoute
from meshes.types import Route
from meshui.lib.canonical import sha256_hex
from meshui.lib.clock import read_db_now
from meshui.lib.rights import Place
from traffic import policy
from traffic.checks import weights
from traffic.errors import ChangeMissingError, DeniedError, InvalidChangeError, StaleChangeError
from traffic.models import Change, ChangeNumber, ChangeTarget, Revision
from traffic.services.approve import void_votes
from traffic.transitions import EDIT, transition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from accounts.models import User
    from audit.types import Actor
    from traffic.types import Kind, Proposal, Seen

MAX_TARGETS = 1000


@verb("traffic.change.proposed")
def propose_change(*, actor: Actor, proposal: Proposal) -> Change:
    """C1: a draft with its first revision. `actor` needs change.propose on every target.

    Raises InvalidChangeError (with every blocking check in words), DeniedError.
    """
    user = policy.person_of(actor)
    routes = _routes(proposal.route_ids)
    policy.require_right_at(actor, "change.propose", [_place(route) for route in routes])
    _require_writable(routes)
    _require_sound(proposal)
    change = create_change(user, proposal, kind="route", restores=None)
    _write_revision(change, proposal, user, routes)
    record("traffic.change.proposed", actor=actor, target=change, reason=proposal.reason, move="C1")
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
    routes = _routes(proposal.route_ids)
    policy.require_right_at(actor, "change.propose", [_place(route) for route in routes])
    _require_writable(routes)
    _require_sound(proposal)
    before = change.current_revision
    void_votes(change, actor=actor, cause=f"{user} edited the change")
    change.title, change.reason, change.ticket = proposal.title, proposal.reason, proposal.ticket
    change.current_plan = None
    change.save(update_fields=["title", "reason", "ticket", "current_plan"])
    revision = _write_revision(change, proposal, user, routes)
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


def add_revision(change: Change, desired: Route, targets: list[dict[str, object]], user: User) -> Revision:
    """The next revision of `change`, in force; inside a verb. `targets`: {cluster, route, desired?} as JSON values."""
    number = change.revisions.count() + 1
    intent = {"desired": desired.intent(), "targets": [_intent_of_target(t) for t in targets]}
    revision = Revision.objects.create(
        change=change,
        number=number,
        desired=desired.to_json(),
        targets=targets,
        intent_hash=sha256_hex(intent),
        editor=user,
        editor_name=str(user),
        created_at=read_db_now(),
    )
    change.current_revision = revision
    change.save(update_fields=["current_revision"])
    return revision


def add_targets(change: Change, routes: Sequence[StoredRoute]) -> None:
    """The rows that scopes and pages look at; those of an older revision go."""
    change.targets.all().delete()
    for route in routes:
        ChangeTarget.objects.create(
            change=change,
            cluster=route.cluster,
            route=route,
            mesh_kind=route.mesh_kind,
            group=route.group,
            api_version=route.version,
            plural=route.plural,
            kind=route.kind,
            namespace=route.namespace,
            name=route.name,
            service=route.root_service,
        )


def _intent_of_target(target: dict[str, object]) -> dict[str, object]:
    own = target.get("desired")
    intent = {"desired": Route.from_json(own).intent()} if own else {}
    return {"cluster": target["cluster"], "object": target["object"], **intent}


def _write_revision(change: Change, proposal: Proposal, user: User, routes: Sequence[StoredRoute]) -> Revision:
    targets: list[dict[str, object]] = [
        {
            "cluster": str(route.cluster_id),
            "route": str(route.pk),
            "object": f"{route.group}/{route.kind}/{route.namespace}/{route.name}",
        }
        for route in routes
    ]
    add_targets(change, routes)
    return add_revision(change, proposal.desired, targets, user)


def _routes(route_ids: Sequence[UUID]) -> list[StoredRoute]:
    if not 0 < len(set(route_ids)) <= MAX_TARGETS:
        raise InvalidChangeError("Choose at least one cluster to change.")
    found = list(
        StoredRoute.objects.filter(pk__in=route_ids, gone_at__isnull=True)
        .select_related("cluster")
        .order_by("cluster__slug", "namespace", "name")
    )
    if len(found) != len(set(route_ids)):
        raise InvalidChangeError("A route you chose is gone from its cluster.", mend="Open the service again.")
    return found


def _place(route: StoredRoute) -> Place:
    return Place(
        environment=route.cluster.environment,
        mesh=route.mesh_kind,
        cluster=route.cluster.slug,
        namespace=route.namespace,
        service=route.root_service,
    )


def _require_writable(routes: Sequence[StoredRoute]) -> None:
    observed = sorted({route.cluster.slug for route in routes if route.cluster.is_observe_only})
    if observed:
        raise InvalidChangeError(
            f"MeshUI only observes {', '.join(observed)}.",
            mend="A Cluster admin can allow writes on the cluster's page.",
        )


def _require_sound(proposal: Proposal) -> None:
    if not proposal.title.strip() or not proposal.reason.strip():
        raise InvalidChangeError("Say what this change does and why: both are read by who approves it.")
    checks = (weights.check_sum, weights.check_not_all_zero, weights.check_range)
    blocking = [f for check in checks for f in check(proposal.desired) if f.severity == "block"]
    if blocking:
        raise InvalidChangeError(" ".join(f"{f.id}: {f.message}" for f in blocking))
