"""The inventory as a user may see it: routes, services over clusters, one cluster, the fleet. Stored data alone."""

from meshes.adapters.registry import adapter_for
from meshes.selectors.alignment import AlignedCluster, AlignedRoute, AlignedService, aligned
from meshes.selectors.capabilities import Column, FeatureRow, capability_columns, feature_rows
from meshes.selectors.clusters import ClusterInventory, cluster_inventory
from meshes.selectors.drift import (
    Watch,
    count_managed,
    drift_watch,
    get_managed,
    list_drifts,
    list_managed,
    managed_of,
    watch_of,
)
from meshes.selectors.fleet import Counts, FleetRow, counts_in, fleet_clusters, fleet_groups, fleet_rows
from meshes.selectors.freshness import MeshLine, kept, stale_after, sync_facts, sync_stand, sync_words
from meshes.selectors.inventory import (
    ReadCluster,
    list_namespaces,
    list_routes,
    list_services,
    list_workloads,
    read_cluster,
    route_in_cluster,
    route_lines,
)
from meshes.selectors.kinds import KindLine, kind_lines, of_kinds
from meshes.selectors.members import Member, Members, Rows, members_of
from meshes.selectors.meshes import (
    MeshDetail,
    list_meshes,
    mesh_detail,
    mesh_head,
    mesh_rows,
    odd_clusters,
)
from meshes.selectors.routes import get_live, get_route, routes_for_service
from meshes.selectors.security import SOON_DAYS, Ending, MtlsView, ending_of
from meshes.selectors.served import served_by
from meshes.selectors.services import (
    ServiceLine,
    in_cluster,
    in_environment,
    list_members,
    service_lines,
    services_list,
    split_now,
)
from meshes.selectors.serviceview import ServiceView, service_view

__all__ = [
    "SOON_DAYS",
    "AlignedCluster",
    "AlignedRoute",
    "AlignedService",
    "ClusterInventory",
    "Column",
    "Counts",
    "Ending",
    "FeatureRow",
    "FleetRow",
    "KindLine",
    "Member",
    "Members",
    "MeshDetail",
    "MeshLine",
    "MtlsView",
    "ReadCluster",
    "Rows",
    "ServiceLine",
    "ServiceView",
    "Watch",
    "adapter_for",
    "aligned",
    "capability_columns",
    "cluster_inventory",
    "count_managed",
    "counts_in",
    "drift_watch",
    "ending_of",
    "feature_rows",
    "fleet_clusters",
    "fleet_groups",
    "fleet_rows",
    "get_live",
    "get_managed",
    "get_route",
    "in_cluster",
    "in_environment",
    "kept",
    "kind_lines",
    "list_drifts",
    "list_managed",
    "list_members",
    "list_meshes",
    "list_namespaces",
    "list_routes",
    "list_services",
    "list_workloads",
    "managed_of",
    "members_of",
    "mesh_detail",
    "mesh_head",
    "mesh_rows",
    "odd_clusters",
    "of_kinds",
    "read_cluster",
    "route_in_cluster",
    "route_lines",
    "routes_for_service",
    "served_by",
    "service_lines",
    "service_view",
    "services_list",
    "split_now",
    "stale_after",
    "sync_facts",
    "sync_stand",
    "sync_words",
    "watch_of",
]
