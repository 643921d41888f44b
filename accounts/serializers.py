"""What the API shows of people."""

from __future__ import annotations

from rest_framework import serializers

from meshui.rest.serializers import Face


class MyTokenSerializer(Face):
    """The token that asks; its verbs are those of the answer."""

    name = serializers.CharField()
    key = serializers.CharField()
    scope = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    expires_at = serializers.DateTimeField()


class MeSerializer(Face):
    """Who asks, and what they may do somewhere; where, the answers themselves show."""

    username = serializers.CharField()
    display_name = serializers.CharField()
    time_zone = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())
    token = MyTokenSerializer(allow_null=True)


class GrantSerializer(Face):
    """A role within a scope; an empty scope is everywhere."""

    id = serializers.UUIDField()
    role = serializers.CharField()
    scope = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    expires_at = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField(source="created_by_name")
    created_at = serializers.DateTimeField()


class PersonSerializer(Face):
    """A person and what they were granted. `is_active`: the account is not closed."""

    id = serializers.UUIDField()
    username = serializers.CharField()
    display_name = serializers.CharField()
    is_active = serializers.BooleanField()
    last_login = serializers.DateTimeField(allow_null=True)
    grants = GrantSerializer(many=True, source="grants.all")


class TokenSerializer(Face):
    """A token of the person who asks, without its secret. `verbs`: what it may of what its owner may."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    key = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())
    scope = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))
    cidrs = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
