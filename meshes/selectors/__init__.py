"""The inventory as a user may see it: routes, services over clusters, one cluster, the fleet. Stored data alone."""

from meshes.adapters.registry import adapter_for
from meshes.selectors.alignment import AlignedCluster, AlignedRoute, AlignedService, aligned
from meshes.selectors.clusters import ClusterInventory, cluster_inventory
from meshes.selectors.fleet import FleetRow, fleet_rows
from meshes.selectors.freshness import MeshLine
from meshes.selectors.members import Member, Members, Rows, members_of
from meshes.selectors.routes import get_live, get_route, routes_for_service
from meshes.selectors.served import served_by
from meshes.selectors.services import ServiceLine, in_cluster, service_lines, services_list, split_now
from meshes.selectors.serviceview import ServiceView, service_view

__all__ = [
    "AlignedCluster",
    "AlignedRoute",
    "AlignedService",
    "ClusterInventory",
    "FleetRow",
    "Member",
    "Members",
    "MeshLine",
    "Rows",
    "ServiceLine",
    "ServiceView",
    "adapter_for",
    "aligned",
    "cluster_inventory",
    "fleet_rows",
    "get_live",
    "get_route",
    "in_cluster",
    "members_of",
    "routes_for_service",
    "served_by",
    "service_lines",
    "service_view",
    "services_list",
    "split_now",
]
