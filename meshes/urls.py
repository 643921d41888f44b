"""URLs of meshes."""

from django.urls import URLPattern, URLResolver, path

from meshes import views

app_name = "meshes"

SERVICE = "services/<slug:scope>/<str:namespace>/<str:name>/"
ALIGNMENT = f"{SERVICE}alignment/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("services/", views.ServiceListView.as_view(), name="service-list"),
    path(SERVICE, views.ServiceDetailView.as_view(), name="service-detail"),
    path(ALIGNMENT, views.AlignmentPage.as_view(), name="service-alignment"),
    path(f"{ALIGNMENT}version/", views.VersionCorrectView.as_view(), name="version-correct"),
    path(f"{ALIGNMENT}version/clear/", views.VersionClearView.as_view(), name="version-clear"),
    path(f"{ALIGNMENT}link/", views.ServiceLinkView.as_view(), name="service-link"),
    path(f"{ALIGNMENT}unlink/", views.ServiceUnlinkView.as_view(), name="service-unlink"),
    path(f"{ALIGNMENT}exclude/", views.ClusterExcludeView.as_view(), name="cluster-exclude"),
    path(f"{ALIGNMENT}include/", views.ClusterIncludeView.as_view(), name="cluster-include"),
    path("clusters/<slug:slug>/inventory/", views.ClusterInventoryView.as_view(), name="cluster-inventory"),
    path("clusters/<slug:slug>/sync/", views.ClusterSyncView.as_view(), name="cluster-sync"),
]
