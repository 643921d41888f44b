"""/api/v1/clusters/"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, path

from accounts.selectors import signed_in
from clusters import selectors
from clusters.filters import ClusterFilter
from clusters.models import Cluster
from clusters.serializers import ClusterDetailSerializer, ClusterSerializer
from meshui.rest.views import ApiDetailView, ApiListView

if TYPE_CHECKING:
    from django.db.models import QuerySet


class ClusterListView(ApiListView[Cluster]):
    """/api/v1/clusters/: Clusters by slug, with how they are and how old what is shown of them is."""

    needs = "inventory.read"
    tag = "clusters"
    is_scoped = True
    filterset_class = ClusterFilter
    serializer_class = ClusterSerializer
    order = ("slug", "pk")

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope; their credentials are not even read."""
        return selectors.list_clusters(signed_in(self.request)).prefetch_related(None)


class ClusterDetailView(ApiDetailView):
    """/api/v1/clusters/<slug>/: One cluster, with what MeshUI may do there."""

    needs = "inventory.read"
    tag = "clusters"
    serializer_class = ClusterDetailSerializer

    def get_object(self, **kwargs: Any) -> Cluster:
        """The cluster of the URL."""
        return selectors.get_cluster(signed_in(self.request), kwargs["slug"])


urlpatterns: list[URLPattern | URLResolver] = [
    path("clusters/", ClusterListView.as_view(), name="cluster-list"),
    path("clusters/<slug:slug>/", ClusterDetailView.as_view(), name="cluster-detail"),
]
