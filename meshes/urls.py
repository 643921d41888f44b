"""URLs of meshes."""

from django.urls import URLPattern, URLResolver, path

from meshes.views import capabilities, inventory, meshes, services

app_name = "meshes"

SERVICE = "services/<slug:scope>/<str:namespace>/<str:name>/"
ALIGNMENT = f"{SERVICE}alignment/"
INVENTORY = "clusters/<slug:slug>/inventory/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("meshes/", meshes.MeshListView.as_view(), name="mesh-list"),
    path("meshes/<uuid:pk>/", meshes.MeshDetailView.as_view(), name="mesh-detail"),
    path("meshes/<uuid:pk>/capabilities/", capabilities.MeshCapabilitiesView.as_view(), name="mesh-capabilities"),
    path("capabilities/", capabilities.CapabilitiesView.as_view(), name="capabilities"),
    path(
        "clusters/<slug:slug>/capabilities/",
        capabilities.ClusterCapabilitiesView.as_view(),
        name="cluster-capabilities",
    ),
    path("services/", services.ServiceListView.as_view(), name="service-list"),
    path(SERVICE, services.ServiceDetailView.as_view(), name="service-detail"),
    path(ALIGNMENT, services.AlignmentPage.as_view(), name="service-alignment"),
    path(f"{ALIGNMENT}version/", services.VersionCorrectView.as_view(), name="version-correct"),
    path(f"{ALIGNMENT}version/clear/", services.VersionClearView.as_view(), name="version-clear"),
    path(f"{ALIGNMENT}link/", services.ServiceLinkView.as_view(), name="service-link"),
    path(f"{ALIGNMENT}unlink/", services.ServiceUnlinkView.as_view(), name="service-unlink"),
    path(f"{ALIGNMENT}exclude/", services.ClusterExcludeView.as_view(), name="cluster-exclude"),
    path(f"{ALIGNMENT}include/", services.ClusterIncludeView.as_view(), name="cluster-include"),
    path(INVENTORY, inventory.ClusterInventoryView.as_view(), name="cluster-inventory"),
    path(f"{INVENTORY}namespaces/", inventory.NamespaceListView.as_view(), name="inventory-namespaces"),
    path(f"{INVENTORY}services/", inventory.ServicesThereView.as_view(), name="inventory-services"),
    path(f"{INVENTORY}workloads/", inventory.WorkloadListView.as_view(), name="inventory-workloads"),
    path(f"{INVENTORY}routes/", inventory.RouteListView.as_view(), name="inventory-routes"),
    path(f"{INVENTORY}routes/<uuid:pk>/", inventory.RouteDetailView.as_view(), name="route-detail"),
    path("clusters/<slug:slug>/sync/", inventory.ClusterSyncView.as_view(), name="cluster-sync"),
    path("bulk/clusters/read/", inventory.ClusterSyncManyView.as_view(), name="cluster-sync-many"),
]
