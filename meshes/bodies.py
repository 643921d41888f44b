"""What the API takes for services: what people correct of them."""

from __future__ import annotations

from rest_framework import serializers

from meshes.services.alignment import MAX_REASON, VERSION
from meshui.rest.serializers import Body

MAX_NAME = 253
MAX_KEY = 600


class SaidBody(Body):
    """Why it is so."""

    example = {"reason": "In this cluster the name belongs to another team."}
    reason = serializers.CharField(max_length=MAX_REASON)


class BackendBody(Body):
    """A backend by its key."""

    example = {"backend_key": "shop/checkout#v2"}
    backend_key = serializers.CharField(max_length=MAX_KEY)


class VersionBody(SaidBody, BackendBody):
    """Which version one backend is."""

    example = {"backend_key": "shop/checkout#canary", "version": "v2", "reason": "The canary is v2."}
    version = serializers.RegexField(rf"\A(?:{VERSION.pattern})\Z", max_length=63)


class LinkBody(SaidBody):
    """The name under which the service is shown."""

    example = {"to_namespace": "shop", "to_name": "checkout", "reason": "Renamed here."}
    to_namespace = serializers.CharField(max_length=MAX_NAME)
    to_name = serializers.CharField(max_length=MAX_NAME)
