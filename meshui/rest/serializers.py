"""Serializers that every app's API is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers


class Face(serializers.Serializer[Any]):
    """What is shown: explicit fields of a row or a value, read alone."""


class Body(serializers.Serializer[Any]):
    """What is sent: a name that is not a field of it is refused, not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        """The fields, checked."""
        unknown = [str(name) for name in data if name not in self.fields] if isinstance(data, Mapping) else []
        if unknown:
            raise serializers.ValidationError({name: ["There is no such field."] for name in unknown})
        return super().to_internal_value(data)


class EmptyBody(Body):
    """Nothing has to be said."""


class ProblemSerializer(Face):
    """What was refused (RFC 9457): `detail` says what and where, `mend` how to go on, `instance` is the request's id.

    `errors`: of a 422, and of a 400 for a query, the messages by field.
    """

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    mend = serializers.CharField()
    errors = serializers.DictField(required=False)  # type: ignore[assignment]  # DRF takes it out of the class
