"""Pages of clusters: the list, registering one, one cluster, its credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from clusters import selectors, services
from clusters.filters import ClusterFilter
from clusters.forms import AddClusterForm, CredentialForm
from clusters.models import Cluster
from clusters.services import NewCluster
from meshui.lib import rights
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectDetailView, ObjectListView, PageView

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest


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
        return super().get_context_data(can_add=can_add, **kwargs)


class ClusterAddView(PageView, ActionView):
    """/clusters/add/: a kubeconfig and where the cluster belongs."""

    needs = "cluster.manage"
    page_template = "clusters/cluster_add.html"
    form_class = AddClusterForm
    form_template = "clusters/cluster_add.html#answer"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form, empty or as it was sent, without its secret."""
        kwargs.setdefault("form", AddClusterForm())
        kwargs.setdefault("refusal", None)
        return super().get_context_data(**kwargs)

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The address is looked up before the verb: no network inside a transaction."""
        actor, kubeconfig = actor_of(self.request), data["kubeconfig"]
        services.require_callable(actor=actor, kubeconfig=kubeconfig)
        new = NewCluster(data["name"], data["slug"], data["environment"], kubeconfig, data["writes"])
        cluster = services.add_cluster(actor=actor, new=new)
        said = gettext("Registered. The connection is being tested.")
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)


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
        """The cluster, its credentials' faces, what the reader may do."""
        context = super().get_context_data(**kwargs)
        cluster = context["cluster"]
        context["faces"] = selectors.credential_faces(cluster)
        context["powers"] = selectors.powers(signed_in(self.request), cluster)
        context["sync_url"] = _url_if_there("meshes:cluster-sync", cluster.slug)
        context["inventory_url"] = _url_if_there("meshes:cluster-inventory", cluster.slug)
        return context


class ClusterHealthView(ClusterDetailView):
    """/clusters/<slug>/health/: the state alone, as often as somebody looks."""

    partial = "health"


class ClusterCredentialView(ObjectDetailView[Cluster], ActionView):
    """/clusters/<slug>/credential/: replace what opens the cluster."""

    needs = "cluster.credential"
    page_template = "clusters/cluster_credential.html"
    context_object_name = "cluster"
    form_class = CredentialForm
    form_template = "clusters/cluster_credential.html#answer"

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope."""
        return selectors.list_clusters(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form, empty or as it was sent, without its secret."""
        kwargs.setdefault("form", CredentialForm())
        kwargs.setdefault("refusal", None)
        return super().get_context_data(**kwargs)

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The address is looked up before the verb."""
        actor, kubeconfig = actor_of(self.request), data["kubeconfig"]
        cluster = selectors.get_cluster(signed_in(self.request), kwargs["slug"])
        services.require_callable(actor=actor, kubeconfig=kubeconfig)
        services.replace_credential(actor=actor, cluster_id=cluster.pk, role=data["role"], kubeconfig=kubeconfig)
        said = gettext("Replaced. The connection is being tested.")
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)


class ClusterVerbView(ActionView):
    """A verb of one cluster that takes nothing else; then its page."""

    needs = "cluster.manage"

    def act(self) -> tuple[Callable[..., Cluster], str]:
        """The verb, and what is said when it is done."""
        raise NotImplementedError

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Out of scope and missing both answer 404; else the verb decides."""
        cluster = selectors.get_cluster(signed_in(self.request), kwargs["slug"])
        verb, said = self.act()
        verb(actor=actor_of(self.request), cluster_id=cluster.pk)
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)


class ClusterCheckView(ClusterVerbView):
    """POST /clusters/<slug>/check/."""

    def act(self) -> tuple[Callable[..., Cluster], str]:
        """Test the connection."""
        return services.request_check, gettext("The connection is being tested.")


class ClusterAllowWritesView(ClusterVerbView):
    """POST /clusters/<slug>/allow-writes/."""

    def act(self) -> tuple[Callable[..., Cluster], str]:
        """Let MeshUI write."""
        return services.allow_writes, gettext("MeshUI may write to this cluster now.")


class ClusterForbidWritesView(ClusterVerbView):
    """POST /clusters/<slug>/forbid-writes/."""

    def act(self) -> tuple[Callable[..., Cluster], str]:
        """Only observe."""
        return services.forbid_writes, gettext("MeshUI only observes this cluster now.")


class RightsFileView(PageView):
    """/clusters/meshui-rbac.yaml: ServiceAccounts for reading and writing, with the least rights that MeshUI needs."""

    needs = "inventory.read"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The file, to save."""
        self.require()
        text = render_to_string("clusters/meshui-rbac.yaml")
        headers = {"Content-Disposition": 'attachment; filename="meshui-rbac.yaml"'}
        return HttpResponse(text, content_type="application/octet-stream", headers=headers)


def _url_if_there(name: str, slug: str) -> str:
    """The URL of a page of an app above this one, which it may not have yet; empty then."""
    try:
        return reverse(name, args=[slug])
    except NoReverseMatch:
        return ""
