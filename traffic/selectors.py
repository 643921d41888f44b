"""Reading changes, each for one person: what they may not see is as if it were not there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db.models import Exists, F, Func, IntegerField, OuterRef, Prefetch, Q, Subquery

from accounts.models import User
from accounts.types import READ
from audit.selectors import list_events
from meshes.models import Route as StoredRoute
from meshui.lib.bus import Subject
from meshui.lib.canonical import sha256_hex
from meshui.lib.rights import in_scope
from traffic.errors import ChangeMissingError, KeyReusedError
from traffic.models import (
    Change,
    ChangeTarget,
    IdempotencyKey,
    Plan,
    PlanTarget,
    Revision,
    TargetStep,
    ViewedTarget,
    Vote,
)
from traffic.types import BEFORE_WRITE, STEP_GOOD, TERMINAL, Seen, State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from django.db.models import QuerySet

    from audit.selectors import EventIndex
    from meshui.lib.rights import Place
    from traffic.types import Once

OPEN = tuple(state for state in State if state not in TERMINAL)
RUNNING = (State.QUEUED, State.APPLYING, State.PAUSED, State.ROLLING_BACK)
NEWS = tuple(
    f"traffic.change.{move}"
    for move in (
        "proposed", "submitted", "approved", "rejected", "invalidated", "queued", "paused", "resumed",
        "rollback_started", "applied", "rolled_back", "failed", "partial_accepted", "cancelled", "expired",
    )
)  # fmt: skip
RUN_MOVES = (
    "traffic.rollout.created",
    *(
        f"traffic.change.{move}"
        for move in (
            "queued", "waited", "started", "paused", "resumed", "rechecked", "invalidated", "superseded",
            "rollback_started", "applied", "rolled_back", "failed", "partial_accepted",
        )
    ),
)  # fmt: skip
VIEWED = "traffic.target.viewed"
TIMELINE_LENGTH = 60
RELATED_LENGTH = 20
OTHERS_LENGTH = 5
MIN_TEXT = 2
AXES = {"service": "service", "cluster": "cluster__slug", "env": "cluster__environment"}


def list_changes(user: User) -> QuerySet[Change]:
    """Changes that `user` may see, newest first, each with what a list shows of it. One query; narrow it freely."""
    return listed(in_scope(Change.objects.all(), user, READ))


def in_state(changes: QuerySet[Change], state: str) -> QuerySet[Change]:
    """Those in `state`: a State, `open` or `ended`."""
    if state in {"open", "ended"}:
        return changes.filter(state__in=OPEN if state == "open" else TERMINAL)
    return changes.filter(state=state)


def in_environment(changes: QuerySet[Change], name: str) -> QuerySet[Change]:
    """Those with a target in a cluster of this environment."""
    return changes.filter(Exists(ChangeTarget.objects.filter(change=OuterRef("pk"), cluster__environment=name)))


def here(changes: QuerySet[Change], environment: str) -> QuerySet[Change]:
    """Those of the environment that everything is narrowed to; all of them where that is none."""
    return in_environment(changes, environment) if environment else changes


def about(changes: QuerySet[Change], text: str) -> QuerySet[Change]:
    """Those whose number, title, author or service hold `text`; too short a text finds numbers alone."""
    cleaned = text.strip()[:100]
    number = cleaned.removeprefix("#")
    found = Q(number=int(number)) if number.isdecimal() and len(number) < 18 else Q(pk__in=[])
    if len(cleaned) < MIN_TEXT:
        return changes.filter(found)
    named = ChangeTarget.objects.filter(change=OuterRef("pk"), service__icontains=cleaned)
    return changes.filter(found | Q(title__icontains=cleaned) | Q(author_name__icontains=cleaned) | Exists(named))


def with_target(changes: QuerySet[Change], axis: str, text: str) -> QuerySet[Change]:
    """Those with a target whose `axis` (a word of AXES) holds `text`."""
    targets = ChangeTarget.objects.filter(change=OuterRef("pk"))
    return changes.filter(Exists(targets.filter(**{f"{AXES[axis]}__icontains": text.strip()[:100]})))


def with_targets(changes: QuerySet[Change], which: Q) -> QuerySet[Change]:
    """Those with such a target."""
    return changes.filter(Exists(ChangeTarget.objects.filter(which, change=OuterRef("pk"))))


def get_change(user: User, number: int) -> Change:
    """The change with `number`, with what its page shows. Raises ChangeMissingError, also where out of scope."""
    targets = ChangeTarget.objects.select_related("cluster")
    change = (
        in_scope(Change.objects.filter(number=number), user, READ)
        .select_related("author", "current_revision", "current_plan", "restores", "rollout")
        .prefetch_related(Prefetch("targets", queryset=targets))
        .first()
    )
    if change is None:
        raise ChangeMissingError
    if change.current_plan is not None:
        change.current_plan.change = change
    return change


def change_id(user: User, number: int) -> UUID:
    """The id behind `number`. Raises ChangeMissingError, also where out of scope."""
    found: UUID | None = in_scope(Change.objects.filter(number=number), user, READ).values_list("pk", flat=True).first()
    if found is None:
        raise ChangeMissingError
    return found


def state_of(change_id: UUID) -> str:
    """The state of a change whose id the caller has from `change_id`. One query."""
    return Change.objects.values_list("state", flat=True).get(pk=change_id)


def seen_now(user: User, number: int) -> Seen:
    """The change with `number` as its ETag says it stands. Raises ChangeMissingError, also where out of scope."""
    rows = in_scope(Change.objects.filter(number=number), user, READ)
    found = rows.values_list("pk", "version", "current_plan__digest").first()
    if found is None:
        raise ChangeMissingError
    pk, version, digest = found
    return Seen(pk, version, digest or "")


def is_told_by_etag(change: Change) -> bool:
    """Whether all that is shown of `change` moves its version or plan: not while it runs, nor once people vote.

    At most one query.
    """
    if change.state == State.IN_REVIEW:
        return not Vote.objects.filter(change=change, plan=change.current_plan).exists()
    return change.state not in RUNNING


def hash_of_key(user_id: str, key: str) -> str:
    """What is kept of an Idempotency-Key: everybody has their own."""
    return sha256_hex({"user": user_id, "key": key})


def result_in(kept: IdempotencyKey, once: Once) -> int | None:
    """The number of the change that the request led to. Raises KeyReusedError if it asked for something else."""
    if kept.body_hash != once.body_hash:
        raise KeyReusedError
    return kept.number


def earlier_result(user: User, once: Once | None) -> int | None:
    """The number of the change that this very request of `user` led to before. One query. Raises KeyReusedError."""
    kept = IdempotencyKey.objects.filter(pk=hash_of_key(str(user.pk), once.key)).first() if once else None
    return result_in(kept, once) if kept and once else None


def list_targets(change: Change) -> QuerySet[ChangeTarget]:
    """Where the revision in force goes, with the clusters. One query."""
    return ChangeTarget.objects.filter(change=change).select_related("cluster")


def list_revisions(change: Change) -> QuerySet[Revision]:
    """Every edit of `change`. One query."""
    return Revision.objects.filter(change=change)


def no_plan_targets() -> QuerySet[PlanTarget]:
    """Of a change without a plan. No query."""
    return PlanTarget.objects.none()


def list_plan_targets(plan: Plan) -> QuerySet[PlanTarget]:
    """The targets of a plan, with their clusters. One query."""
    return PlanTarget.objects.filter(plan=plan).select_related("cluster")


def previous_plan(change: Change) -> Plan | None:
    """The last sound plan of this revision before the one in force: what people voted on before it moved. One query."""
    plans = Plan.objects.filter(change=change, revision=change.current_revision, is_sound=True)
    if change.current_plan is not None:
        plans = plans.filter(number__lt=change.current_plan.number)
    return plans.order_by("-number").first()


def list_votes(change: Change) -> QuerySet[Vote]:
    """Every vote on every plan of `change`, newest first, with voter and plan. One query."""
    return Vote.objects.filter(change=change).select_related("voter", "plan").order_by("-created_at", "-pk")


def list_steps(change: Change) -> QuerySet[TargetStep]:
    """The steps of the run of the plan in force, by cluster. One query; none before there was a run."""
    if not hasattr(change, "rollout"):
        return TargetStep.objects.none()
    steps = TargetStep.objects.filter(change=change, plan_target__plan=change.current_plan)
    return steps.select_related("cluster", "plan_target")


def list_editors(change: Change) -> dict[str, str]:
    """Id and name of everybody who wrote a revision, in order. One query."""
    rows = Revision.objects.filter(change=change).order_by("number").values_list("editor_id", "editor_name")
    return {str(pk): name for pk, name in rows}


def list_related(user: User, change: Change) -> list[Change]:
    """Changes that restore `change`, and other open ones that name one of its objects, newest first. One query."""
    routes = [target.route_id for target in change.targets.all() if target.route_id is not None]
    shared = ChangeTarget.objects.filter(change=OuterRef("pk"), route_id__in=routes)
    related = Change.objects.filter(Q(Exists(shared), state__in=OPEN) | Q(restores=change)).exclude(pk=change.pk)
    return list(in_scope(related, user, READ).order_by("-number")[:RELATED_LENGTH])


def get_moment(user: User, number: int) -> tuple[Change, list[TargetStep], list[str]]:
    """The change with what tells whether its page is still true: votes (as stamps) where they count, else its steps.

    Raises ChangeMissingError.
    """
    change = in_scope(Change.objects.filter(number=number), user, READ).select_related("rollout").first()
    if change is None:
        raise ChangeMissingError
    if change.state not in BEFORE_WRITE:
        return change, list(list_steps(change)), []
    votes = Vote.objects.filter(change=change).only("voided_at", "revoked_at")
    return change, [], [stamp_of_vote(vote) for vote in votes]


def stamp_of_vote(vote: Vote) -> str:
    """Another text once the vote is taken back or void."""
    return f"{vote.pk} {vote.voided_at is None} {vote.revoked_at is None}"


def list_open_on(user: User, route: StoredRoute) -> list[Change]:
    """Open changes of this route, newest first, as many as a card holds."""
    shared = ChangeTarget.objects.filter(change=OuterRef("pk"), route=route)
    open_ones = in_scope(Change.objects.filter(Exists(shared), state__in=OPEN), user, READ)
    return list(open_ones.order_by("-number")[:OTHERS_LENGTH])


def proposable(user: User, route_ids: Sequence[UUID]) -> frozenset[UUID]:
    """Those of these routes on which `user` may propose changes."""
    routes = StoredRoute.objects.filter(pk__in=route_ids)
    return frozenset(in_scope(routes, user, "change.propose").values_list("pk", flat=True))


def viewed_of(user: User, change: Change) -> frozenset[str]:
    """The targets of the plan in force that `user` has marked as read. One query."""
    if change.current_plan is None or not change.current_plan.digest:
        return frozenset()
    marks = ViewedTarget.objects.filter(change=change, viewer=user, digest=change.current_plan.digest)
    return frozenset(marks.values_list("target", flat=True))


def timeline_of(change: Change) -> list[EventIndex]:
    """What happened to `change`, newest first. One query. The caller may see the change."""
    return list(events_of(change).order_by("-seq")[:TIMELINE_LENGTH])


def events_of(change: Change) -> QuerySet[EventIndex]:
    """What happened to `change`, oldest first, but for the marks of readers. The caller may see the change."""
    return list_events(change_id=str(change.pk)).exclude(action=VIEWED).order_by("seq")


def log_of(change: Change, *, after: int, cluster: str = "") -> QuerySet[EventIndex]:
    """What the machine did in the run of `change`, oldest first, behind the line `after`; of one cluster, or all.

    The number of an event is the number of its line: the same after a reload, a sign-out and a restart. The caller
    may see the change.
    """
    steps = Q(action__startswith="traffic.write.") | Q(action__startswith="traffic.step.")
    moves = Q(action__in=RUN_MOVES)
    lines = events_of(change).filter(steps | moves, seq__gt=after).exclude(outcome="denied")
    return lines.filter(Q(cluster_name=cluster) | moves) if cluster else lines


def recent_activity(changes: QuerySet[Change], limit: int) -> list[EventIndex]:
    """The last moves of these changes, which their reader may see, newest first. One query."""
    numbers = changes.order_by().values("number")
    moves = list_events(object_kind="change", outcome="success").filter(change_number__in=Subquery(numbers))
    return list(moves.filter(action__in=NEWS)[:limit])


def names_of(user_ids: Iterable[str]) -> dict[str, str]:
    """The names that people with these ids are known by. One query."""
    people = User.objects.filter(pk__in={UUID(user_id) for user_id in user_ids if user_id})
    return {str(person.pk): str(person) for person in people}


def listed(changes: QuerySet[Change]) -> QuerySet[Change]:
    """With what a row shows: target_count, service, namespace, clusters, approvals, step_count, good_count."""
    first = ChangeTarget.objects.filter(change=OuterRef("pk"))
    approvals = Vote.objects.filter(
        plan=OuterRef("current_plan"), decision="approve", revoked_at__isnull=True, voided_at__isnull=True
    )
    return (
        changes.select_related("author", "current_plan")
        .defer("current_plan__content", "current_plan__findings")
        .annotate(
            target_count=_count(first),
            first_cluster=Subquery(first.values("cluster__slug")[:1]),
            mesh_kind=Subquery(first.values("mesh_kind")[:1]),
            approvals=_count(approvals),
            service=Subquery(first.values("service")[:1]),
            namespace=Subquery(first.values("namespace")[:1]),
            **progress(),
        )
        .order_by("-number")
    )


def progress() -> dict[str, Subquery]:
    """Annotations of a change: step_count, good_count, restore_count, restored_count."""
    steps = TargetStep.objects.filter(change=OuterRef("pk"), plan_target__plan=OuterRef("current_plan"))
    written, restored = steps.filter(direction="apply"), steps.filter(direction="restore")
    return {
        "step_count": _count(written),
        "good_count": _count(written.filter(state__in=STEP_GOOD)),
        "restore_count": _count(restored),
        "restored_count": _count(restored.filter(state__in=STEP_GOOD)),
    }


def _count(rows: QuerySet[ChangeTarget] | QuerySet[Vote] | QuerySet[TargetStep]) -> Subquery:
    counted = Func(F("pk"), function="COUNT", output_field=IntegerField())
    return Subquery(rows.order_by().annotate(counted=counted).values("counted"), output_field=IntegerField())


def live_subjects(*, names: Collection[str] = (), keys: Collection[str] = ()) -> list[Subject]:
    """Changes as streams of live data know them: their number is name and key. One query."""
    numbers = {int(text) for text in (*names, *keys) if text.isdecimal() and text[0] != "0" and len(text) < 18}
    places: dict[int, list[Place]] = {}
    rows = ChangeTarget.objects.filter(change__number__in=numbers).select_related("cluster").order_by()
    for number, target in ((row.number, row) for row in rows.annotate(number=F("change__number"))):
        places.setdefault(number, []).append(target.place)
    return [Subject(str(number), str(number), tuple(found)) for number, found in places.items()]
