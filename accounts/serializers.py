"""What the API shows of people."""

from __future__ import annotations

from rest_framework import serializers

from meshui.rest.serializers import Face


class MeSerializer(Face):
    """Who asks, and what they may do somewhere; where, the answers themselves show."""

    username = serializers.CharField()
    display_name = serializers.CharField()
    time_zone = serializers.CharField()
    verbs = serializers.ListField(child=serializers.CharField())
