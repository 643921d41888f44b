"""What every verb of one cluster begins with: it is there, it may be seen, this may be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.services import about
from clusters.models import Cluster
from meshui.lib.errors import DeniedError, MissingError
from meshui.lib.rights import may

if TYPE_CHECKING:
    from uuid import UUID

    from audit.types import Actor


def managed(actor: Actor, cluster_id: UUID, right: str) -> Cluster:
    """The cluster, if `actor` has `right` there. Raises MissingError, DeniedError."""
    cluster = Cluster.objects.filter(pk=cluster_id).first()
    if cluster is None or not may(actor, "inventory.read", [cluster.place]):
        raise MissingError("There is no such cluster.")
    about(cluster)
    if not may(actor, right, [cluster.place]):
        raise DeniedError("You may not manage this cluster.", mend="Ask an Access admin for the Cluster admin role.")
    return cluster
