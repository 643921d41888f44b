"""What the API of a cluster served when it was last read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.models import SERVED, Sync

if TYPE_CHECKING:
    from clusters.models import Cluster


def served_by(cluster: Cluster) -> frozenset[str]:
    """Its group/versions (`v1` for core); empty where they were never read. One query."""
    row = Sync.objects.filter(cluster=cluster, resource=SERVED).values_list("found", flat=True).first()
    return frozenset(row or ())
