"""What is there: the list of clusters, one cluster, the manifests of least rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import NoReverseMatch, reverse

from accounts.selectors import signed_in
from clusters import beside, manifests, selectors
from clusters.filters import ClusterFilter
from clusters.forms import RightsForm
from clusters.models import Cluster
from meshui.lib import rights
from meshui.ui.views import ObjectDetailView, ObjectListView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from clusters.manifests import Wish


class ClusterListView(ObjectListView[Cluster]):
    """/clusters/: where, reachable, fresh; the worst first."""

    needs = "inventory.read"
    page_template = "clusters/cluster_list.html"
    filterset_class = ClusterFilter
    sorts = {"health": ("health_rank", "slug"), "name": ("name",), "environment": ("environment", "slug")}
    default_sort = "health"
    is_scoped = True

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope."""
        return selectors.list_clusters(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The rows, and whether this person may add one."""
        can_add = rights.has(self.request.user, "cluster.manage")
        many = _url_if_there("meshes:cluster-sync-many")
        context = super().get_context_data(can_add=can_add, read_many_url=many, **kwargs)
        facts = beside.sync_facts(signed_in(self.request), context["rows"].items)
        return context | {"lines": [(cluster, facts.get(cluster.pk)) for cluster in context["rows"].items]}


class ClusterDetailView(ObjectDetailView[Cluster]):
    """/clusters/<slug>/: is it connected, with which rights, how fresh is what is stored."""

    needs = "inventory.read"
    page_template = "clusters/cluster_detail.html"
    context_object_name = "cluster"
    is_scoped = True

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope."""
        return selectors.list_clusters(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The cluster, its credentials' faces, what they may do, what would give them that."""
        context = super().get_context_data(**kwargs)
        cluster = context["cluster"]
        context["faces"] = selectors.credential_faces(cluster)
        context["powers"] = selectors.powers(signed_in(self.request), cluster)
        context["table"] = selectors.rights_table(cluster)
        context["excess"] = selectors.excess(cluster)
        context["sync_url"] = _url_if_there("meshes:cluster-sync", cluster.slug)
        context["inventory_url"] = _url_if_there("meshes:cluster-inventory", cluster.slug)
        return context | manifest_context(selectors.wish_of(cluster))


class ClusterHealthView(ClusterDetailView):
    """/clusters/<slug>/health/: the state alone, as often as somebody looks."""

    partial = "health"


class RightsView(PageView):
    """/clusters/rights/: the manifest of least rights that fits, and what to type."""

    needs = "inventory.read"
    page_template = "clusters/rights.html"
    partial = "manifest"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form as asked, the manifest."""
        form = RightsForm(self.request.GET)
        wish = form.wish()
        return super().get_context_data(form=form, **manifest_context(wish), **kwargs)


class RightsFileView(PageView):
    """/clusters/meshui-rbac.yaml: that manifest, to save."""

    needs = "inventory.read"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The file."""
        self.require()
        text = manifests.rbac_manifest(RightsForm(request.GET or {"writes": "on"}).wish())
        headers = {"Content-Disposition": f'attachment; filename="{manifests.FILE}"'}
        return HttpResponse(text, content_type="application/octet-stream", headers=headers)


def manifest_context(wish: Wish, *, account_context: str = "") -> dict[str, Any]:
    """A manifest and what is typed to use it."""
    asked = [("namespaces", " ".join(wish.namespaces)), *(("mesh", mesh) for mesh in wish.meshes)]
    asked += [(name, "on") for name, is_on in (("writes", wish.writes), ("metrics", wish.metrics)) if is_on]
    return {
        "wish": wish,
        "manifest": manifests.rbac_manifest(wish),
        "commands": manifests.token_commands(wish, context=account_context),
        "secret": manifests.token_secret(manifests.READER),
        "secret_command": manifests.secret_command(manifests.READER, context=account_context),
        "manifest_query": urlencode([(name, value) for name, value in asked if value]),
    }


def _url_if_there(name: str, *args: str) -> str:
    """The URL of a page of an app above this one, which it may not have yet; empty then."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
