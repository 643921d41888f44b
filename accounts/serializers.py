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
