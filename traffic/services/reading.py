"""Fresh reads of a plan's targets, compared with what the plan saw. No row is touched here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from audit.types import Evidence
from clusters.clients import ClusterError
from clusters.connect import writer_for
from meshes.adapters.registry import adapter_for
from meshui.lib.errors import RefusedError
from traffic.services.dryrun import stored_body

if TYPE_CHECKING:
    from clusters.clients import Writer
    from meshes.types import LiveRoute
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import Plan, PlanTarget


@dataclass(frozen=True, slots=True)
class TargetRead:
    """One target as it is now. `error`: it could not be read; `mismatch`: it is not what the plan saw, in words."""

    plan_target: PlanTarget
    body: JsonObject | None = None
    live_hash: str = ""
    error: str = ""
    mismatch: str = ""

    def evidence(self) -> Evidence:
        """Both states, for history."""
        return Evidence(before=self.plan_target.snapshot, after=self.body)


def read_all(plan: Plan) -> list[TargetRead]:
    """Every target of `plan`, read now."""
    return [read_target(target) for target in plan.targets.select_related("cluster")]


def read_target(target: PlanTarget) -> TargetRead:
    """One target of a plan, read now."""
    where = target.cluster.slug
    try:
        writer = writer_for(target.cluster)
        if why := identity_fault(writer, target):
            return TargetRead(target, mismatch=why)
        body = writer.read(target.ref)
    except (ClusterError, RefusedError) as error:
        return TargetRead(target, error=f"{where}: {error}")
    if body is None:
        return TargetRead(target, mismatch=f"{target.ref} was deleted in {where}.")
    live = live_of(target, body)
    live_hash = hash_of(target, live)
    if live.uid != target.uid:
        why = f"{target.ref} was deleted and made anew in {where}."
    elif live_hash != target.base_hash:
        why = f"{target.ref} was changed in {where} since the plan was made."
    else:
        why = ""
    return TargetRead(target, body=stored_body(body), live_hash=live_hash, mismatch=why)


def identity_fault(writer: Writer, target: PlanTarget) -> str:
    """Why this is not the cluster that was planned for; empty if it is. Raises ClusterError."""
    identity = writer.identity()
    if (identity.uid, identity.ca_fingerprint) == (target.cluster_uid, target.ca_fingerprint):
        return ""
    return f"{target.cluster.slug} is another cluster than the one that was planned for."


def live_of(target: PlanTarget, body: JsonObject) -> LiveRoute:
    """The neutral reading of a body."""
    return adapter_for(target.mesh_kind).live(body)


def hash_of(target: PlanTarget, live: LiveRoute) -> str:
    """The hash of what decides routing in it."""
    return adapter_for(target.mesh_kind).project(live).hash
