"""URLs of clusters."""

from django.urls import URLPattern, URLResolver, path

from clusters import views

app_name = "clusters"
urlpatterns: list[URLPattern | URLResolver] = [
    path("clusters/", views.ClusterListView.as_view(), name="cluster-list"),
    path("clusters/add/", views.ClusterAddView.as_view(), name="cluster-add"),
    path("clusters/meshui-rbac.yaml", views.RightsFileView.as_view(), name="rights-file"),
    path("clusters/<slug:slug>/", views.ClusterDetailView.as_view(), name="cluster-detail"),
    path("clusters/<slug:slug>/health/", views.ClusterHealthView.as_view(), name="cluster-health"),
    path("clusters/<slug:slug>/credential/", views.ClusterCredentialView.as_view(), name="cluster-credential"),
    path("clusters/<slug:slug>/check/", views.ClusterCheckView.as_view(), name="cluster-check"),
    path("clusters/<slug:slug>/allow-writes/", views.ClusterAllowWritesView.as_view(), name="cluster-allow-writes"),
    path("clusters/<slug:slug>/forbid-writes/", views.ClusterForbidWritesView.as_view(), name="cluster-forbid-writes"),
]
