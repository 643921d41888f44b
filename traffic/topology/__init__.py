"""Graphs of services around a focus, of meshes, of clusters: never of everything, only of what the reader sees."""

from traffic.topology.around import around, narrowed
from traffic.topology.levels import of_clusters, of_meshes
from traffic.topology.nodes import focus_url
from traffic.topology.panel import Panel, linked, noted, panel_of
from traffic.topology.start import find_services, match_services, split_services
from traffic.topology.types import HOPS, Asked, Choices, Topology

__all__ = [
    "HOPS",
    "Asked",
    "Choices",
    "Panel",
    "Topology",
    "around",
    "find_services",
    "focus_url",
    "linked",
    "match_services",
    "narrowed",
    "noted",
    "of_clusters",
    "of_meshes",
    "panel_of",
    "split_services",
]
