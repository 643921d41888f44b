"""A cluster leaves: what was read of it is gone, and whoever reads or watches it now writes nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import F

from clusters.models import Cluster
from meshes.models import ControlPlane, Mesh, MtlsMode, Namespace, Route, Service, Workload
from meshes.services.rows import note_unwatched
from meshui.lib.clock import read_db_now

if TYPE_CHECKING:
    from typing import Any

READ_MODELS: tuple[Any, ...] = (Mesh, ControlPlane, MtlsMode, Namespace, Service, Workload, Route)


def end_holds(cluster: Cluster) -> None:
    """Nobody holds it any more: a reading or a watch under way loses it before its next write."""
    held = Cluster.everything.filter(pk=cluster.pk)
    held.update(lease_owner="", lease_until=None, lease_fence=F("lease_fence") + 1)
    note_unwatched(cluster)


def put_away(cluster: Cluster) -> None:
    """It is being removed: all that was read of it is gone since now, and comes back only by a new reading."""
    end_holds(cluster)
    moment = read_db_now()
    for model in READ_MODELS:
        model.objects.filter(cluster=cluster, gone_at=None).update(gone_at=moment)
