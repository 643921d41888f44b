"""What the API shows of the inventory: meshes, and services with their routes. Weights are basis points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from meshes.selectors.serviceview import route_view
from meshui.rest.serializers import Face

if TYPE_CHECKING:
    from meshes.selectors import AlignedCluster, AlignedRoute


class ProblemOfReadingSerializer(Face):
    """What could not be read, or is odd: where, and in words."""

    where = serializers.CharField(default="")
    message = serializers.CharField()


class MeshSerializer(Face):
    """One installation. `status`: ready, not_ready (some control plane), headless (none runs), gone.

    `trust_root`: SHA-256 of its root certificates, of which the first ends at `root_ends_at`; empty and null: not read.
    """

    id = serializers.UUIDField(source="mesh.pk")
    cluster = serializers.CharField(source="mesh.cluster.slug")
    environment = serializers.CharField(source="mesh.cluster.environment")
    kind = serializers.CharField(source="mesh.kind")
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes it out of the class
    trust_domain = serializers.CharField(source="mesh.trust_domain")
    trust_root = serializers.CharField(source="mesh.trust_root")
    root_ends_at = serializers.DateTimeField(source="mesh.root_ends_at", allow_null=True)
    versions = serializers.ListField(child=serializers.CharField())
    revisions = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    problem_count = serializers.IntegerField()
    read_at = serializers.DateTimeField(source="mesh.read_at")
    gone_at = serializers.DateTimeField(source="mesh.gone_at", allow_null=True)


class ShareSerializer(Face):
    """A version and its share."""

    version = serializers.CharField()
    weight_bp = serializers.IntegerField()

    def to_representation(self, instance: tuple[str, int]) -> dict[str, Any]:
        """Of a pair."""
        version, weight_bp = instance
        return {"version": version, "weight_bp": weight_bp}


class SplitSerializer(Face):
    """How requests are shared, and the clusters where they are shared so."""

    clusters = serializers.ListField(child=serializers.CharField())
    shares = ShareSerializer(many=True)


class ServiceSerializer(Face):
    """One service, in however many clusters. `scope` is what its address begins with.

    `splits`: one for each way it is split; more than one: its clusters differ.
    """

    scope = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    ports = serializers.ListField(child=serializers.IntegerField())
    clusters = serializers.ListField(child=serializers.CharField())
    mesh_kinds = serializers.ListField(child=serializers.CharField())
    route_count = serializers.IntegerField()
    splits = SplitSerializer(many=True)


class BackendSerializer(Face):
    """A backend of a rule and its share; `native_weight` as the object has it, null: it has none."""

    key = serializers.CharField(source="backend.key")
    name = serializers.CharField(source="backend.name")
    weight_bp = serializers.IntegerField()
    native_weight = serializers.CharField(allow_null=True)


class RuleSerializer(Face):
    """One rule, in order: for requests that match one of `matches` (none: for all), shared among `backends`."""

    name = serializers.CharField()
    matches = serializers.ListField(child=serializers.CharField())
    backends = BackendSerializer(many=True)
    timeout_ms = serializers.IntegerField(allow_null=True)
    extras = serializers.ListField(child=serializers.CharField())


class MisfitSerializer(Face):
    """What keeps a change of the base from being made here, too."""

    where = serializers.CharField()
    reason = serializers.CharField()


class RouteSerializer(Face):
    """One native object; `rules` empty where it could not be read, and `problems` say why.

    `versions`: the version of each backend, by key. `is_base`: the others are held against it.
    """

    id = serializers.UUIDField(source="row.pk")
    mesh_kind = serializers.CharField(source="row.mesh_kind")
    group = serializers.CharField(source="row.group")
    kind = serializers.CharField(source="row.kind")
    namespace = serializers.CharField(source="row.namespace")
    name = serializers.CharField(source="row.name")
    read_at = serializers.DateTimeField(source="row.read_at")
    is_base = serializers.BooleanField()
    rules = serializers.SerializerMethodField()
    versions = serializers.SerializerMethodField()
    problems = ProblemOfReadingSerializer(source="row.problems", many=True)
    misfits = MisfitSerializer(many=True)

    @extend_schema_field(RuleSerializer(many=True))
    def get_rules(self, route: AlignedRoute) -> Any:
        """As the pages say them."""
        return RuleSerializer(route_view(route.row).rules, many=True).data

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_versions(self, route: AlignedRoute) -> dict[str, str]:
        """By key of the backend."""
        return {key: found.version for key, found in route.found.items()}


class ServiceInClusterSerializer(Face):
    """The service in one cluster. `mesh_kind` empty: no mesh. `available`: versions that a split could begin with."""

    cluster = serializers.CharField(source="cluster.slug")
    environment = serializers.CharField(source="cluster.environment")
    namespace = serializers.CharField(source="at.namespace")
    name = serializers.CharField(source="at.name")
    is_gone = serializers.BooleanField(source="at.is_gone")
    mesh_kind = serializers.CharField()
    sync = serializers.CharField()
    last_synced_at = serializers.DateTimeField(source="cluster.last_synced_at", allow_null=True)
    routes = RouteSerializer(many=True)
    available = serializers.SerializerMethodField()

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_available(self, here: AlignedCluster) -> list[str]:
        """Their names."""
        return sorted(here.available)


class ServiceDetailSerializer(Face):
    """A service over the clusters of a scope, cluster by cluster, with the versions of all its routes."""

    namespace = serializers.CharField()
    name = serializers.CharField()
    versions = serializers.ListField(child=serializers.CharField())
    clusters = ServiceInClusterSerializer(many=True)


class CorrectionSerializer(Face):
    """What a person said of a backend."""

    version = serializers.CharField()
    reason = serializers.CharField()
    said_by = serializers.CharField(source="corrected_by_name")
    said_at = serializers.DateTimeField(source="corrected_at")


class BackendVersionSerializer(Face):
    """One backend and which version it is; `source` says by what: a label, a selector, its name, a person."""

    backend_key = serializers.CharField(source="key")
    version = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # DRF takes it out of the class
    correction = CorrectionSerializer(allow_null=True)


class LinkSerializer(Face):
    """What a person said of the service: shown under another name or, without one, apart from all of its name."""

    to_namespace = serializers.CharField()
    to_name = serializers.CharField()
    is_apart = serializers.BooleanField()
    reason = serializers.CharField()
    said_by = serializers.CharField(source="linked_by_name")
    said_at = serializers.DateTimeField(source="linked_at")


class AlignmentSerializer(Face):
    """A service of one cluster: its backends with their versions, and what people said of it."""

    cluster = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    can_correct = serializers.BooleanField()
    backends = BackendVersionSerializer(many=True)
    link = LinkSerializer(allow_null=True)


class NamespaceThereSerializer(Face):
    """A namespace and whether its new pods get a proxy: `injection`, by which mesh and revision, and why."""

    name = serializers.CharField()
    injection = serializers.CharField()
    injection_reason = serializers.CharField()
    injected_by = serializers.CharField()
    revision = serializers.CharField()
    read_at = serializers.DateTimeField()
    gone_at = serializers.DateTimeField(allow_null=True)


class PortSerializer(Face):
    """A port of a Service."""

    name = serializers.CharField(default="")
    port = serializers.IntegerField()
    protocol = serializers.CharField(default="")


class ServiceThereSerializer(Face):
    """A Service as it was read."""

    namespace = serializers.CharField()
    name = serializers.CharField()
    ports = PortSerializer(many=True)
    selector = serializers.DictField(child=serializers.CharField())
    read_at = serializers.DateTimeField()
    gone_at = serializers.DateTimeField(allow_null=True)


class WorkloadThereSerializer(Face):
    """A workload: its version, and how many of its pods are ready."""

    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    injection = serializers.CharField()
    replicas = serializers.IntegerField()
    ready = serializers.IntegerField()
    read_at = serializers.DateTimeField()
    gone_at = serializers.DateTimeField(allow_null=True)


class RouteThereSerializer(Face):
    """A native object that routes; its rules stand at its service (`root_namespace`, `root_service`)."""

    id = serializers.UUIDField()
    mesh_kind = serializers.CharField()
    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    root_namespace = serializers.CharField()
    root_service = serializers.CharField()
    is_split = serializers.BooleanField()
    problems = ProblemOfReadingSerializer(many=True)
    read_at = serializers.DateTimeField()
    gone_at = serializers.DateTimeField(allow_null=True)


class AbilitySerializer(Face):
    """What a mesh makes of a feature. `answer`: can, loses, cannot; `reasons` of the two last."""

    feature = serializers.CharField(source="feature.id")
    group = serializers.CharField(source="feature.group")
    label = serializers.CharField(source="feature.label")  # type: ignore[assignment]  # DRF takes it out of the class
    answer = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())


class FoundVersionSerializer(Face):
    """A version and the clusters where it runs; none: the newest known. `nearest` answers for one that is not known."""

    version = serializers.CharField()
    clusters = serializers.ListField(child=serializers.CharField())
    is_known = serializers.BooleanField(source="can.is_known")
    nearest = serializers.CharField(source="can.nearest")


class CapabilityColumnSerializer(Face):
    """Versions of one mesh that can do the same. `known`: the oldest and the newest version that MeshUI knows.

    `weight_step_bp`: the finest step of a weight. `reports_acceptance`: the mesh itself says whether it took a route.
    """

    kind = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as above
    known = serializers.ListField(child=serializers.CharField())
    versions = FoundVersionSerializer(many=True)
    weight_step_bp = serializers.IntegerField(source="can.weight_step_bp")
    reports_acceptance = serializers.BooleanField(source="can.reports_acceptance")
    features = AbilitySerializer(source="abilities", many=True)


class CapabilitiesSerializer(Face):
    """Every mesh that MeshUI knows, what runs in the reader's clusters first."""

    meshes = CapabilityColumnSerializer(many=True)
