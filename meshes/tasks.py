"""What rings for the inventory."""

from __future__ import annotations

from celery import shared_task

from meshes import services


@shared_task
def sync_cluster(cluster_id: str) -> None:
    """Read one cluster, if it is due."""
    services.sync_cluster(cluster_id)


@shared_task
def sweep() -> None:
    """Ring for every cluster that is due."""
    services.ring_due()
