"""Where the numbers of a cluster come from, how that goes, and how to set it; what the proxies of a mesh run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from clusters.selectors import get_cluster
from meshui.lib import rights
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, PageView
from metrics.forms import SourceForm, initial_of, settings_of
from metrics.selectors import cluster_signals, proxy_versions, source_face
from metrics.services import set_source

if TYPE_CHECKING:
    from django.http import HttpResponse

PAGE = "metrics/cluster_metrics.html"


class ClusterMetricsView(PageView):
    """The source, its last answer, what is measured; the form for whoever manages the cluster."""

    needs = READ
    page_template = PAGE
    partial = "body"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Raises MissingError for a cluster out of scope."""
        user = signed_in(self.request)
        cluster = get_cluster(user, kwargs["slug"])
        face = source_face(cluster)
        return super().get_context_data(
            cluster=cluster,
            face=face,
            sums=cluster_signals([cluster], user=user).get(cluster.pk),
            can_manage=rights.may(user, "cluster.manage", [cluster.place]),
            **{"form": SourceForm(initial=initial_of(face.settings)), "refusal": None, **kwargs},
        )


class SourceSetView(ClusterMetricsView, ActionView):
    """POST /clusters/<slug>/metrics/source/"""

    http_method_names = ("post", "options")
    needs = "cluster.manage"
    form_class = SourceForm
    form_template = f"{PAGE}#body"

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Set it. Raises MissingError, and what the verb refuses."""
        cluster = get_cluster(signed_in(self.request), kwargs["slug"])
        set_source(actor=actor_of(self.request), cluster_id=cluster.pk, wanted=settings_of(data))
        url = reverse("metrics:cluster-metrics", args=[cluster.slug])
        return go_to(self.request, url, said=gettext("Set. The next measurement is within a minute."))


class MeshProxiesView(PageView):
    """/meshes/<pk>/proxies/: which version proxies run; fetched by the page of the mesh once it stands."""

    needs = READ
    page_template = "metrics/mesh_proxies_page.html"
    partial = "proxies"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Raises MissingError for a mesh out of scope."""
        return super().get_context_data(told=proxy_versions(signed_in(self.request), kwargs["pk"]), **kwargs)
