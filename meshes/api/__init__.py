"""/api/v1/meshes/, /api/v1/services/ and what was read of each cluster."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from meshes.api import corrections, inventory, there

__all__ = ["urlpatterns"]

SERVICE = "services/<slug:scope>/<str:namespace>/<str:name>/"
ALIGNMENT = f"{SERVICE}alignment/"
INVENTORY = "clusters/<slug:slug>/inventory/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("meshes/", inventory.MeshListView.as_view(), name="mesh-list"),
    path("meshes/<uuid:pk>/", inventory.MeshDetailView.as_view(), name="mesh-detail"),
    path("capabilities/", inventory.CapabilitiesView.as_view(), name="capabilities"),
    path("services/", inventory.ServiceListView.as_view(), name="service-list"),
    path(SERVICE, inventory.ServiceDetailView.as_view(), name="service-detail"),
    path(ALIGNMENT, corrections.ServiceAlignmentView.as_view(), name="service-alignment"),
    path(f"{ALIGNMENT}version/", corrections.VersionCorrectView.as_view(), name="version-correct"),
    path(f"{ALIGNMENT}version/clear/", corrections.VersionClearView.as_view(), name="version-clear"),
    path(f"{ALIGNMENT}link/", corrections.ServiceLinkView.as_view(), name="service-link"),
    path(f"{ALIGNMENT}unlink/", corrections.ServiceUnlinkView.as_view(), name="service-unlink"),
    path(f"{ALIGNMENT}exclude/", corrections.ClusterExcludeView.as_view(), name="cluster-exclude"),
    path(f"{ALIGNMENT}include/", corrections.ClusterIncludeView.as_view(), name="cluster-include"),
    path("clusters/<slug:slug>/sync/", there.ClusterSyncView.as_view(), name="cluster-sync"),
    path(f"{INVENTORY}namespaces/", there.NamespaceListView.as_view(), name="inventory-namespaces"),
    path(f"{INVENTORY}services/", there.ServicesThereView.as_view(), name="inventory-services"),
    path(f"{INVENTORY}workloads/", there.WorkloadListView.as_view(), name="inventory-workloads"),
    path(f"{INVENTORY}routes/", there.RouteListView.as_view(), name="inventory-routes"),
]
