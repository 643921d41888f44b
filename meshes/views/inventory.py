"""Pages of what was read of one cluster: the whole, a list for each kind, one route; and the button that reads it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.db.models import Model
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from clusters.models import Cluster
from clusters.selectors import get_cluster
from clusters.views.pages import ClusterListView
from meshes import selectors
from meshes.filters import GoneNamespaceFilter, GoneRouteFilter, GoneServiceFilter, GoneWorkloadFilter
from meshes.models import Namespace, Route, Service, Workload
from meshes.services import request_sync
from meshui.ui.bulk import BulkView
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectListView, PageView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.db.models import QuerySet
    from django.http import HttpResponse

M = TypeVar("M", bound=Model)
TABS = (
    ("meshes:cluster-inventory", gettext_lazy("Overview")),
    ("meshes:inventory-namespaces", gettext_lazy("Namespaces")),
    ("meshes:inventory-services", gettext_lazy("Services")),
    ("meshes:inventory-workloads", gettext_lazy("Workloads")),
    ("meshes:inventory-routes", gettext_lazy("Routes")),
)


def tabs(slug: str) -> list[tuple[str, Any]]:
    """URL and word of each page of a cluster's inventory."""
    return [(reverse(name, args=[slug]), word) for name, word in TABS]


class ClusterInventoryView(PageView):
    """/clusters/<slug>/inventory/: what was read of one cluster."""

    needs = READ
    page_template = "meshes/cluster_inventory.html"
    partial = "inventory"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The inventory."""
        inventory = selectors.cluster_inventory(signed_in(self.request), kwargs["slug"])
        return super().get_context_data(inventory=inventory, tabs=tabs(kwargs["slug"]), **kwargs)


class InventoryList(ObjectListView[M]):
    """One list of a cluster's inventory. What is gone is not shown unless it is asked for."""

    needs = READ
    is_scoped = True
    page_template = "meshes/inventory_list.html"
    rows_template: ClassVar[str]
    title: ClassVar[Any]
    plurals: ClassVar[tuple[str, ...]]
    sorts: ClassVar[Mapping[str, Sequence[str]]] = {
        "name": ("name", "namespace"),
        "namespace": ("namespace", "name"),
    }
    default_sort = "name"

    @cached_property
    def found(self) -> selectors.ReadCluster:
        """The cluster of the URL. Raises MissingError."""
        return selectors.read_cluster(signed_in(self.request), self.kwargs["slug"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows, the cluster, and how fresh they are."""
        cluster = self.found.cluster
        kinds = selectors.of_kinds(cluster, self.plurals)
        return super().get_context_data(found=self.found, kinds=kinds, tabs=tabs(cluster.slug), **kwargs)


class NamespaceListView(InventoryList[Namespace]):
    """/clusters/<slug>/inventory/namespaces/: who gets a proxy there, by which revision, and why."""

    title = gettext_lazy("Namespaces")
    rows_template = "meshes/inventory_namespaces.html"
    plurals = ("namespaces",)
    filterset_class = GoneNamespaceFilter
    sorts: ClassVar[Mapping[str, Sequence[str]]] = {"name": ("name",)}

    def get_queryset(self) -> QuerySet[Namespace]:
        """Those of the cluster."""
        return selectors.list_namespaces(signed_in(self.request), self.found.cluster)


class ServicesThereView(InventoryList[Service]):
    """/clusters/<slug>/inventory/services/: its Services with ports and selectors."""

    title = gettext_lazy("Services")
    rows_template = "meshes/inventory_services.html"
    plurals = ("services",)
    filterset_class = GoneServiceFilter

    def get_queryset(self) -> QuerySet[Service]:
        """Those of the cluster."""
        return selectors.list_services(signed_in(self.request), self.found.cluster)


class WorkloadListView(InventoryList[Workload]):
    """/clusters/<slug>/inventory/workloads/: versions, and how many pods are ready."""

    title = gettext_lazy("Workloads")
    rows_template = "meshes/inventory_workloads.html"
    plurals = ("deployments", "statefulsets", "daemonsets")
    filterset_class = GoneWorkloadFilter

    def get_queryset(self) -> QuerySet[Workload]:
        """Those of the cluster."""
        return selectors.list_workloads(signed_in(self.request), self.found.cluster)


class RouteListView(InventoryList[Route]):
    """/clusters/<slug>/inventory/routes/: what decides where requests go."""

    title = gettext_lazy("Routes")
    rows_template = "meshes/inventory_routes.html"
    plurals = ("virtualservices", "httproutes", "grpcroutes", "serviceprofiles")
    filterset_class = GoneRouteFilter

    def get_queryset(self) -> QuerySet[Route]:
        """Those of the cluster."""
        return selectors.list_routes(signed_in(self.request), self.found.cluster)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows, with what a list shows of them."""
        context = super().get_context_data(**kwargs)
        return context | {"lines": selectors.route_lines(context["rows"].items)}


class RouteDetailView(PageView):
    """/clusters/<slug>/inventory/routes/<pk>/: every rule with its weights, what is not said exactly, the object."""

    needs = READ
    page_template = "meshes/route_detail.html"
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The route in its cluster."""
        user = signed_in(self.request)
        found = selectors.read_cluster(user, kwargs["slug"])
        route = selectors.route_in_cluster(user, found.cluster, kwargs["pk"])
        return super().get_context_data(found=found, route=route, tabs=tabs(found.cluster.slug), **kwargs)


class ClusterSyncView(ActionView):
    """POST /clusters/<slug>/sync/: read it now."""

    needs = READ

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Ask for the reading; its page shows what comes of it."""
        cluster = get_cluster(signed_in(self.request), kwargs["slug"])
        request_sync(actor=actor_of(self.request), cluster_id=cluster.pk)
        said = gettext("%(cluster)s is being read.") % {"cluster": cluster.slug}
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)


class ClusterSyncManyView(BulkView[Cluster]):
    """POST /bulk/clusters/read/: read each of them now."""

    needs = READ
    list_view = ClusterListView
    key = "slug"
    title = gettext_lazy("Read clusters again")

    def act(self, row: Cluster, seen: str, data: dict[str, Any]) -> str:
        """Ask for the reading."""
        request_sync(actor=actor_of(self.request), cluster_id=row.pk)
        return gettext("It is being read.")

    def face(self, row: Cluster) -> tuple[str, str]:
        """The cluster's page."""
        return row.slug, reverse("clusters:cluster-detail", args=[row.slug])

    def back(self) -> str:
        """The clusters."""
        return reverse("clusters:cluster-list")
