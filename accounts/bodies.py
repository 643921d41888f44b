"""What the API takes about people and what they may do."""

from __future__ import annotations

from rest_framework import serializers

from accounts.types import ROLE_LABELS
from meshui.rest.serializers import Body


class GrantBody(Body):
    """A role within a scope (everywhere without one), until a moment (for good without one)."""

    role = serializers.ChoiceField(choices=list(ROLE_LABELS.items()))
    scope = serializers.DictField(
        child=serializers.ListField(child=serializers.CharField(max_length=253), max_length=100), required=False
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    example = {"role": "author", "scope": {"environment": ["staging"]}}


class CloseBody(Body):
    """Why an account is closed."""

    reason = serializers.CharField(max_length=4000)
    example = {"reason": "Left the company."}
