"""What the API shows of changes and takes for them. Weights are basis points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from meshes.types import FULL, Route
from meshui.rest.serializers import Body, Face

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject

MAX_CLUSTERS = 1000
MAX_BACKENDS = 100


class ChangeSerializer(Face):
    """A change in a list. `step_count` of `good_count` writes are done; `first_cluster` is one of `target_count`."""

    number = serializers.IntegerField()
    kind = serializers.CharField()
    title = serializers.CharField()
    ticket = serializers.CharField()
    state = serializers.CharField()
    state_cause = serializers.CharField()
    state_changed_at = serializers.DateTimeField()
    version = serializers.IntegerField()
    etag = serializers.CharField()
    author = serializers.CharField(source="author_name")
    namespace = serializers.CharField(allow_null=True)
    service = serializers.CharField(allow_null=True)
    first_cluster = serializers.CharField(allow_null=True)
    target_count = serializers.IntegerField()
    approvals = serializers.IntegerField()
    step_count = serializers.IntegerField()
    good_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    submitted_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class WeightSerializer(Face):
    """A backend and its share."""

    backend = serializers.CharField(source="backend.key")
    weight_bp = serializers.IntegerField()


class WeightsSerializer(Face):
    """How one rule shares its requests."""

    rule = serializers.CharField(source="name")
    backends = WeightSerializer(many=True)


class WeightsField(serializers.ListField):
    """The rules of a stored route; null: there is none."""

    child = WeightsSerializer()

    def to_representation(self, data: JsonObject | list[Any]) -> Any:
        """Of Route.to_json()."""
        return [self.child.to_representation(rule) for rule in Route.from_json(data).rules]


class TargetSerializer(Face):
    """One route of one cluster. `action`: set, start or end."""

    cluster = serializers.CharField(source="cluster.slug")
    environment = serializers.CharField(source="cluster.environment")
    mesh_kind = serializers.CharField()
    action = serializers.CharField()
    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    service = serializers.CharField()


class FindingSerializer(Face):
    """What a check says (docs/checks.md). `severity`: block or warn."""

    id = serializers.CharField()
    severity = serializers.CharField()
    where = serializers.CharField()
    message = serializers.CharField()
    targets = serializers.ListField(child=serializers.CharField())


class LossSerializer(Face):
    """What the mesh cannot hold exactly."""

    path = serializers.CharField()
    reason = serializers.CharField()
    error_bp = serializers.IntegerField()


class PlanTargetSerializer(Face):
    """One object of one cluster, as the dry run found it. `op`: patch, create or delete; `error`: the server's."""

    cluster = serializers.CharField(source="cluster.slug")
    mesh_kind = serializers.CharField()
    kind = serializers.CharField()
    namespace = serializers.CharField()
    name = serializers.CharField()
    op = serializers.CharField()
    owner_class = serializers.CharField()
    before = WeightsField(source="live_route", allow_null=True)
    after = WeightsField(source="desired_route", allow_null=True)
    losses = LossSerializer(many=True)
    quantisation_error_bp = serializers.IntegerField()
    error = serializers.CharField()
    error_code = serializers.CharField()


class ApprovalRuleSerializer(Face):
    """How many approvals are needed, and for what."""

    name = serializers.CharField()
    n = serializers.IntegerField()


class PlanSerializer(Face):
    """The plan in force: what people approve is its `digest` (empty: not sound)."""

    number = serializers.IntegerField(source="plan.number")
    digest = serializers.CharField(source="plan.digest")
    is_sound = serializers.BooleanField(source="plan.is_sound")
    created_at = serializers.DateTimeField(source="plan.created_at")
    expires_at = serializers.DateTimeField(source="plan.expires_at")
    policy = serializers.CharField(source="plan.policy")
    rules = ApprovalRuleSerializer(source="plan.rules", many=True)
    findings = FindingSerializer(source="plan.findings", many=True)
    targets = PlanTargetSerializer(many=True)


class VoteSerializer(Face):
    """One person's word on one plan; it stands while it was neither revoked nor voided."""

    voter = serializers.CharField(source="voter_name")
    decision = serializers.CharField()
    comment = serializers.CharField()
    digest = serializers.CharField()
    created_at = serializers.DateTimeField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    voided_at = serializers.DateTimeField(allow_null=True)
    void_cause = serializers.CharField()


class StepSerializer(Face):
    """One object that is written (apply) or put back (restore), and how far that is."""

    cluster = serializers.CharField(source="cluster.slug")
    direction = serializers.CharField()
    kind = serializers.CharField(source="plan_target.kind")
    namespace = serializers.CharField(source="plan_target.namespace")
    name = serializers.CharField(source="plan_target.name")
    state = serializers.CharField()
    state_changed_at = serializers.DateTimeField()
    tries = serializers.IntegerField()
    error = serializers.CharField()


class ChangeDetailSerializer(Face):
    """A change, whole. `revision` counts its edits; `desired` is what is wanted; `restores` is a change's number."""

    number = serializers.IntegerField(source="change.number")
    kind = serializers.CharField(source="change.kind")
    title = serializers.CharField(source="change.title")
    reason = serializers.CharField(source="change.reason")
    ticket = serializers.CharField(source="change.ticket")
    state = serializers.CharField(source="change.state")
    state_cause = serializers.CharField(source="change.state_cause")
    state_changed_at = serializers.DateTimeField(source="change.state_changed_at")
    version = serializers.IntegerField(source="change.version")
    etag = serializers.CharField(source="change.etag")
    author = serializers.CharField(source="change.author_name")
    has_writes = serializers.BooleanField(source="change.has_writes")
    restores = serializers.IntegerField(source="change.restores.number", default=None, allow_null=True)
    revision = serializers.IntegerField(source="change.current_revision.number", default=0)
    desired = WeightsField(source="change.current_revision.desired", default=None, allow_null=True)
    created_at = serializers.DateTimeField(source="change.created_at")
    submitted_at = serializers.DateTimeField(source="change.submitted_at", allow_null=True)
    ended_at = serializers.DateTimeField(source="change.ended_at", allow_null=True)
    targets = TargetSerializer(source="change.targets.all", many=True)
    plan = PlanSerializer(allow_null=True)
    votes = VoteSerializer(many=True)
    steps = StepSerializer(many=True)


class CommentBody(Body):
    """A decision; who denies says why."""

    comment = serializers.CharField(max_length=4000, required=False, default="", allow_blank=True)


class ReasonBody(Body):
    """Why, where there is something to say."""

    reason = serializers.CharField(max_length=2000, required=False, default="", allow_blank=True)


class ProposeBody(Body):
    """Shares of a service's requests in basis points, together 10000.

    `shares` by version, name or key of each backend, as the first of `clusters` has them; `clusters` are slugs, or
    `all` alone for wherever the service has a route; `rule` where several rules split.
    """

    namespace = serializers.CharField(max_length=253)
    name = serializers.CharField(max_length=253)
    clusters = serializers.ListField(
        child=serializers.RegexField(r"\A[a-z0-9-]{1,63}\Z"), min_length=1, max_length=MAX_CLUSTERS
    )
    shares = serializers.DictField(child=serializers.IntegerField(min_value=0, max_value=FULL), allow_empty=False)
    rule = serializers.CharField(max_length=253, required=False, default="", allow_blank=True)
    title = serializers.CharField(max_length=200)
    reason = serializers.CharField(max_length=4000)
    ticket = serializers.CharField(max_length=100, required=False, default="", allow_blank=True)

    def validate_shares(self, shares: dict[str, int]) -> dict[str, int]:
        """Not more than any rule has."""
        if len(shares) > MAX_BACKENDS:
            raise serializers.ValidationError(f"No rule has more than {MAX_BACKENDS} backends.")
        return shares
