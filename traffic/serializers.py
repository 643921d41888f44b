"""What the API shows of changes. Weights are basis points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from meshes.types import Route
from meshui.rest.serializers import Face

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject


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


class MomentSerializer(Face):
    """One event of a change: `words` follow the name of who did it."""

    seq = serializers.IntegerField(source="event.seq")
    time = serializers.DateTimeField(source="event.time")
    action = serializers.CharField(source="event.action")
    outcome = serializers.CharField(source="event.outcome")
    who = serializers.CharField(source="moment.who")
    words = serializers.CharField(source="moment.words")
    detail = serializers.CharField(source="moment.detail")
    cluster = serializers.CharField(source="event.cluster_name")


class ShareDiffSerializer(Face):
    """A backend of a rule; null: it is not there. `achieved_bp`: what the mesh holds, where the server said so."""

    backend = serializers.CharField(source="key")
    name = serializers.CharField()
    before_bp = serializers.IntegerField(allow_null=True)
    after_bp = serializers.IntegerField(allow_null=True)
    achieved_bp = serializers.IntegerField(allow_null=True)


class RuleDiffSerializer(Face):
    """One rule, before and after; `matches_before` where it was for other requests."""

    rule = serializers.CharField(source="name")
    matches = serializers.ListField(child=serializers.CharField())
    matches_before = serializers.ListField(child=serializers.CharField())
    is_new = serializers.BooleanField()
    is_gone = serializers.BooleanField()
    shares = ShareDiffSerializer(source="rows", many=True)


class DiffSerializer(Face):
    """One native object of the plan, as YAML before and after; `rules` of the object that holds the route alone.

    `error`: what its API server refused. `losses` in words.
    """

    cluster = serializers.CharField()
    environment = serializers.CharField()
    mesh_kind = serializers.CharField()
    object = serializers.CharField(source="ref")
    action = serializers.CharField()
    op = serializers.CharField()
    rules = RuleDiffSerializer(many=True)
    before = serializers.CharField()
    after = serializers.CharField()
    losses = serializers.ListField(child=serializers.CharField())
    quantisation_error_bp = serializers.IntegerField()
    error = serializers.CharField()
    is_tried = serializers.BooleanField()


class MovedSerializer(Face):
    """One thing that moved. `what`: share (null: the backend is not there), callers, new or gone (a rule)."""

    what = serializers.CharField()
    rule = serializers.CharField()
    backend = serializers.CharField(source="name")
    before_bp = serializers.IntegerField(allow_null=True)
    after_bp = serializers.IntegerField(allow_null=True)


class DriftSerializer(Face):
    """A route that is otherwise than MeshUI left it. `drift`: changed, gone, made; empty: it was put back.

    `moved` empty: what moved has no neutral words. `change_title` empty: the reader may not see that change.
    """

    id = serializers.UUIDField(source="row.pk")
    cluster = serializers.CharField(source="row.cluster.slug")
    environment = serializers.CharField(source="row.cluster.environment")
    mesh_kind = serializers.CharField(source="row.mesh_kind")
    kind = serializers.CharField(source="row.kind")
    namespace = serializers.CharField(source="row.namespace")
    name = serializers.CharField(source="row.name")
    service_namespace = serializers.CharField(source="row.root_namespace")
    service = serializers.CharField(source="row.root_service")
    drift = serializers.CharField(source="row.drift")
    drifted_at = serializers.DateTimeField(source="row.drifted_at", allow_null=True)
    moved = MovedSerializer(many=True)
    change = serializers.IntegerField(source="row.change_number")
    change_title = serializers.CharField(source="title")
    written_at = serializers.DateTimeField(source="row.written_at")
    cluster_read_at = serializers.DateTimeField(source="row.cluster.last_synced_at", allow_null=True)


class DriftDetailSerializer(Face):
    """One of them, whole: rule by rule, and both bodies as YAML, secrets masked. Empty: it was, or is, not there."""

    line = DriftSerializer()
    rules = RuleDiffSerializer(many=True)
    left = serializers.CharField()
    live = serializers.CharField()


class ThreeWaySerializer(Face):
    """A backend: as planned from, as it is now, as the change wanted it."""

    rule = serializers.CharField()
    name = serializers.CharField()
    planned_bp = serializers.IntegerField(allow_null=True)
    live_bp = serializers.IntegerField(allow_null=True)
    ours_bp = serializers.IntegerField(allow_null=True)


class ConflictSerializer(Face):
    """A target that somebody else changed; the bodies as YAML."""

    cluster = serializers.CharField()
    object = serializers.CharField(source="ref")
    why = serializers.CharField()
    rows = ThreeWaySerializer(many=True)
    planned = serializers.CharField()
    live = serializers.CharField()
    ours = serializers.CharField()


class ConflictsSerializer(Face):
    """Every target of the change that somebody else changed."""

    items = ConflictSerializer(many=True)


class CurrentSerializer(Face):
    """How a change stands now, for whoever was refused because it moved: `conflicts` as its page shows them."""

    etag = serializers.CharField(source="change.etag")
    version = serializers.IntegerField(source="change.version")
    state = serializers.CharField(source="change.state")
    state_cause = serializers.CharField(source="change.state_cause")
    state_changed_at = serializers.DateTimeField(source="change.state_changed_at")
    revision = serializers.IntegerField(source="change.current_revision.number", default=0)
    desired = WeightsField(source="change.current_revision.desired", default=None, allow_null=True)
    conflicts = ConflictSerializer(many=True)


class RevisionSerializer(Face):
    """One edit: who wanted what."""

    number = serializers.IntegerField()
    editor = serializers.CharField(source="editor_name")
    created_at = serializers.DateTimeField()
    intent_hash = serializers.CharField()
    desired = WeightsField()


class FoundSerializer(Face):
    """What a check says of one place (docs/checks.md). `severity`: block or warn."""

    id = serializers.CharField()
    severity = serializers.CharField()
    where = serializers.CharField()
    message = serializers.CharField()


class WriteSerializer(Face):
    """One object that would be written, in its order; bodies as YAML, from what was last read."""

    number = serializers.IntegerField()
    words = serializers.CharField()
    object = serializers.CharField(source="ref")
    before = serializers.CharField()
    after = serializers.CharField()


class TargetPreviewSerializer(Face):
    """What would be written to one place; `fault`: why nothing can be."""

    cluster = serializers.CharField()
    mesh_kind = serializers.CharField()
    action = serializers.CharField()
    fault = serializers.CharField()
    rules = RuleDiffSerializer(many=True)
    findings = FoundSerializer(many=True)
    losses = LossSerializer(many=True)
    quantisation_error_bp = serializers.IntegerField()
    writes = WriteSerializer(many=True)


class PreviewSerializer(Face):
    """What a proposal would do, from what was last read; the dry run of its plan asks the clusters themselves."""

    desired = WeightsField()
    targets = TargetPreviewSerializer(many=True)
