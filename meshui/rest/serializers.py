"""Serializers that every app's API is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from meshui.rest.problems import KINDS, PREFIX_OF_TYPES


class Face(serializers.Serializer[Any]):
    """What is shown: explicit fields of a row or a value, read alone."""


class Body(serializers.Serializer[Any]):
    """What is sent: a name that is not a field of it is refused, not ignored. `example` stands in the schema."""

    example: ClassVar[dict[str, Any]] = {}

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

    `errors`: of a 422, and of a 400 for a query, the messages by field. `current`: of a 409 and a 412 about a change,
    how it stands now.
    """

    type = serializers.ChoiceField(choices=[f"{PREFIX_OF_TYPES}{kind}" for kind in (*KINDS.values(), "failed")])
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    mend = serializers.CharField()
    errors = serializers.DictField(required=False)  # type: ignore[assignment]  # DRF takes it out of the class
    current = serializers.DictField(required=False)
