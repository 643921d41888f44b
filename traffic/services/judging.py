"""What the checks say of a dry run, from what the database knows beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.adapters.registry import adapter_for
from traffic.checks import run_checks
from traffic.models import TargetStep
from traffic.patches import inverse
from traffic.services.bodies import stored_body
from traffic.services.facts import FactsTarget, facts_of
from traffic.services.reading import hash_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.clients import ObjectRef
    from traffic.models import Change, ChangeTarget
    from traffic.services.planned import DryRun, PlannedWrite


def judged(change: Change, found: DryRun, ours: dict[tuple[str, str, str], str]) -> DryRun:
    """With what the checks say, and whether all of it is as the restored change left it."""
    if found.error:
        return found
    target, rendered = found.target, found.rendered
    own = FactsTarget(
        cluster=target.cluster,
        mesh_kind=target.mesh_kind,
        action=found.action,
        ref=target.ref,
        losses=rendered.losses,
        quantisation_error_bp=rendered.quantisation_error_bp,
        asked=found.asked,
    )
    facts = facts_of(
        target=own,
        desired=found.desired,
        live=found.live,
        writes=rendered.objects,
        around=found.around,
        change=change,
    )
    facts = replace(facts, unkept=_unkept(found.writes), altered=_altered(found))
    keys = {(w.ref.resource.kind, w.ref.namespace, w.ref.name): w.base_hash for w in found.writes}
    is_ours = bool(ours) and all(ours.get(key) == base for key, base in keys.items())
    return replace(found, findings=run_checks(facts), is_ours=is_ours)


def _unkept(writes: Sequence[PlannedWrite]) -> tuple[str, ...]:
    """What could not be put back: what is taken away must be kept, and secrets are not."""
    return tuple(str(write.ref) for write in writes if write.live is not None and not _can_go_back(write))


def _can_go_back(write: PlannedWrite) -> bool:
    live = write.live or {}
    if write.op == "delete":
        return stored_body(live).get("spec") == live.get("spec")
    operations = [operation.to_json() for operation in write.operations]
    return inverse(operations, live) == inverse(operations, stored_body(live))


def _altered(found: DryRun) -> tuple[str, ...]:
    """What would be deleted and is not as we last wrote it."""
    deletes = [write for write in found.writes if write.op == "delete"]
    return tuple(str(w.ref) for w in deletes if w.base_hash != _last_written(found.target, w.ref))


def _last_written(target: ChangeTarget, ref: ObjectRef) -> str:
    """The content hash of the object as our last write of it left it; empty: we never wrote it."""
    step = (
        TargetStep.objects.filter(
            cluster=target.cluster,
            plan_target__kind=ref.resource.kind,
            plan_target__namespace=ref.namespace,
            plan_target__name=ref.name,
            attempts__outcome__outcome="written",
        )
        .select_related("plan_target")
        .order_by("-attempts__outcome__created_at")
        .first()
    )
    if step is None:
        return ""
    if step.plan_target.op != "patch":
        return step.expected_hash
    expected = step.plan_target.expected if step.direction == "apply" else step.snapshot
    return hash_by(adapter_for(target.mesh_kind), "create", ref, expected)


def hashes_we_wrote(change: Change, target: ChangeTarget) -> dict[tuple[str, str, str], str]:
    """Of the change that `change` restores: what each object of this target's cluster was left as, by kind and name."""
    if change.restores_id is None:
        return {}
    steps = TargetStep.objects.filter(change_id=change.restores_id, cluster=target.cluster, direction="apply")
    rows = steps.order_by("state_changed_at").values_list(
        "plan_target__kind", "plan_target__namespace", "plan_target__name", "expected_hash"
    )
    return {(kind, namespace, name): expected for kind, namespace, name, expected in rows}
