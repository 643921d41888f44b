"""Bringing what opens a cluster: by kubeconfig, by address and token, or as the cluster around MeshUI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from accounts.selectors import actor_of, signed_in
from clusters import forms, selectors, services
from clusters.errors import TooOftenError
from clusters.intake import is_in_cluster
from clusters.manifests import Wish
from clusters.models import Cluster
from clusters.services import NewCluster
from clusters.views.pages import manifest_context
from meshui.ui.htmx import go_to
from meshui.ui.views import ActionView, ObjectDetailView, PageView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.forms import BaseForm
    from django.http import HttpRequest, HttpResponse
    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class Way:
    """One of the ways in, as a tab."""

    label: str | _StrPromise
    url: str
    is_current: bool


WAYS = {
    "kubeconfig": gettext_lazy("Kubeconfig"),
    "address": gettext_lazy("Address and token"),
    "in-cluster": gettext_lazy("The cluster MeshUI runs in"),
}


class IntakeView(ActionView):
    """A form that brings a credential: at most ten a minute, and a person."""

    form_template = "clusters/intake.html#answer"
    way: ClassVar[str] = "kubeconfig"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Count it, then look at it."""
        try:
            services.count_intake(actor=actor_of(request))
        except TooOftenError as refused:
            form = self.form_class() if self.form_class else None
            response = self.respond_again(refused.status, form=form, refusal=refused, **kwargs)
            response["Retry-After"] = str(refused.retry_after)
            return response
        return super().post(request, *args, **kwargs)

    def urls(self) -> dict[str, str]:
        """Way → its page."""
        raise NotImplementedError

    def words(self) -> dict[str, Any]:
        """Title, lead, and where Cancel goes."""
        raise NotImplementedError

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The form, empty or as it was sent, without its secret; the ways; how to make an account for MeshUI."""
        kwargs.setdefault("form", self.form_class() if self.form_class else None)
        kwargs.setdefault("refusal", None)
        context = super().get_context_data(**kwargs)
        urls = {way: url for way, url in self.urls().items() if way != "in-cluster" or is_in_cluster()}
        context["ways"] = [Way(WAYS[way], url, way == self.way) for way, url in urls.items()]
        context |= {"action": self.urls()[self.way], "address_url": self.urls()["address"]}
        account_context = getattr(context["form"], "account_context", None)
        return context | self.words() | manifest_context(Wish(writes=True), account_context=account_context or "")


class ClusterAddView(PageView, IntakeView):
    """/clusters/add/: a kubeconfig and where the cluster belongs."""

    needs = "cluster.manage"
    page_template = "clusters/intake.html"
    form_class: ClassVar[type[BaseForm] | None] = forms.AddClusterForm

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """As every intake."""
        return IntakeView.get_context_data(self, **kwargs)

    def urls(self) -> dict[str, str]:
        """The three pages to register a cluster."""
        names = {"kubeconfig": "cluster-add", "address": "cluster-add-address", "in-cluster": "cluster-add-in-cluster"}
        return {way: reverse(f"clusters:{name}") for way, name in names.items()}

    def words(self) -> dict[str, Any]:
        """Of registering."""
        lead = gettext(
            "MeshUI tests the connection, reads the meshes it finds, and writes nothing unless you allow it."
        )
        return {"heading": gettext("Register a cluster"), "lead": lead, "back": reverse("clusters:cluster-list")}

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The address is looked up before the verb: no network inside a transaction."""
        actor, kubeconfig = actor_of(self.request), data["kubeconfig"]
        services.require_callable(actor=actor, kubeconfig=kubeconfig, slug=data["slug"])
        named = (data["name"], data["slug"], data["environment"])
        new = NewCluster(*named, kubeconfig, data["writes"], data["namespaces"])
        cluster = services.add_cluster(actor=actor, new=new)
        said = gettext("Registered. The connection is being tested.")
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)


class ClusterAddByAddressView(ClusterAddView):
    """/clusters/add/address/: server, CA and token."""

    form_class = forms.AddByAddressForm
    way = "address"


class ClusterAddInClusterView(ClusterAddView):
    """/clusters/add/in-cluster/: the cluster that MeshUI runs in."""

    form_class = forms.AddInClusterForm
    way = "in-cluster"


class ClusterCredentialView(ObjectDetailView[Cluster], IntakeView):
    """/clusters/<slug>/credential/: replace what opens the cluster, by a kubeconfig."""

    needs = "cluster.credential"
    page_template = "clusters/intake.html"
    context_object_name = "cluster"
    form_class: ClassVar[type[BaseForm] | None] = forms.CredentialForm

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope."""
        return selectors.list_clusters(signed_in(self.request))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """As every intake, and the cluster."""
        kwargs["cluster"] = self.cluster = self.get_object()
        return IntakeView.get_context_data(self, **kwargs)

    def urls(self) -> dict[str, str]:
        """The three pages to replace a credential."""
        names = {"kubeconfig": "", "address": "-address", "in-cluster": "-in-cluster"}
        slug = self.kwargs["slug"]
        return {way: reverse(f"clusters:cluster-credential{name}", args=[slug]) for way, name in names.items()}

    def words(self) -> dict[str, Any]:
        """Of replacing."""
        lead = gettext(
            "The new one takes the place of the old one; no copy of it stays. It must be of the same server."
        )
        back = reverse("clusters:cluster-detail", args=[self.cluster.slug])
        return {"heading": gettext("Replace a credential"), "lead": lead, "back": back}

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """The address is looked up before the verb."""
        actor, kubeconfig = actor_of(self.request), data["kubeconfig"]
        cluster = selectors.get_cluster(signed_in(self.request), kwargs["slug"])
        services.require_callable(actor=actor, kubeconfig=kubeconfig, slug=cluster.slug)
        services.replace_credential(actor=actor, cluster_id=cluster.pk, role=data["role"], kubeconfig=kubeconfig)
        said = gettext("Replaced. The connection is being tested.")
        return go_to(self.request, reverse("clusters:cluster-detail", args=[cluster.slug]), said=said)


class ClusterCredentialByAddressView(ClusterCredentialView):
    """/clusters/<slug>/credential/address/: by address, CA and token."""

    form_class = forms.CredentialByAddressForm
    way = "address"


class ClusterCredentialInClusterView(ClusterCredentialView):
    """/clusters/<slug>/credential/in-cluster/: by the account of MeshUI's own pod."""

    form_class = forms.CredentialInClusterForm
    way = "in-cluster"
