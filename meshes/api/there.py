"""/api/v1/clusters/<slug>/inventory/…/: what was read of one cluster; and reading it anew."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework.response import Response

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from clusters.selectors import get_cluster
from clusters.serializers import ClusterDetailSerializer
from meshes import selectors
from meshes.filters import GoneNamespaceFilter, GoneRouteFilter, GoneServiceFilter, GoneWorkloadFilter
from meshes.models import Namespace, Route, Service, Workload
from meshes.serializers import (
    NamespaceThereSerializer,
    RouteThereSerializer,
    ServiceThereSerializer,
    WorkloadThereSerializer,
)
from meshes.services import request_sync
from meshui.rest.views import ApiListView, ApiView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from clusters.models import Cluster

M = TypeVar("M", bound=Model)


class InventoryListView(ApiListView[M]):
    """One list of a cluster's inventory. What is gone is not shown unless it is asked for."""

    needs = READ
    tag = "inventory"
    is_scoped = True
    order: ClassVar[Sequence[str]] = ("name", "namespace", "pk")

    @cached_property
    def cluster(self) -> Cluster:
        """The cluster of the URL. Raises MissingError."""
        return selectors.read_cluster(signed_in(self.request), self.kwargs["slug"]).cluster


class NamespaceListView(InventoryListView[Namespace]):
    """/api/v1/clusters/<slug>/inventory/namespaces/: Who gets a proxy there, by which revision, and why."""

    filterset_class = GoneNamespaceFilter
    serializer_class = NamespaceThereSerializer
    order = ("name", "pk")

    def get_queryset(self) -> QuerySet[Namespace]:
        """Those of the cluster."""
        return selectors.list_namespaces(signed_in(self.request), self.cluster)


class ServicesThereView(InventoryListView[Service]):
    """/api/v1/clusters/<slug>/inventory/services/: Its Services with ports and selectors."""

    filterset_class = GoneServiceFilter
    serializer_class = ServiceThereSerializer

    def get_queryset(self) -> QuerySet[Service]:
        """Those of the cluster."""
        return selectors.list_services(signed_in(self.request), self.cluster)


class WorkloadListView(InventoryListView[Workload]):
    """/api/v1/clusters/<slug>/inventory/workloads/: Versions, and how many pods are ready."""

    filterset_class = GoneWorkloadFilter
    serializer_class = WorkloadThereSerializer

    def get_queryset(self) -> QuerySet[Workload]:
        """Those of the cluster."""
        return selectors.list_workloads(signed_in(self.request), self.cluster)


class RouteListView(InventoryListView[Route]):
    """/api/v1/clusters/<slug>/inventory/routes/: What decides where requests go."""

    filterset_class = GoneRouteFilter
    serializer_class = RouteThereSerializer

    def get_queryset(self) -> QuerySet[Route]:
        """Those of the cluster."""
        return selectors.list_routes(signed_in(self.request), self.cluster)


class ClusterSyncView(ApiView):
    """POST /api/v1/clusters/<slug>/sync/: Read it now instead of when it is due."""

    needs = READ
    tag = "clusters"
    serializer_class = ClusterDetailSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Asked for; `last_synced_at` tells when it was done."""
        cluster = get_cluster(signed_in(request), kwargs["slug"])
        self.body_of(request)
        request_sync(actor=actor_of(request), cluster_id=cluster.pk)
        return Response(ClusterDetailSerializer(get_cluster(signed_in(request), cluster.slug)).data)
