"""What is sent for a step, and whether what is there still allows it. Sends nothing itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.clients import GuardedCreate, GuardedDelete, GuardedPatch
from traffic.marks import mark_operations, marked, rebased, uid_of, version_of
from traffic.models import AttemptOutcome
from traffic.services.reading import hash_of

if TYPE_CHECKING:
    from clusters.clients import Write
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import TargetStep


def moved(step: TargetStep, body: JsonObject | None, live_hash: str) -> str:
    """Why it is not as the plan left it, or as our step before left it; empty if it is."""
    if body is None:
        return "It was deleted." if step.base_hash else ""
    if not step.base_hash:
        return "Somebody else made it meanwhile."
    if is_of_another_life(step, body):
        return "It was deleted and made anew."
    if live_hash == step.expected_hash and must_fence_off(step):
        return ""
    return "It was changed by somebody else." if live_hash != step.base_hash else ""


def is_of_another_life(step: TargetStep, body: JsonObject) -> bool:
    """Whether it is not the object that was planned for, but one of the same name."""
    planned = step.plan_target.uid
    return bool(planned) and step.op != "create" and uid_of(body) != planned and step.plan_target.op != "create"


def must_fence_off(step: TargetStep) -> bool:
    """Whether a restore finds nothing written while a send of its apply may still be on its way.

    A write of our mark alone moves the resourceVersion, so that what arrives late is refused.
    """
    if step.direction != "restore" or step.op != "patch":
        return False
    return AttemptOutcome.objects.filter(
        attempt__step__rollout_id=step.rollout_id,
        attempt__step__plan_target_id=step.plan_target_id,
        attempt__step__direction="apply",
        outcome="not_applied",
    ).exists()


def write_for(step: TargetStep, body: JsonObject | None) -> Write:
    """The write of this runner, with its mark. Raises PathMissingError."""
    if step.op == "create" or body is None:
        return GuardedCreate(step.ref, marked(step.body or {}, mark_for(step)))
    if step.op == "delete":
        return GuardedDelete(step.ref, uid_of(body), version_of(body))
    is_done = hash_of(step.plan_target, body) == step.expected_hash
    operations = () if is_done else rebased(step.operations, body)
    return GuardedPatch(step.ref, (*mark_operations(body, mark_for(step)), *operations))


def mark_stem(step: TargetStep) -> str:
    """`<change>/<revision>/<direction>`: the mark without its fence."""
    revision = step.plan_target.plan.revision.number
    return f"{step.change_id}/{revision}/{step.direction}"


def mark_for(step: TargetStep) -> str:
    """The mark this runner leaves on the object."""
    return f"{mark_stem(step)}/{step.fence}"
