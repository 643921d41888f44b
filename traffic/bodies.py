"""What the API takes for changes. Weights are basis points."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from meshes.types import FULL
from meshui.rest.serializers import Body
from traffic.asked_edits import AskedEdit

MAX_CLUSTERS: Final = 1000
MAX_BACKENDS: Final = 100
MAX_EDITS: Final = 40
MAX_NAME: Final = 253
MAX_KEY: Final = 600
EDITS: Final = ("add-backend", "remove-backend", "add-rule", "edit-rule", "remove-rule")
WITH_BACKEND: Final = frozenset({"add-backend", "remove-backend", "add-rule"})
WITH_HEADER: Final = frozenset({"add-rule", "edit-rule"})
NEEDED: Final = "This edit needs it."
SHIFT: Final = {
    "clusters": ["eu-west"],
    "shares": {"v1": 7500, "v2": 2500},
    "title": "Shift checkout",
    "reason": "v2 was good at 10 % for a day.",
}


class CommentBody(Body):
    """A decision; who denies says why."""

    example = {"comment": "Seen."}
    comment = serializers.CharField(max_length=4000, required=False, default="", allow_blank=True)


class ReasonBody(Body):
    """Why, where there is something to say."""

    example = {"reason": "Error rate of v2 rose."}
    reason = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)


class SharesField(serializers.DictField):
    """Basis points by version, name or key of the backend; not more than any rule has."""

    def __init__(self, **kwargs: Any) -> None:
        child = serializers.IntegerField(min_value=0, max_value=FULL)
        super().__init__(child=child, allow_empty=False, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, int]:
        """The shares."""
        if isinstance(data, dict) and len(data) > MAX_BACKENDS:
            raise serializers.ValidationError(f"No rule has more than {MAX_BACKENDS} backends.")
        found: dict[str, int] = super().to_internal_value(data)
        return found


class HeaderBody(Body):
    """Callers by a header of their requests; one that need only be there (present) has no value."""

    name = serializers.CharField(max_length=256)
    type = serializers.ChoiceField(choices=["exact", "prefix", "regex", "present"], required=False, default="exact")
    value = serializers.CharField(max_length=4096, required=False, default="", allow_blank=True)


class EditBody(Body):
    """One edit of `rule`: add-backend (at 0 %), remove-backend, add-rule (before it, for callers with `header`, all to
    `backend`), edit-rule (other callers), remove-rule. `backend`: a version, name or key."""

    example = {"do": "add-rule", "rule": "primary", "header": {"name": "x-beta", "value": "1"}, "backend": "v2"}
    do = serializers.ChoiceField(choices=list(EDITS))
    rule = serializers.CharField(max_length=MAX_NAME)
    backend = serializers.CharField(max_length=MAX_KEY, required=False)
    header = HeaderBody(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What the edit needs is there."""
        missing = {
            name: [NEEDED]
            for name, needing in (("backend", WITH_BACKEND), ("header", WITH_HEADER))
            if attrs["do"] in needing and name not in attrs
        }
        if missing:
            raise serializers.ValidationError(missing)
        return attrs


class SharesOfRuleBody(Body):
    """Shares of one of several rules."""

    rule = serializers.CharField(max_length=MAX_NAME)
    shares = SharesField()


def _clusters(**kwargs: Any) -> serializers.ListField:
    slug = serializers.RegexField(r"\A[a-z0-9-]{1,63}\Z")
    return serializers.ListField(child=slug, min_length=1, max_length=MAX_CLUSTERS, **kwargs)


class WishBody(Body):
    """What is wanted: edits, made in their order, then shares; `rules` gives those of several. `action` end: the split
    ends there; else one begins where none is, between the versions that have shares."""

    action = serializers.ChoiceField(choices=["set", "end"], required=False)
    edits = serializers.ListField(child=EditBody(), required=False, max_length=MAX_EDITS)
    shares = SharesField(required=False)
    rule = serializers.CharField(max_length=MAX_NAME, required=False, allow_blank=True)
    rules = serializers.ListField(child=SharesOfRuleBody(), required=False, max_length=MAX_EDITS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """An end has no shares."""
        told = [name for name in ("edits", "shares", "rules") if attrs.get(name)]
        if attrs.get("action") == "end" and told:
            raise serializers.ValidationError({name: ["A split that ends has none."] for name in told})
        return attrs


class WordsBody(WishBody):
    """With what people read."""

    title = serializers.CharField(max_length=200)
    reason = serializers.CharField(max_length=4000)
    ticket = serializers.CharField(max_length=100, required=False, allow_blank=True)


class ReviseBody(WordsBody):
    """All of a change anew, from the route as it is now: as in a proposal."""

    example = SHIFT
    clusters = _clusters()
    route = serializers.UUIDField(required=False)


class AmendBody(WishBody):
    """A part of a change in other words; what is left out stays. Shares and edits are of what it wants now."""

    example = {"shares": {"v1": 5000, "v2": 5000}}
    title = serializers.CharField(max_length=200, required=False)
    reason = serializers.CharField(max_length=4000, required=False)
    ticket = serializers.CharField(max_length=100, required=False, allow_blank=True)
    clusters = _clusters(required=False)


class ProposeBody(ReviseBody):
    """What is wanted of a service: shares in basis points, together 10000, or edits, or its end.

    Backends go by version, name or key, as the first of `clusters` has them; `clusters` are slugs, or `all` alone for
    wherever the service has a route; `rule` where several rules split; `route` where a cluster has several routes.
    """

    example = {"namespace": "shop", "name": "checkout", **SHIFT}
    namespace = serializers.CharField(max_length=MAX_NAME)
    name = serializers.CharField(max_length=MAX_NAME)


class PreviewBody(WishBody):
    """What would be proposed, without its words. `change`: the number of one that would be edited so."""

    example = {"namespace": "shop", "name": "checkout", "clusters": ["all"], "shares": {"v1": 7500, "v2": 2500}}
    namespace = serializers.CharField(max_length=MAX_NAME)
    name = serializers.CharField(max_length=MAX_NAME)
    clusters = _clusters()
    route = serializers.UUIDField(required=False)
    change = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


def wish_words(data: dict[str, Any]) -> dict[str, Any]:
    """The cleaned fields of a wish as AskedShares takes them: only those that were given."""
    words = {name: value for name, value in data.items() if name != "change"}
    if "edits" in words:
        words["edits"] = tuple(_asked(one) for one in words["edits"])
    if "clusters" in words:
        words["clusters"] = tuple(words["clusters"])
    if "route" in words:
        words["route"] = str(words["route"])
    return words


def _asked(one: dict[str, Any]) -> AskedEdit:
    header = one.get("header") or {}
    named = {"header": header.get("name", ""), "value": header.get("value", "")}
    return AskedEdit(one["do"], one["rule"], one.get("backend", ""), header_type=header.get("type", "exact"), **named)
