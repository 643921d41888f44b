"""What pages and changes ask of metrics. They take clusters that the caller has narrowed to what may be seen."""

from metrics.selectors.failing import TOLERATED, Failing, list_failing
from metrics.selectors.latest import NOBODY, cluster_signals, fleet_signals, get_signals, list_edges, list_readings
from metrics.selectors.listed import row_signals
from metrics.selectors.observing import observe_service
from metrics.selectors.points import fleet_line, list_points
from metrics.selectors.proxies import ProxyVersions, proxy_versions
from metrics.selectors.sources import SourceFace, source_face

__all__ = [
    "NOBODY",
    "TOLERATED",
    "Failing",
    "ProxyVersions",
    "SourceFace",
    "cluster_signals",
    "fleet_line",
    "fleet_signals",
    "get_signals",
    "list_edges",
    "list_failing",
    "list_points",
    "list_readings",
    "observe_service",
    "proxy_versions",
    "row_signals",
    "source_face",
]
