"""/api/v1/clusters/: reading them, bringing them, and every verb of one. No credential ever comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, path, reverse
from rest_framework.response import Response

from accounts.selectors import actor_of, signed_in
from clusters import selectors, services
from clusters.bodies import AdoptBody, BecauseBody, CredentialBody, NamespacesBody, RegisterBody, opened
from clusters.filters import ClusterFilter
from clusters.models import Cluster
from clusters.serializers import ClusterDetailSerializer, ClusterSerializer
from clusters.services import NewCluster
from meshui.rest.views import ApiDetailView, ApiListView, ApiView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from audit.types import Actor


class ClusterListView(ApiListView[Cluster]):
    """/api/v1/clusters/: Clusters by slug, with how they are and how old what is shown of them is."""

    needs = "inventory.read"
    tag = "clusters"
    is_scoped = True
    sessions_only = True
    filterset_class = ClusterFilter
    serializer_class = ClusterSerializer
    order = ("slug", "pk")
    body_class = RegisterBody
    posts_as = "cluster_register"
    posts_needs = "cluster.manage"
    posts_class = ClusterDetailSerializer

    def get_queryset(self) -> QuerySet[Cluster]:
        """Clusters in scope; their credentials are not even read."""
        return selectors.list_clusters(signed_in(self.request)).prefetch_related(None)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Register a cluster: by kubeconfig, by address and token, or the one around MeshUI. Ten a minute."""
        self.require(self.posts_needs)
        actor = actor_of(request)
        services.count_intake(actor=actor)
        data = self.body_of(request)
        # The address is looked up before the verb: no network inside a transaction.
        kubeconfig = opened(data)
        services.require_callable(actor=actor, kubeconfig=kubeconfig, slug=data["slug"])
        named = (data["name"], data["slug"], data["environment"])
        new = NewCluster(*named, kubeconfig, data["writes"], tuple(data["namespaces"]))
        cluster = services.add_cluster(actor=actor, new=new)
        made = ClusterDetailSerializer(selectors.get_cluster(signed_in(request), cluster.slug)).data
        return Response(made, 201, headers={"Location": reverse("api:cluster-detail", args=[cluster.slug])})


class ClusterDetailView(ApiDetailView):
    """/api/v1/clusters/<slug>/: One cluster, with what MeshUI may do there."""

    needs = "inventory.read"
    tag = "clusters"
    serializer_class = ClusterDetailSerializer

    def get_object(self, **kwargs: Any) -> Cluster:
        """The cluster of the URL."""
        return selectors.get_cluster(signed_in(self.request), kwargs["slug"])


class ClusterVerbView(ApiView):
    """POST /api/v1/clusters/<slug>/<verb>/: the cluster as it is then."""

    needs = "cluster.manage"
    tag = "clusters"
    serializer_class = ClusterDetailSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Out of scope and missing both answer 404, before what was sent is looked at; else the verb decides."""
        cluster = selectors.get_cluster(signed_in(request), kwargs["slug"])
        self.act(actor_of(request), cluster)
        return Response(ClusterDetailSerializer(selectors.get_cluster(signed_in(request), cluster.slug)).data)

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """The verb."""
        raise NotImplementedError


class ClusterCheckView(ClusterVerbView):
    """POST /api/v1/clusters/<slug>/check/: Test the connection now; at most six a minute for a cluster."""

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """Count it, then ask for it."""
        self.body_of(self.request)
        services.count_test(actor=actor, cluster=cluster)
        services.request_check(actor=actor, cluster_id=cluster.pk)


class ClusterAllowWritesView(ClusterVerbView):
    """POST /api/v1/clusters/<slug>/allow-writes/: Let MeshUI write there."""

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """Needs a credential that writes."""
        self.body_of(self.request)
        services.allow_writes(actor=actor, cluster_id=cluster.pk)


class ClusterForbidWritesView(ClusterVerbView):
    """POST /api/v1/clusters/<slug>/forbid-writes/: Only observe it from now on."""

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """At once."""
        self.body_of(self.request)
        services.forbid_writes(actor=actor, cluster_id=cluster.pk)


class ClusterAdoptView(ClusterVerbView):
    """POST /api/v1/clusters/<slug>/adopt/: The cluster that answers now is the one that is meant."""

    body_class = AdoptBody

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """About the identity that was seen."""
        services.adopt_identity(actor=actor, cluster_id=cluster.pk, **self.body_of(self.request))


class ClusterNamespacesView(ClusterVerbView):
    """POST /api/v1/clusters/<slug>/namespaces/: Which namespaces are read."""

    body_class = NamespacesBody

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """It is read anew."""
        services.set_namespaces(actor=actor, cluster_id=cluster.pk, **self.body_of(self.request))


class ClusterCredentialView(ClusterVerbView):
    """POST /api/v1/clusters/<slug>/credential/: Replace what opens it; no copy of the old one stays. Ten a minute."""

    needs = "cluster.credential"
    sessions_only = True
    body_class = CredentialBody

    def act(self, actor: Actor, cluster: Cluster) -> None:
        """The address is looked up before the verb."""
        services.count_intake(actor=actor)
        data = self.body_of(self.request)
        kubeconfig = opened(data)
        services.require_callable(actor=actor, kubeconfig=kubeconfig, slug=cluster.slug)
        services.replace_credential(actor=actor, cluster_id=cluster.pk, role=data["role"], kubeconfig=kubeconfig)


class ClusterRemoveView(ApiView):
    """POST /api/v1/clusters/<slug>/remove/: MeshUI forgets it; its credentials go at once, its history stays."""

    needs = "cluster.manage"
    tag = "clusters"
    body_class = BecauseBody

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Nothing is changed in the cluster itself."""
        cluster = selectors.get_cluster(signed_in(request), kwargs["slug"])
        services.remove_cluster(actor=actor_of(request), cluster_id=cluster.pk, **self.body_of(request))
        return Response(status=204)


ONE = "clusters/<slug:slug>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("clusters/", ClusterListView.as_view(), name="cluster-list"),
    path(ONE, ClusterDetailView.as_view(), name="cluster-detail"),
    path(f"{ONE}check/", ClusterCheckView.as_view(), name="cluster-check"),
    path(f"{ONE}allow-writes/", ClusterAllowWritesView.as_view(), name="cluster-allow-writes"),
    path(f"{ONE}forbid-writes/", ClusterForbidWritesView.as_view(), name="cluster-forbid-writes"),
    path(f"{ONE}adopt/", ClusterAdoptView.as_view(), name="cluster-adopt"),
    path(f"{ONE}namespaces/", ClusterNamespacesView.as_view(), name="cluster-namespaces"),
    path(f"{ONE}credential/", ClusterCredentialView.as_view(), name="cluster-credential"),
    path(f"{ONE}remove/", ClusterRemoveView.as_view(), name="cluster-remove"),
]
