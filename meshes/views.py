"""Pages of the inventory: services over clusters, one service, and what was read of one cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from clusters.selectors import get_cluster
from meshes import selectors
from meshes.filters import ServiceFilter
from meshes.models import Service
from meshes.services import request_sync
from meshui.lib import rights
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectListView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpResponse


class ServiceListView(ObjectListView[Service]):
    """/services/"""

    needs = READ
    is_scoped = True
    page_template = "meshes/service_list.html"
    filterset_class = ServiceFilter
    sorts = {"name": ("name", "namespace"), "namespace": ("namespace", "name")}
    default_sort = "name"

    def get_queryset(self) -> QuerySet[Service]:
        """One row for each namespace and name."""
        return selectors.services_list(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows of the page, with what a list shows of them."""
        context = super().get_context_data(**kwargs)
        return context | {"lines": selectors.service_lines(signed_in(self.request), context["rows"].items)}


class ServiceDetailView(PageView):
    """/services/<scope>/<namespace>/<name>/: who gets how much, where. `?view=native` shows the native objects."""

    needs = READ
    page_template = "meshes/service_detail.html"
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The service in its scope; missing and out of scope are the same."""
        user = signed_in(self.request)
        found = selectors.service_view(user, kwargs["scope"], kwargs["namespace"], kwargs["name"])
        is_native = self.request.GET.get("view") == "native"
        can_propose = rights.has(user, "change.propose")
        return super().get_context_data(service=found, is_native=is_native, can_propose=can_propose, **kwargs)


class ClusterInventoryView(PageView):
    """/clusters/<slug>/inventory/: what was read of one cluster."""

    needs = READ
    page_template = "meshes/cluster_inventory.html"
    partial = "inventory"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The inventory."""
        inventory = selectors.cluster_inventory(signed_in(self.request), kwargs["slug"])
        return super().get_context_data(inventory=inventory, **kwargs)


class ClusterSyncView(ActionView):
    """POST /clusters/<slug>/sync/: read it now."""

    needs = READ

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Ask for the reading; its page shows what comes of it."""
        cluster = get_cluster(signed_in(self.request), kwargs["slug"])
        request_sync(actor=actor_of(self.request), cluster_id=cluster.pk)
        said = gettext("%(cluster)s is being read.") % {"cluster": cluster.slug}
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)
