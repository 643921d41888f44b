"""What rings for clusters."""

from __future__ import annotations

from celery import shared_task

from clusters import services


@shared_task
def check_cluster(cluster_id: str) -> None:
    """Test the connection of one cluster, if that is due."""
    services.check_cluster(cluster_id)


@shared_task
def probe_clusters() -> None:
    """Probe the clusters that were silent: in a lane of its own, so that the dead hold up nobody."""
    services.probe_clusters()


@shared_task
def sweep() -> None:
    """Ring for every cluster whose test is due, and once for the silent ones whose probe is."""
    services.ring_due()
    services.ring_probes()
