"""Measure what somebody looks at, keep a short history, decide where metrics come from."""

from metrics.services.collect import collect_cluster, prune, ring_due
from metrics.services.source import SourceSettings, set_source
from metrics.services.watching import watch_service

__all__ = [
    "SourceSettings",
    "collect_cluster",
    "prune",
    "ring_due",
    "set_source",
    "watch_service",
]
