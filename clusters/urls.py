"""URLs of clusters."""

from django.urls import URLPattern, URLResolver, path

from clusters.views import intake, pages, scope, verbs

app_name = "clusters"
urlpatterns: list[URLPattern | URLResolver] = [
    path("scope/", scope.ScopeView.as_view(), name="scope"),
    path("clusters/", pages.ClusterListView.as_view(), name="cluster-list"),
    path("clusters/add/", intake.ClusterAddView.as_view(), name="cluster-add"),
    path("clusters/add/address/", intake.ClusterAddByAddressView.as_view(), name="cluster-add-address"),
    path("clusters/add/in-cluster/", intake.ClusterAddInClusterView.as_view(), name="cluster-add-in-cluster"),
    path("clusters/rights/", pages.RightsView.as_view(), name="rights"),
    path("clusters/meshui-rbac.yaml", pages.RightsFileView.as_view(), name="rights-file"),
    path("clusters/<slug:slug>/", pages.ClusterDetailView.as_view(), name="cluster-detail"),
    path("clusters/<slug:slug>/health/", pages.ClusterHealthView.as_view(), name="cluster-health"),
    path("clusters/<slug:slug>/credential/", intake.ClusterCredentialView.as_view(), name="cluster-credential"),
    path(
        "clusters/<slug:slug>/credential/address/",
        intake.ClusterCredentialByAddressView.as_view(),
        name="cluster-credential-address",
    ),
    path(
        "clusters/<slug:slug>/credential/in-cluster/",
        intake.ClusterCredentialInClusterView.as_view(),
        name="cluster-credential-in-cluster",
    ),
    path("clusters/<slug:slug>/check/", verbs.ClusterCheckView.as_view(), name="cluster-check"),
    path("clusters/<slug:slug>/allow-writes/", verbs.ClusterAllowWritesView.as_view(), name="cluster-allow-writes"),
    path("clusters/<slug:slug>/forbid-writes/", verbs.ClusterForbidWritesView.as_view(), name="cluster-forbid-writes"),
    path("clusters/<slug:slug>/adopt/", verbs.ClusterAdoptView.as_view(), name="cluster-adopt"),
    path("clusters/<slug:slug>/namespaces/", verbs.ClusterNamespacesView.as_view(), name="cluster-namespaces"),
    path("clusters/<slug:slug>/remove/", verbs.ClusterRemoveView.as_view(), name="cluster-remove"),
]
