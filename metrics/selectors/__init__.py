"""What pages and changes ask of metrics. They take clusters that the caller has narrowed to what may be seen."""

from metrics.selectors.failing import Failing, list_failing
from metrics.selectors.latest import NOBODY, cluster_signals, fleet_signals, get_signals, list_readings
from metrics.selectors.listed import row_signals
from metrics.selectors.observing import observe_service
from metrics.selectors.points import fleet_line, list_points
from metrics.selectors.proxies import ProxyVersions, proxy_versions
from metrics.selectors.sources import SourceFace, source_face
from metrics.selectors.spans import cluster_sums, list_in_span, oldest_kept

__all__ = [
    "NOBODY",
    "Failing",
    "ProxyVersions",
    "SourceFace",
    "cluster_signals",
    "cluster_sums",
    "fleet_line",
    "fleet_signals",
    "get_signals",
    "list_failing",
    "list_in_span",
    "list_points",
    "list_readings",
    "observe_service",
    "oldest_kept",
    "proxy_versions",
    "row_signals",
    "source_face",
]
