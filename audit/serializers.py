"""What the API shows of history."""

from __future__ import annotations

from rest_framework import serializers

from meshui.rest.serializers import Face


class EventSerializer(Face):
    """One event, as lists show it."""

    seq = serializers.IntegerField()
    event_id = serializers.UUIDField()
    time = serializers.DateTimeField()
    code = serializers.CharField()
    action = serializers.CharField()
    outcome = serializers.CharField()
    origin = serializers.CharField()
    reason = serializers.CharField()
    actor_kind = serializers.CharField()
    actor_id = serializers.CharField()
    actor_name = serializers.CharField()
    on_behalf_of = serializers.CharField()
    object_kind = serializers.CharField()
    object_id = serializers.CharField()
    object_name = serializers.CharField()
    change_number = serializers.IntegerField(allow_null=True)
    cluster_name = serializers.CharField()


class EventDetailSerializer(Face):
    """One event as it stands in the chain: `text` is what was hashed, with the hash before it, into `hash`."""

    seq = serializers.IntegerField()
    hash = serializers.CharField()
    is_linked = serializers.BooleanField()
    text = serializers.CharField()
    body = serializers.DictField()


class CheckedSerializer(Face):
    """What the last check of the chain found; `first_bad_seq` 0: nothing is wrong."""

    seq = serializers.IntegerField()
    time = serializers.DateTimeField()
    by = serializers.CharField()
    is_intact = serializers.BooleanField()
    reason = serializers.CharField()
    checked = serializers.IntegerField()
    first_bad_seq = serializers.IntegerField()
