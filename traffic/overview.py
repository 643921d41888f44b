"""The fleet in numbers, and the first steps of whoever begins: each is done when what is stored says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from django.db.models import CharField, Count, Exists, OuterRef, Q, Subquery, Value, Window
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from accounts.models import User
from meshes.selectors import ending_of
from meshes.selectors.fleet import MANAGED, MODES, NONE, ROUTES, SERVICES, strict_share, sum_of
from meshui.ui.parts import Step
from traffic.models import ChangeTarget, Vote
from traffic.selectors import OPEN, RUNNING, progress
from traffic.types import State

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from meshes.models import Mesh
    from meshes.selectors import Counts, Ending
    from traffic.models import Change
    from traffic.sight import Sight

MOVING: Final = (State.PLANNING, *RUNNING)
ANSWERS: Final = ("healthy", "degraded")


@dataclass(frozen=True, slots=True)
class Overview:
    """What is there within sight. `services`: a row per cluster.

    `judged`: namespaces whose pods a mesh takes; `strict` of them take mutual TLS alone, of `unknown` it is not known.
    """

    clusters: int = 0
    reached: int = 0
    read: int = 0
    meshes: int = 0
    services: int = 0
    routes: int = 0
    split: int = 0
    managed: int = 0
    drifted: int = 0
    open: int = 0
    in_review: int = 0
    judged: int = 0
    strict: int = 0
    unknown: int = 0

    @property
    def in_sync(self) -> int:
        """Routes that are as MeshUI left them."""
        return self.managed - self.drifted

    @property
    def strict_bp(self) -> int:
        """The share of namespaces that take mutual TLS alone; what is not known does not count as such."""
        return strict_share(self.judged, self.strict)

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing to show yet."""
        return not (self.clusters or self.services or self.open)


def overview_of(sight: Sight, counts: Counts | None = None) -> Overview:
    """One query, and one for the counts of `sight` where they are not given."""
    answers, was_read = Q(health__in=ANSWERS), Q(last_synced_at__isnull=False)
    found = _tally(sight.clusters(), "clusters", answers, was_read).union(
        _tally(sight.meshes(), "meshes"),
        _tally(sight.changes().filter(state__in=OPEN), "open", Q(state=State.IN_REVIEW)),
        all=True,
    )
    sums = {kind: (n, one, other) for kind, n, one, other in found}
    inside = sight.counts() if counts is None else counts
    clusters, reached, read = sums.get("clusters", NONE)
    routes, split, _ = sum_of(inside, ROUTES)
    managed, drifted, _ = sum_of(inside, MANAGED)
    opened, in_review, _ = sums.get("open", NONE)
    judged, strict, unknown = sum_of(inside, MODES)
    return Overview(
        clusters=clusters,
        reached=reached,
        read=read,
        meshes=sums.get("meshes", NONE)[0],
        services=sum_of(inside, SERVICES)[0],
        routes=routes,
        split=split,
        managed=managed,
        drifted=drifted,
        open=opened,
        in_review=in_review,
        judged=judged,
        strict=strict,
        unknown=unknown,
    )


@dataclass(frozen=True, slots=True)
class FirstEnd:
    """The root certificate of a mesh that ends before all others; `of`: how many meshes tell theirs."""

    end: Ending
    mesh: Mesh
    of: int


def first_end(sight: Sight) -> FirstEnd | None:
    """None: no mesh tells when its root ends. One query."""
    rows = sight.meshes().exclude(root_ends_at=None).select_related("cluster").order_by("root_ends_at", "cluster__slug")
    found = rows.annotate(told=Window(Count("pk")))[:1]
    for mesh in found:
        end = ending_of(mesh.root_ends_at)
        return FirstEnd(end, mesh, mesh.told) if end else None
    return None


def in_flight(changes: QuerySet[Change]) -> QuerySet[Change]:
    """Those on their way to the clusters, longest moved first: step_count and good_count say how far. One query."""
    first = ChangeTarget.objects.filter(change=OuterRef("pk"))
    return (
        changes.filter(state__in=MOVING)
        .only("number", "title", "state", "state_cause", "state_changed_at")
        .annotate(
            service=Subquery(first.values("service")[:1]),
            namespace=Subquery(first.values("namespace")[:1]),
            **progress(),
        )
        .order_by("state_changed_at", "pk")
    )


def _tally(rows: QuerySet[Any], kind: str, one: Q | None = None, other: Q | None = None) -> QuerySet[Any]:
    parts = [Count("pk", filter=part) if part else Value(0) for part in (one, other)]
    named = rows.order_by().annotate(told=Value(kind, output_field=CharField()))
    told: QuerySet[Any] = named.values_list("told").annotate(n=Count("pk"), one=parts[0], other=parts[1])
    return told


@dataclass(frozen=True, slots=True)
class Begun:
    """How far the first change of all came, and what is next there: a slug, or numbers of changes."""

    unread: str | None = None
    draft: int | None = None
    in_review: int | None = None
    is_own: bool = False
    approved: int | None = None
    was_submitted: bool = False
    was_reviewed: bool = False
    was_started: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nobody needs first steps any more: a change was reviewed, and what was approved was started."""
        return self.was_reviewed and (self.was_started or self.approved is None)


def begun_by(user: User, sight: Sight) -> Begun:
    """One query where there is no change yet, or where nobody needs first steps any more; else two."""
    changes = sight.changes().order_by()
    reviewed = changes.filter(Exists(Vote.objects.filter(change=OuterRef("pk"))))
    unread = Subquery(sight.clusters().filter(last_synced_at=None).order_by("slug").values("slug")[:1])
    row = User.objects.filter(pk=user.pk).values_list(
        unread, Exists(changes), Exists(reviewed), Exists(changes.filter(rollout__isnull=False))
    )
    slug, is_any, was_reviewed, was_started = row.get()
    if not is_any or (was_reviewed and was_started):
        return Begun(slug, was_submitted=is_any, was_reviewed=was_reviewed, was_started=was_started)
    return replace(_begun(user, changes), unread=slug, was_reviewed=was_reviewed, was_started=was_started)


def _begun(user: User, changes: QuerySet[Change]) -> Begun:
    """What is next."""
    in_order = changes.order_by("number")
    in_review = in_order.filter(state=State.IN_REVIEW)
    row = User.objects.filter(pk=user.pk).values_list(
        Subquery(in_order.filter(state__in=(State.DRAFT, State.PLANNING)).values("number")[:1]),
        Subquery(in_review.values("number")[:1]),
        Subquery(in_review.values("author_id")[:1]),
        Subquery(in_order.filter(state=State.APPROVED).values("number")[:1]),
        Exists(changes.exclude(submitted_at=None)),
    )
    draft, waiting, author, approved, was_submitted = row.get()
    is_own = _is_same(author, user.pk)
    return Begun(draft=draft, in_review=waiting, is_own=is_own, approved=approved, was_submitted=was_submitted)


def _is_same(one: UUID | None, other: UUID) -> bool:
    return one == other


@dataclass(frozen=True, slots=True)
class Next:
    """The one thing to do next. `url` empty: the reader cannot do it, and `who` says who can."""

    words: str
    url: str = ""
    action: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The ladder of a beginner, and what is next."""

    steps: list[Step]
    next: Next


def first_steps(sight: Sight, there: Overview, begun: Begun) -> FirstSteps | None:
    """What leads from nothing to a reviewed change that was started; None once it did. No query."""
    if begun.is_over:
        return None
    is_read = bool(there.read or there.services)
    done = [
        bool(there.clusters or there.services),
        is_read,
        there.services > 0,
        begun.was_submitted,
        begun.was_reviewed,
        begun.was_started,
    ]
    now = done.index(False)
    told = [
        (gettext("Register a cluster"), _number(there.clusters, "cluster")),
        (gettext("Read it"), _read(there)),
        (gettext("Look at services"), _number(there.services, "service")),
        (gettext("Propose a split"), gettext("draft #%(n)s") % {"n": begun.draft} if begun.draft else ""),
        (gettext("Have it reviewed"), f"#{begun.in_review}" if begun.in_review else ""),
        (gettext("Start it"), f"#{begun.approved}" if begun.approved else ""),
    ]
    steps = [
        Step(label, note, "done" if is_done else "current" if place == now else "todo")
        for place, ((label, note), is_done) in enumerate(zip(told, done, strict=True))
    ]
    return FirstSteps(steps, NEXT[now](sight.held.verbs, there, begun))


def _number(n: int, what: str) -> str:
    if not n:
        return ""
    words = {
        "cluster": ngettext("%(n)s registered", "%(n)s registered", n),
        "service": ngettext("%(n)s found", "%(n)s found", n),
    }
    return words[what] % {"n": n}


def _read(there: Overview) -> str:
    return gettext("%(n)s of %(total)s") % {"n": there.read, "total": there.clusters} if there.clusters else ""


def _register(verbs: frozenset[str], there: Overview, begun: Begun) -> Next:
    words = gettext(
        "MeshUI shows the meshes of the clusters it is connected to. Give it a kubeconfig or a token; "
        "read-only is enough to begin with."
    )
    if "cluster.manage" in verbs:
        return Next(words, reverse("clusters:cluster-add"), gettext("Register a cluster"))
    who = gettext(
        "A person with the role Cluster admin can do that. If you expect clusters here: an Access admin "
        "says what you may see."
    )
    return Next(words, who=who)


def _read_it(verbs: frozenset[str], there: Overview, begun: Begun) -> Next:
    slug = begun.unread
    words = gettext(
        "A registered cluster is tested and read without your doing. Its page says how far that is, and what is in "
        "the way."
    )
    if slug is None:  # read meanwhile
        return Next(words, reverse("clusters:cluster-list"), gettext("Open the clusters"))
    return Next(words, reverse("clusters:cluster-detail", args=[slug]), gettext("Open %(name)s") % {"name": slug})


def _look(verbs: frozenset[str], there: Overview, begun: Begun) -> Next:
    words = gettext("The cluster was read, and no service was found in it. See which namespaces are read, and how far.")
    return Next(words, reverse("clusters:cluster-list"), gettext("Open the clusters"))


def _propose(verbs: frozenset[str], there: Overview, begun: Begun) -> Next:
    if begun.draft:
        words = gettext("Change #%(n)s is a draft. Its page checks it against the clusters; then ask for approval.")
        url = reverse("traffic:change-detail", args=[begun.draft])
        return Next(words % {"n": begun.draft}, url, gettext("Go on with #%(n)s") % {"n": begun.draft})
    words = gettext(
        "Choose a service and look at which versions get its requests. “Propose a split” on its page moves shares; "
        "nothing is written before somebody else has approved it."
    )
    url = reverse("meshes:service-list")
    if "change.propose" in verbs:
        return Next(words, url, gettext("Choose a service"))
    who = gettext("A person with the role Author can propose, one with the role Approver decides.")
    if "access.manage" in verbs:
        return Next(words, reverse("accounts:access"), gettext("Invite people"), who)
    return Next(words, url, gettext("Look at the services"), who)


def _review(verbs: frozenset[str], there: Overview, begun: Begun) -> Next:
    if begun.in_review is None:
        return _propose(verbs, there, begun)
    number = begun.in_review
    url, n = reverse("traffic:change-detail", args=[number]), {"n": number}
    if "change.vote" in verbs and not begun.is_own:
        words = gettext("Change #%(n)s waits for approval. Its page shows what would be written, and the checks.")
        return Next(words % n, url, gettext("Review #%(n)s") % n)
    words = gettext("Change #%(n)s waits for approval: that of somebody who did not write it.") % n
    who = gettext("A person with the role Approver finds it in the inbox. You may send them the address of its page.")
    return Next(words, url, gettext("Open #%(n)s") % n, who)


def _start(verbs: frozenset[str], there: Overview, begun: Begun) -> Next:
    n = {"n": begun.approved}
    url = reverse("traffic:change-detail", args=[begun.approved])
    words = gettext("Change #%(n)s is approved. Nothing is written before somebody starts it.") % n
    if "change.execute" in verbs:
        return Next(words, url, gettext("Open #%(n)s to start it") % n)
    return Next(words, url, gettext("Open #%(n)s") % n, gettext("A person with the role Executor can start it."))


NEXT: Final = (_register, _read_it, _look, _propose, _review, _start)
