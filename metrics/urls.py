"""URLs of metrics."""

from django.urls import URLPattern, URLResolver, path

from metrics import views

app_name = "metrics"
urlpatterns: list[URLPattern | URLResolver] = [
    path("clusters/<slug:slug>/metrics/", views.ClusterMetricsView.as_view(), name="cluster-metrics"),
    path("meshes/<uuid:pk>/proxies/", views.MeshProxiesView.as_view(), name="mesh-proxies"),
    path("clusters/<slug:slug>/metrics/source/", views.SourceSetView.as_view(), name="cluster-source"),
]
