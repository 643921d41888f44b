"""What is done to one cluster: tested, written to or only observed, adopted, removed, read in part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.urls import reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from clusters import forms, selectors, services
from clusters.errors import TooOftenError
from clusters.models import Cluster
from meshui.ui.htmx import go_to
from meshui.ui.refusals import render_refusal
from meshui.ui.views import ActionView, ObjectDetailView

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse


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
    """POST /clusters/<slug>/check/: at most six a minute for a cluster."""

    def act(self) -> tuple[Callable[..., Cluster], str]:
        """Test the connection."""
        return services.request_check, gettext("The connection is being tested.")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Count it, then ask for it."""
        cluster = selectors.list_clusters(signed_in(request)).filter(slug=kwargs["slug"]).first()
        try:
            if cluster is not None:
                services.count_test(actor=actor_of(request), cluster=cluster)
        except TooOftenError as refused:
            response = render_refusal(request, refused)
            response["Retry-After"] = str(refused.retry_after)
            return response
        return super().post(request, *args, **kwargs)


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


class ClusterActView(ObjectDetailView[Cluster], ActionView):
    """A page of one verb: what it does, to what, and a form to do it."""

    needs = "cluster.manage"
    page_template = "clusters/cluster_act.html"
    form_template = "clusters/cluster_act.html#form"
    context_object_name = "cluster"
    kind: ClassVar[str]

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope."""
        return selectors.list_clusters(signed_in(self.request))

    def new_form(self, cluster: Cluster) -> Any:
        """The form before it is sent."""
        return self.form_class() if self.form_class else None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The cluster, the form, which verb."""
        kwargs.setdefault("refusal", None)
        context = super().get_context_data(**kwargs)
        context.setdefault("form", None)
        context["form"] = context["form"] or self.new_form(context["cluster"])
        return context | {"kind": self.kind}

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Out of scope and missing both answer 404; else the verb decides."""
        cluster = selectors.get_cluster(signed_in(self.request), kwargs["slug"])
        url, said = self.act(cluster, data)
        return go_to(self.request, url, said=said)

    def act(self, cluster: Cluster, data: dict[str, Any]) -> tuple[str, str]:
        """Call the verb; where to go then, and what is said there."""
        raise NotImplementedError


class ClusterRemoveView(ClusterActView):
    """/clusters/<slug>/remove/: MeshUI forgets the cluster."""

    form_class = forms.ReasonForm
    kind = "remove"

    def act(self, cluster: Cluster, data: dict[str, Any]) -> tuple[str, str]:
        """Remove it."""
        services.remove_cluster(actor=actor_of(self.request), cluster_id=cluster.pk, reason=data["reason"])
        return reverse("clusters:cluster-list"), gettext("Removed. Its credentials are gone, its history stays.")


class ClusterAdoptView(ClusterActView):
    """/clusters/<slug>/adopt/: the cluster that answers now is the one that is meant."""

    form_class = forms.AdoptForm
    kind = "adopt"

    def new_form(self, cluster: Cluster) -> Any:
        """With the identity that the page shows."""
        return forms.AdoptForm(initial={"uid": cluster.found_uid})

    def act(self, cluster: Cluster, data: dict[str, Any]) -> tuple[str, str]:
        """Adopt it."""
        services.adopt_identity(
            actor=actor_of(self.request), cluster_id=cluster.pk, uid=data["uid"], reason=data["reason"]
        )
        return reverse("clusters:cluster-detail", args=[cluster.slug]), gettext("Adopted. It is being read anew.")


class ClusterNamespacesView(ClusterActView):
    """/clusters/<slug>/namespaces/: which namespaces are read."""

    form_class = forms.NamespacesForm
    kind = "namespaces"

    def new_form(self, cluster: Cluster) -> Any:
        """With those of now."""
        return forms.NamespacesForm(initial={"namespaces": " ".join(cluster.read_namespaces)})

    def act(self, cluster: Cluster, data: dict[str, Any]) -> tuple[str, str]:
        """Keep them."""
        services.set_namespaces(actor=actor_of(self.request), cluster_id=cluster.pk, namespaces=data["namespaces"])
        return reverse("clusters:cluster-detail", args=[cluster.slug]), gettext("Kept. It is being read anew.")
