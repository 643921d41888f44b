"""Clusters as a user may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Case, IntegerField, Prefetch, Value, When

from clusters.models import Cluster, Credential, Health
from meshui.lib.clock import now
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope, may

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User

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
class Powers:
    """What a user may do with one cluster, for the buttons of its page; the verbs decide."""

    manages: bool
    brings_credentials: bool


def list_clusters(user: User) -> QuerySet[Cluster]:
    """Clusters in scope with their credentials' faces (never their content) and `health_rank`, by name. Two queries."""
    faces = Credential.objects.only(*SHOWN, "created_by_name", "last_used_at").order_by("role")
    ranks = [When(health=health, then=Value(rank)) for rank, health in enumerate(WORST_FIRST)]
    rows = Cluster.objects.annotate(health_rank=Case(*ranks, default=Value(9), output_field=IntegerField()))
    rows = rows.prefetch_related(Prefetch("credentials", queryset=faces)).order_by("slug")
    return in_scope(rows, user, "inventory.read")


def get_cluster(user: User, slug: str) -> Cluster:
    """One cluster in scope. Raises MissingError."""
    cluster = list_clusters(user).filter(slug=slug).first()
    if cluster is None:
        raise MissingError("There is no such cluster.")
    return cluster


def credential_faces(cluster: Cluster) -> list[CredentialFace]:
    """The credentials of a cluster of list_clusters, each with how soon it ends. No query."""
    return [CredentialFace(credential, _tone(credential)) for credential in cluster.credentials.all()]


def powers(user: User, cluster: Cluster) -> Powers:
    """What `user` may do with `cluster`."""
    places = [cluster.place]
    return Powers(may(user, "cluster.manage", places), may(user, "cluster.credential", places))


def _tone(credential: Credential) -> str:
    if credential.expires_at is None:
        return ""
    left = credential.expires_at - now()
    return "crit" if left <= timedelta() else "warn" if left <= SOON else ""
