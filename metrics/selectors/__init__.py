"""What pages and changes ask of metrics. They take clusters that the caller has narrowed to what may be seen."""

from metrics.selectors.latest import cluster_signals, fleet_signals, get_signals, list_edges, list_readings
from metrics.selectors.observing import observe_service
from metrics.selectors.points import fleet_line, list_points
from metrics.selectors.sources import SourceFace, source_face
from metrics.selectors.spans import cluster_sums, list_in_span, oldest_kept

__all__ = [
    "SourceFace",
    "cluster_signals",
    "cluster_sums",
    "fleet_line",
    "fleet_signals",
    "get_signals",
    "list_edges",
    "list_in_span",
    "list_points",
    "list_readings",
    "observe_service",
    "oldest_kept",
    "source_face",
]
