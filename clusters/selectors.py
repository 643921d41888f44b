"""Clusters as a user may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Prefetch

from clusters.models import Cluster, Credential
from meshui.lib.errors import MissingError
from meshui.lib.rights import in_scope

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User

SHOWN = ("pk", "cluster_id", "role", "kind", "key_id", "fingerprint", "expires_at", "created_at", "created_by_name")


def list_clusters(user: User) -> QuerySet[Cluster]:
    """Clusters in scope with their credentials' faces (never their content), by name. Two queries."""
    faces = Credential.objects.only(*SHOWN, "last_used_at").order_by("role")
    rows = Cluster.objects.prefetch_related(Prefetch("credentials", queryset=faces)).order_by("slug")
    return in_scope(rows, user, "inventory.read")


def get_cluster(user: User, slug: str) -> Cluster:
    """One cluster in scope. Raises MissingError."""
    cluster = list_clusters(user).filter(slug=slug).first()
    if cluster is None:
        raise MissingError("There is no such cluster.")
    return cluster
