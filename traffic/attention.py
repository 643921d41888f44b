"""What needs somebody's attention, worst first: clusters, services that fail, drift, changes that stopped. Scoped.

Every entry is a cause, a place, since when, and the one page to go on. Four queries, whatever there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from django.db.models import Case, Count, Exists, IntegerField, Min, OuterRef, Q, Subquery, Value, When
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy, ngettext

from clusters.models import Cluster, Health
from clusters.selectors import with_rank
from meshes.models import Sync
from meshes.selectors import SOON_DAYS, adapter_for, ending_of, stale_after
from meshes.types import FULL
from meshui.lib import clock
from meshui.lib.clock import db_now
from meshui.ui import wording
from metrics.selectors import list_failing
from traffic.models import Attempt, ChangeTarget, Snooze, TargetStep, Vote
from traffic.selectors import RUNNING
from traffic.types import STEP_BAD, State, StepState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from django.utils.functional import _StrPromise

    from accounts.models import User
    from meshes.selectors import Ending
    from metrics.selectors import Failing
    from traffic.sight import Sight

MOST: Final = 200
"""Of each kind; worse ones first."""
LATELY: Final = 7 * 24 * 3600.0
"""Seconds for which the bad end of a change is news, unless a newer one holds the same object by then."""
UNANSWERED: Final = 120.0
"""Seconds after which nobody can say that an answer to a write is still on its way."""
SUSPECT: Final = 2 * 3600.0
"""Seconds for which a change is named beside a service that fails."""
SILENT: Final = (Health.IDENTITY_CHANGED, Health.CREDENTIAL_REJECTED, Health.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Look:
    """How a cause is told."""

    tone: str
    icon: str
    words: str | _StrPromise
    action: str | _StrPromise


def _(tone: str, icon: str, words: str, action: str) -> Look:
    return Look(tone, icon, gettext_lazy(words), gettext_lazy(action))


CAUSES: Final = {
    "identity_changed": _("crit", "fingerprint", "Identity changed, writes blocked", "Look who answers"),
    "credential_rejected": _("crit", "key-round", "Credential rejected", "Open the cluster"),
    "unreachable": _("crit", "unplug", "Unreachable", "Open the cluster"),
    "root_over": _("crit", "clock-alert", "The root certificate of %(mesh)s has ended", "Open the mesh"),
    "root_ends": _("crit", "clock-alert", "The root certificate of %(mesh)s ends in %(n)s days", "Open the mesh"),
    "failing": _("crit", "triangle-alert", "%(service)s fails %(percent)s of its requests", "Open the service"),
    "stuck": _("crit", "undo-2", "The roll back of change #%(n)s stopped", "Open the change"),
    "conflict": _("crit", "equal-not", "Change #%(n)s met somebody else's change", "Open the change"),
    "credential_over": _("crit", "key-round", "A credential is over", "Open the cluster"),
    "partial": _("crit", "triangle-alert", "Change #%(n)s is partial: clusters differ", "Open the change"),
    "failed": _("crit", "circle-x", "Change #%(n)s failed, nothing written", "Open the change"),
    "unknown": _("warn", "circle-question-mark", "Not known whether change #%(n)s was written", "Open the change"),
    "paused": _("warn", "circle-pause", "Change #%(n)s is paused", "Open the change"),
    "drifted": _("warn", "equal-not", "%(n)s routes are not as MeshUI left them", "Review the drift"),
    "unread": _("warn", "circle-x", "Could not be read whole", "See what failed"),
    "stale": _("warn", "clock-alert", "Not read for long", "Open the cluster"),
    "credential_ends": _("warn", "key-round", "A credential ends soon", "Open the cluster"),
    "root_to_renew": _("warn", "clock-alert", "The root certificate of %(mesh)s ends in %(n)s days", "Open the mesh"),
    "voided": _("warn", "ban", "Approvals of change #%(n)s are void", "Review again"),
}
"""Worst first."""
BY_RANK: Final = tuple(CAUSES)
RANKS: Final = {cause: rank for rank, cause in enumerate(BY_RANK)}
FINE: Final = 99
"""The rank of a change that nothing is the matter with."""


@dataclass(frozen=True, slots=True)
class Need:
    """One entry. `place`: where; `detail`: what is known of it."""

    cause: str
    words: str
    place: str
    since: dt.datetime | None
    detail: str
    url: str
    action: str

    @property
    def mark(self) -> str:
        """What tells it from all others, and stays: the cause and the page that it leads to."""
        return sha256(f"{self.cause} {self.url}".encode()).hexdigest()[:16]

    @property
    def tone(self) -> str:
        """crit or warn."""
        return CAUSES[self.cause].tone

    @property
    def icon(self) -> str:
        """Of the cause."""
        return CAUSES[self.cause].icon


def needs_of(sight: Sight) -> list[Need]:
    """Everything that needs attention, the worst first, then what has lasted longest. At most 200 of a kind."""
    found = [*_clusters(sight), *_failing(sight), *_drifts(sight), *_changes(sight)]
    return sorted(found, key=lambda need: (RANKS[need.cause], need.since is None, need.since or clock.now()))


def without_snoozed(user: User, needs: list[Need]) -> tuple[list[Need], list[Need]]:
    """Those that `user` is told of, and those that they let rest. What begins anew is told. One query or none."""
    if not needs:
        return [], []
    told: list[Need] = []
    resting: list[Need] = []
    snoozes = Snooze.objects.filter(user=user, until__gt=clock.now())
    begun = dict(snoozes.values_list("mark", "since"))
    if not begun:
        return needs, []
    for need in needs:
        is_same = need.mark in begun and begun[need.mark] == need.since
        (resting if is_same else told).append(need)
    return told, resting


def _clusters(sight: Sight) -> Iterator[Need]:
    """Of a cluster only the worst, and of its meshes the root certificate that ends first, if that is near."""
    errors = Sync.objects.filter(cluster=OuterRef("pk")).exclude(error="")
    rows = with_rank(sight.clusters()).annotate(
        has_errors=Exists(errors),
        error=Subquery(errors.order_by("resource").values("error")[:1]),
        may_replace=Q(pk__in=sight.held.narrow(Cluster.objects.all(), "cluster.credential").values("pk")),
        **_first_root(sight),
    )
    is_old = Q(last_synced_at__lt=clock.now() - stale_after())
    is_odd = Q(health__in=SILENT) | Q(has_errors=True) | is_old | Q(credential_ends_at__isnull=False)
    odd = rows.annotate(is_odd=is_odd).filter(Q(is_odd=True) | Q(root_ends_at__isnull=False))
    odd = odd.only("slug", "health", "health_reason", "unreachable_since", "last_checked_at", "last_synced_at")
    for cluster in odd.order_by("health_rank", "slug")[:MOST]:  # type: ignore[misc]  # annotated by with_rank
        yield from _needs_in(cluster)


def _needs_in(cluster: Any) -> Iterator[Need]:
    if cluster.is_odd:
        yield _need_of(cluster)
    if ending := ending_of(cluster.root_ends_at):
        yield _need_of_root(cluster, ending)


def _first_root(sight: Sight) -> dict[str, Subquery]:
    """Of a cluster's meshes the root that ends first, if near: when, and which mesh it is; to annotate."""
    soon = clock.now() + timedelta(days=SOON_DAYS)
    rows = sight.meshes().filter(cluster=OuterRef("pk"), root_ends_at__lt=soon).order_by("root_ends_at", "kind", "pk")
    columns = {"root_ends_at": "root_ends_at", "root_mesh": "pk", "root_kind": "kind"}
    return {name: Subquery(rows.values(column)[:1]) for name, column in columns.items()}


def _need_of_root(cluster: Any, ending: Ending) -> Need:
    said = {"mesh": adapter_for(cluster.root_kind).label, "n": ending.days}
    if ending.days < 0:
        cause, words = "root_over", str(CAUSES["root_over"].words)
        detail = gettext("No proxy of the mesh trusts another any more: renew it.")
    else:
        cause = "root_ends" if ending.tone == "crit" else "root_to_renew"
        one = "The root certificate of %(mesh)s ends in %(n)s day"
        words = ngettext(one, "The root certificate of %(mesh)s ends in %(n)s days", ending.days)
        detail = gettext("From then on no proxy of the mesh trusts another: renew it before.")
    url = reverse("meshes:mesh-detail", args=[cluster.root_mesh])
    return Need(cause, words % said, cluster.slug, ending.ends_at, detail, url, str(CAUSES[cause].action))


def _need_of(cluster: Any) -> Need:
    cause, since, detail = _of_cluster(cluster)
    look, page = CAUSES[cause], "clusters:cluster-detail"
    action = str(look.action)
    if cause == "unread":
        page = "meshes:cluster-inventory"
    elif cause.startswith("credential") and cluster.may_replace:
        page, action = "clusters:cluster-credential", gettext("Replace the credential")
    return Need(cause, str(look.words), cluster.slug, since, detail, reverse(page, args=[cluster.slug]), action)


def _of_cluster(cluster: Any) -> tuple[str, dt.datetime | None, str]:
    """The worst cause, since when, and what is known."""
    ends, now = cluster.credential_ends_at, clock.now()
    if cluster.health in SILENT:
        return str(cluster.health), cluster.unreachable_since or cluster.last_checked_at, cluster.health_reason
    if ends is not None and ends <= now:
        return "credential_over", ends, gettext("What it opens is closed to MeshUI: replace it.")
    if cluster.has_errors:
        return "unread", cluster.last_synced_at, cluster.error
    if cluster.last_synced_at is not None and cluster.last_synced_at < now - stale_after():
        return "stale", cluster.last_synced_at, gettext("What is shown of it is as old as that.")
    return "credential_ends", ends, gettext("Replace it before, or what it opens is closed to MeshUI.")


def _failing(sight: Sight) -> Iterator[Need]:
    """Services that fail now, with the backend that does it and the change that came before."""
    look = CAUSES["failing"]
    for each in list_failing(sight.measured().annotate(beside=_moved(sight)), MOST):
        words = str(look.words) % {"service": each.service, "percent": _percent(each.errors)}
        url = reverse("meshes:service-detail", args=[each.cluster, each.namespace, each.service])
        yield Need("failing", words, each.cluster, each.since, _why_failing(each), url, str(look.action))


def _why_failing(each: Failing) -> str:
    facts = []
    if each.worst:
        name = each.worst.rpartition("#")[2].rpartition("/")[2].partition(":")[0]
        said = {"name": name, "percent": _percent(each.worst_errors)}
        facts.append(gettext("%(name)s fails %(percent)s of its own.") % said)
    if each.beside is not None:
        facts.append(gettext("Change #%(n)s was applied to it in the last two hours.") % {"n": each.beside})
    return " ".join(facts)


def _percent(share: float) -> str:
    return wording.percent(round(share * FULL))


def _moved(sight: Sight) -> Subquery:
    """The newest change that was applied to a service of late; to annotate what is measured of it."""
    same = {f"targets__{name}": OuterRef(name) for name in ("cluster", "namespace", "service")}
    rows = sight.changes().filter(
        **same,
        state__in=(State.APPLIED, State.PARTIAL, State.ROLLED_BACK),
        ended_at__gt=db_now(plus=-SUSPECT),
    )
    return Subquery(rows.order_by("-ended_at", "-number").values("number")[:1])


def _drifts(sight: Sight) -> Iterator[Need]:
    """Per cluster, since its oldest."""
    rows = sight.managed().exclude(drift="").order_by().values_list("cluster__slug")
    counted = rows.annotate(n=Count("pk"), since=Min("drifted_at")).order_by("since", "cluster__slug")
    page, action = reverse("traffic:drift-list"), str(CAUSES["drifted"].action)
    detail = gettext("Somebody else changed what MeshUI wrote.")
    for slug, n, since in counted[:MOST]:
        words = ngettext("%(n)s route is not as MeshUI left it", "%(n)s routes are not as MeshUI left them", n)
        url = f"{page}?{urlencode({'cluster': slug})}"
        yield Need("drifted", words % {"n": n}, slug, since, detail, url, action)


def _changes(sight: Sight) -> Iterator[Need]:
    first = ChangeTarget.objects.filter(change=OuterRef("pk"))
    rows = (
        _stopped(sight)
        .annotate(
            rank=_rank(),
            service=Subquery(first.values("service")[:1]),
            namespace=Subquery(first.values("namespace")[:1]),
        )
        .order_by("rank", "state_changed_at", "pk")
    )
    columns = ("number", "rank", "namespace", "service", "state_changed_at", "state_cause", "title")
    for number, rank, namespace, service, since, why, title in rows.values_list(*columns)[:MOST]:
        if rank == FINE:  # and so is all that follows
            return
        cause = BY_RANK[rank]
        look, url = CAUSES[cause], reverse("traffic:change-detail", args=[number])
        place = f"{namespace}/{service}"
        yield Need(cause, str(look.words) % {"n": number}, place, since, why or title, url, str(look.action))


def _stopped(sight: Sight) -> Any:
    """Those whose state may be one: running, before approval, or ended badly of late with nothing after it."""
    held = ChangeTarget.objects.filter(
        change=OuterRef(OuterRef("pk")),
        cluster=OuterRef("cluster"),
        kind=OuterRef("kind"),
        namespace=OuterRef("namespace"),
        name=OuterRef("name"),
    )
    moot = (State.FAILED, State.CANCELLED, State.REJECTED, State.EXPIRED, State.SUPERSEDED)
    newer = ChangeTarget.objects.filter(Exists(held), change__number__gt=OuterRef("number"))
    ended = Q(state__in=(State.PARTIAL, State.FAILED), ended_at__gt=db_now(plus=-LATELY))
    under_way = Q(state__in=(*RUNNING, State.DRAFT, State.IN_REVIEW))
    return sight.changes().filter(under_way | (ended & ~Q(Exists(newer.exclude(change__state__in=moot)))))


def _rank() -> Case:
    """Of the cause; FINE for none. It stands in the query once: each of its conditions is asked once a change."""
    steps = TargetStep.objects.filter(change=OuterRef("pk"))
    stuck = steps.filter(direction="restore", state__in=STEP_BAD)
    conflicts = steps.filter(state__in=(StepState.CONFLICT, StepState.ROLLBACK_CONFLICT))
    silent = Attempt.objects.filter(
        step__change=OuterRef("pk"), outcome__isnull=True, created_at__lt=db_now(plus=-UNANSWERED)
    )
    votes = Vote.objects.filter(change=OuterRef("pk"))
    standing = votes.filter(plan=OuterRef("current_plan"), voided_at=None, revoked_at=None)
    is_void = Q(Exists(votes.exclude(voided_at=None))) & ~Q(Exists(standing))
    unknown = Q(Exists(steps.filter(state=StepState.UNKNOWN))) | Q(Exists(silent))
    causes = {
        "stuck": Q(Exists(stuck), state=State.ROLLING_BACK),
        "conflict": Q(Exists(conflicts), state__in=RUNNING),
        "partial": Q(state=State.PARTIAL),
        "failed": Q(state=State.FAILED),
        "unknown": Q(state__in=RUNNING) & unknown,
        "paused": Q(state=State.PAUSED),
        "voided": Q(state__in=(State.DRAFT, State.IN_REVIEW)) & is_void,
    }
    whens = [When(which, then=Value(RANKS[cause])) for cause, which in causes.items()]
    return Case(*whens, default=Value(FINE), output_field=IntegerField())
