"""What the palette finds by a part of its name, for one person: clusters, meshes, services, change requests.

Names are searched as text, without patterns of the asker's own. Four queries, whatever is found: the grants, clusters
and meshes, services, changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Case, CharField, Count, F, IntegerField, Q, Value, When
from django.db.models.functions import Cast

from accounts.rights import Held
from accounts.types import READ
from clusters.models import Cluster
from meshes.adapters.registry import all_adapters
from meshes.models import Mesh, Service
from traffic.models import Change

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User

PER_KIND: Final = 8
LEAST, MOST = 2, 100


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """A cluster."""

    slug: str
    name: str
    environment: str


@dataclass(frozen=True, slots=True)
class FoundMesh:
    """An installation in a cluster."""

    pk: UUID
    label: str
    cluster: str


@dataclass(frozen=True, slots=True)
class FoundService:
    """A service, in `clusters` clusters that the asker sees; `can_propose`: another split of it, in one of them."""

    namespace: str
    name: str
    clusters: int
    can_propose: bool


@dataclass(frozen=True, slots=True)
class FoundChange:
    """A change request."""

    number: int
    title: str
    state: str


@dataclass(frozen=True, slots=True)
class Found:
    """At most eight of each kind, those whose name begins with the text first; `verbs` of the asker, anywhere."""

    verbs: frozenset[str]
    clusters: tuple[FoundCluster, ...] = ()
    meshes: tuple[FoundMesh, ...] = ()
    services: tuple[FoundService, ...] = ()
    changes: tuple[FoundChange, ...] = ()


def search(user: User, text: str) -> Found:
    """What `user` may see of what holds `text`; nothing but their verbs for less than two characters.

    A number, with or without #, is that of a change request, also when it has one digit.
    """
    held, asked = Held(user), text[:MOST]
    number = asked.removeprefix("#")
    if number.isdecimal() and (asked != number or len(asked) < LEAST):
        return Found(held.verbs, changes=_changes(held, asked))
    if len(asked) < LEAST:
        return Found(held.verbs)
    clusters, meshes = _places(held, asked)
    return Found(held.verbs, clusters, meshes, _services(held, asked), _changes(held, asked))


def _places(held: Held, text: str) -> tuple[tuple[FoundCluster, ...], tuple[FoundMesh, ...]]:
    """Clusters and meshes, in one query."""
    labels = {adapter.kind: adapter.label for adapter in all_adapters()}
    kinds = [kind for kind, label in labels.items() if text.lower() in label.lower()]
    clusters = held.narrow(Cluster.objects.filter(Q(slug__icontains=text) | Q(name__icontains=text)), READ)
    of_mesh = Q(kind__in=kinds) | Q(trust_domain__icontains=text) | Q(cluster__slug__icontains=text)
    meshes = held.narrow(Mesh.objects.filter(of_mesh, gone_at__isnull=True, cluster__removed_at__isnull=True), READ)
    first_clusters = Cluster.objects.filter(pk__in=_first(clusters, _rank("slug", text), "slug"))
    first_meshes = Mesh.objects.filter(pk__in=_first(meshes, _rank("cluster__slug", text), "cluster__slug"))
    rows = first_clusters.values_list(Value("cluster"), F("slug"), F("name"), F("environment"), _rank("slug", text))
    others = first_meshes.values_list(
        Value("mesh"), Cast("pk", CharField()), F("kind"), F("cluster__slug"), _rank("cluster__slug", text)
    )
    found = sorted(rows.order_by().union(others.order_by(), all=True), key=lambda row: (row[4], row[3], row[1]))
    return (
        tuple(FoundCluster(ref, name, note) for what, ref, name, note, _ in found if what == "cluster"),
        tuple(FoundMesh(UUID(ref), labels.get(kind, kind), at) for what, ref, kind, at, _ in found if what == "mesh"),
    )


def _services(held: Held, text: str) -> tuple[FoundService, ...]:
    """By name, or by namespace/name."""
    namespace, slash, name = text.partition("/")
    named = Q(namespace__iendswith=namespace, name__istartswith=name) if slash else Q(name__icontains=text)
    seen = held.narrow(Service.objects.filter(named, gone_at__isnull=True), READ)
    proposable = held.narrow(Service.objects.all(), "change.propose").order_by().values("pk")
    rows = (
        seen.order_by()
        .values("namespace", "name")
        .annotate(rank=_rank("name", text), n=Count("pk"), own=Count("pk", filter=Q(pk__in=proposable)))
        .order_by("rank", "name", "namespace")
    )
    return tuple(FoundService(row["namespace"], row["name"], row["n"], row["own"] > 0) for row in rows[:PER_KIND])


def _changes(held: Held, text: str) -> tuple[FoundChange, ...]:
    """By number or a part of the title, newest first; the very number before all."""
    digits = text.removeprefix("#")
    number = int(digits) if digits.isdecimal() and len(digits) < 18 else 0
    named = Q(number=number) | (Q(title__icontains=text) if len(text) >= LEAST else Q(pk__in=[]))
    rank = Case(When(number=number, then=Value(0)), default=Value(1), output_field=IntegerField())
    rows = held.narrow(Change.objects.filter(named), READ).annotate(rank=rank).order_by("rank", "-number")
    return tuple(FoundChange(*row) for row in rows.values_list("number", "title", "state")[:PER_KIND])


def _rank(column: str, text: str) -> Case:
    """0 for the text itself, 1 for what begins with it, 2 for what holds it."""
    return Case(
        When(**{f"{column}__iexact": text, "then": Value(0)}),
        When(**{f"{column}__istartswith": text, "then": Value(1)}),
        default=Value(2),
        output_field=IntegerField(),
    )


def _first(rows: QuerySet[Any], *order: Any) -> QuerySet[Any]:
    return rows.order_by(*order, "pk").values("pk")[:PER_KIND]
