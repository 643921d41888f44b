"""URLs of meshes."""

from django.urls import URLPattern, URLResolver, path

from meshes import views

app_name = "meshes"

SERVICE = "services/<slug:scope>/<str:namespace>/<str:name>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("services/", views.ServiceListView.as_view(), name="service-list"),
    path(SERVICE, views.ServiceDetailView.as_view(), name="service-detail"),
    path("clusters/<slug:slug>/inventory/", views.ClusterInventoryView.as_view(), name="cluster-inventory"),
    path("clusters/<slug:slug>/sync/", views.ClusterSyncView.as_view(), name="cluster-sync"),
]
