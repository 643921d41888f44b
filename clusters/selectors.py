"""Clusters as a user may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db.models import Case, Count, IntegerField, OuterRef, Prefetch, Q, Subquery, Value, When

from clusters.manifests import MESHES, Wish
from clusters.models import Cluster, Credential, Health
from clusters.types import NEEDS
from meshui.lib.bus import Subject
from meshui.lib.clock import db_now, now
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope, may

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from django.db.models import QuerySet

    from accounts.models import User
    from clusters.types import Need

SHOWN: Final = ("pk", "cluster_id", "role", "kind", "key_id", "fingerprint", "expires_at", "created_at")
WORST_FIRST: Final = (
    Health.IDENTITY_CHANGED,
    Health.CREDENTIAL_REJECTED,
    Health.UNREACHABLE,
    Health.DEGRADED,
    Health.UNKNOWN,
    Health.HEALTHY,
)
SOON: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class CredentialFace:
    """A credential as it is shown. `tone` is crit (over), warn (ends within 14 days) or empty."""

    credential: Credential
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """Whether a kind may be read, or written. `missing` are verbs, `where` namespaces (empty: all).

    `state`: allowed, denied, rejected (the credential itself), not_served, left_out, unanswered (in time), idle (a
    writer lacks it, and nothing is written there now), or unknown (there is no credential).
    """

    state: str = "unknown"
    missing: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class RightsRow:
    """One kind that MeshUI needs: what for, and what its credentials may do. `write` None: it is only read."""

    need: Need
    read: Right
    write: Right | None

    @property
    def lacks(self) -> bool:
        """Whether something of it is therefore not shown or not possible."""
        states = {self.read.state, self.write.state if self.write else ""}
        return bool(states & {"denied", "rejected"}) or self.read.state == "left_out"


@dataclass(frozen=True, slots=True)
class Powers:
    """What a user may do with one cluster, for the buttons of its page; the verbs decide."""

    manages: bool
    brings_credentials: bool


def list_clusters(user: User) -> QuerySet[Cluster]:
    """Clusters in scope with their credentials' faces (never their content), by name. Two queries.

    With `health_rank`, and `credential_ends_at`: when a credential ends, if that is within 14 days or over.
    """
    faces = Credential.objects.only(*SHOWN, "created_by_name", "last_used_at").order_by("role")
    rows = with_rank(Cluster.objects.all()).prefetch_related(Prefetch("credentials", queryset=faces)).order_by("slug")
    return in_scope(rows, user, "inventory.read")


def with_rank(clusters: QuerySet[Cluster]) -> QuerySet[Cluster]:
    """With `health_rank`, 0 for the worst, and `credential_ends_at`. No query."""
    ranks = [When(health=health, then=Value(rank)) for rank, health in enumerate(WORST_FIRST)]
    ending = Credential.objects.filter(cluster=OuterRef("pk"), expires_at__lte=db_now(plus=SOON.total_seconds()))
    return clusters.annotate(
        health_rank=Case(*ranks, default=Value(9), output_field=IntegerField()),
        credential_ends_at=Subquery(ending.order_by("expires_at").values("expires_at")[:1]),
    )


def count_by_environment(user: User) -> dict[str, int]:
    """How many clusters in scope each environment has, by name. One query, and one for the scope."""
    rows = in_scope(Cluster.objects.all(), user, "inventory.read").order_by("environment").values_list("environment")
    return dict(rows.annotate(n=Count("pk")))


def get_cluster(user: User, slug: str) -> Cluster:
    """One cluster in scope. Raises MissingError."""
    cluster = list_clusters(user).filter(slug=slug).first()
    if cluster is None:
        raise MissingError("There is no such cluster.")
    return cluster


def credential_faces(cluster: Cluster) -> list[CredentialFace]:
    """The credentials of a cluster of list_clusters, each with how soon it ends. No query."""
    return [CredentialFace(credential, _tone(credential)) for credential in cluster.credentials.all()]


def rights_table(cluster: Cluster) -> list[RightsRow]:
    """A row per kind, from the last review of its rights. No query."""
    known = {(row.get("role"), row.get("label")): row for row in cluster.access}
    return [
        RightsRow(
            need,
            _right(known.get(("reader", need.label))),
            _right(known.get(("writer", need.label))) if need.is_written else None,
        )
        for need in NEEDS
    ]


def excess(cluster: Cluster) -> list[str]:
    """What its credentials may do and MeshUI never needs."""
    more = (row for row in cluster.access if row.get("state") == "excess")
    return [f"{row['label'].replace('* *', 'everything')} ({row['role']})" for row in more]


def wish_of(cluster: Cluster) -> Wish:
    """The manifest that fits the cluster as it is: its namespaces, the meshes it serves, whether MeshUI may write."""
    unserved = {row.get("label") for row in cluster.access if row.get("state") == "not_served"}
    kinds = {mesh: [need.label for need in NEEDS if need.mesh == mesh and not need.names] for mesh in MESHES}
    served = tuple(mesh for mesh in MESHES if not unserved.issuperset(kinds[mesh]))
    return Wish(not cluster.is_observe_only, cluster.read_namespaces, served or MESHES)


def _right(row: Mapping[str, Any] | None) -> Right:
    if row is None or "state" not in row:
        return Right()
    return Right(row["state"], ", ".join(row["missing"]), ", ".join(row["where"]))


def powers(user: User, cluster: Cluster) -> Powers:
    """What `user` may do with `cluster`."""
    places = [cluster.place]
    return Powers(may(user, "cluster.manage", places), may(user, "cluster.credential", places))


def _tone(credential: Credential) -> str:
    if credential.expires_at is None:
        return ""
    left = credential.expires_at - now()
    return "crit" if left <= timedelta() else "warn" if left <= SOON else ""


def live_subjects(*, names: Collection[str] = (), keys: Collection[str] = ()) -> list[Subject]:
    """Clusters as streams of live data know them: those of today by name, by id also removed ones. One query."""
    ids = [key for key in map(_uuid, keys) if key is not None]
    found = Cluster.everything.filter(Q(slug__in=names, removed_at__isnull=True) | Q(pk__in=ids))
    return [Subject(str(row.pk), row.slug, (row.place,)) for row in found.only("pk", "slug", "environment")]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
