"""What the API shows of clusters: never a credential, nor the address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from clusters import selectors
from meshui.rest.serializers import Face

if TYPE_CHECKING:
    from clusters.models import Cluster


class ClusterSerializer(Face):
    """A cluster. `is_silent`: it failed so often that it is probed and not read; `namespaces` empty: all are read."""

    slug = serializers.CharField()
    name = serializers.CharField()
    environment = serializers.CharField()
    platform = serializers.CharField()
    server_version = serializers.CharField()
    health = serializers.CharField()
    health_reason = serializers.CharField()
    is_observe_only = serializers.BooleanField()
    is_silent = serializers.BooleanField()
    namespaces = serializers.ListField(child=serializers.CharField(), source="read_namespaces")
    api_latency_ms = serializers.IntegerField(allow_null=True)
    unreachable_since = serializers.DateTimeField(allow_null=True)
    last_seen_at = serializers.DateTimeField(allow_null=True)
    last_checked_at = serializers.DateTimeField(allow_null=True)
    last_synced_at = serializers.DateTimeField(allow_null=True)


class AccessSerializer(Face):
    """A kind that MeshUI needs, and whether it may read it and, where it also writes it, write it."""

    kind = serializers.CharField(source="need.label")
    read = serializers.CharField(source="read.state")
    write = serializers.CharField(source="write.state", default=None, allow_null=True)


class ClusterDetailSerializer(ClusterSerializer):
    """A cluster with what its credentials may do, as last reviewed.

    `found_uid`: of another cluster that answers at its address; empty: it is the one that is meant.
    """

    found_uid = serializers.CharField()
    access_checked_at = serializers.DateTimeField(allow_null=True)
    access = serializers.SerializerMethodField()

    @extend_schema_field(AccessSerializer(many=True))
    def get_access(self, cluster: Cluster) -> Any:
        """A row for each kind."""
        return AccessSerializer(selectors.rights_table(cluster), many=True).data
