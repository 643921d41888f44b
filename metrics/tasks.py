"""What rings for metrics."""

from __future__ import annotations

from celery import shared_task

from metrics import services


@shared_task
def collect_cluster(cluster_id: str) -> None:
    """Measure what is looked at in one cluster, if it is due."""
    services.collect_cluster(cluster_id)


@shared_task
def sweep() -> None:
    """Ring for every cluster whose metrics are due."""
    services.ring_due()


@shared_task
def prune() -> None:
    """Forget what is older than it is kept."""
    services.prune()
