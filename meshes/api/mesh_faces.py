"""What the API shows of one mesh: control planes, proxies, who takes plaintext, what it trusts."""

from __future__ import annotations

from rest_framework import serializers

from meshes.serializers import MeshSerializer, ProblemOfReadingSerializer
from meshui.rest.serializers import Face


class ControlPlaneSerializer(Face):
    """One control plane: a revision in a namespace, and the other names it goes by."""

    namespace = serializers.CharField(source="row.namespace")
    name = serializers.CharField(source="row.name")
    revision = serializers.CharField(source="row.revision")
    tags = serializers.ListField(child=serializers.CharField(), source="row.tags")
    version = serializers.CharField(source="row.version")
    is_ready = serializers.BooleanField(source="row.is_ready")
    gone_at = serializers.DateTimeField(source="row.gone_at", allow_null=True)


class InjectedSerializer(Face):
    """How many namespaces give their new pods to a revision; `is_here` false: no control plane goes by that name."""

    revision = serializers.CharField()
    injection = serializers.CharField()
    count = serializers.IntegerField()
    is_here = serializers.BooleanField()


class MtlsPartSerializer(Face):
    """Pods or ports that take other connections than the rest of their namespace; `workloads`: whose pods are meant."""

    where = serializers.CharField()
    mode = serializers.CharField()
    origin = serializers.CharField()
    workloads = serializers.ListField(child=serializers.CharField())


class MtlsLineSerializer(Face):
    """What the pods of a namespace take. `mode`: strict, permissive, disabled, mixed or unknown; `base`: of most.

    `scope`: mesh, namespace or default, where `base` comes from; `origin`: the object that says so; `note`: why nothing
    is known, or what one should know besides. `bare`: workloads without a proxy, for which none of it holds.
    """

    namespace = serializers.CharField(source="row.namespace")
    mode = serializers.CharField(source="row.mode")
    base = serializers.CharField(source="row.base")
    scope = serializers.CharField(source="row.scope")
    origin = serializers.CharField(source="row.origin")
    note = serializers.CharField(source="row.note")
    parts = MtlsPartSerializer(many=True)
    bare = serializers.IntegerField()
    read_at = serializers.DateTimeField(source="row.read_at")


class MtlsSerializer(Face):
    """Who takes plaintext: `strict` of `total` namespaces do not, of `unknown` it is not known. At most 100 `lines`."""

    total = serializers.IntegerField()
    strict = serializers.IntegerField()
    unknown = serializers.IntegerField()
    lines = MtlsLineSerializer(many=True)


class ProxyLineSerializer(Face):
    """The pods that one revision gives a proxy; `versions` of its control planes, empty: none goes by that name."""

    revision = serializers.CharField()
    versions = serializers.ListField(child=serializers.CharField())
    workloads = serializers.IntegerField()
    pods = serializers.IntegerField()
    ready = serializers.IntegerField()
    share_bp = serializers.IntegerField()


class BehindSerializer(Face):
    """A revision older than the newest of its mesh; `is_too_far`: by more than one minor version."""

    name = serializers.CharField(source="plane.name")
    revision = serializers.CharField(source="plane.revision")
    version = serializers.CharField(source="plane.version")
    newest = serializers.CharField(source="newest.version")
    workloads = serializers.IntegerField()
    pods = serializers.IntegerField()
    is_too_far = serializers.BooleanField()


class MeshDetailSerializer(Face):
    """One installation, whole. `sync`: running, failed, never, stale or in_sync."""

    mesh = MeshSerializer(source="row")
    sync = serializers.CharField()
    control_planes = ControlPlaneSerializer(source="planes", many=True)
    injected = InjectedSerializer(many=True)
    proxies = ProxyLineSerializer(many=True)
    behind = BehindSerializer(many=True)
    mtls = MtlsSerializer()
    problems = ProblemOfReadingSerializer(many=True)
