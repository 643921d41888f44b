"""Tells the inventory what a step does to a route, in the transaction that moves the step: later drift is held to it.

Companions (DestinationRules, Services for versions) are no routes: the inventory has no rows of them, nor has this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshes.adapters.registry import adapter_for
from meshes.services import managing
from meshes.types import Route
from traffic.marks import generation_of, uid_of
from traffic.services.bodies import stored_body

if TYPE_CHECKING:
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import TargetStep


def note_sending(step: TargetStep) -> None:
    """A write is about to be sent."""
    if _is_route(step):
        managing.note_sending(step.cluster, step.ref)


def note_ended(step: TargetStep) -> None:
    """It was not, or somebody else came between."""
    if _is_route(step):
        managing.note_ended(step.cluster, step.ref)


def note_left(step: TargetStep, body: JsonObject | None) -> None:
    """It is as this step wants it; `body` None: it was deleted."""
    if not _is_route(step):
        return
    target = step.plan_target
    root = Route.from_json(target.desired_route or target.live_route or {}).root
    left = managing.Left(
        ref=step.ref,
        mesh_kind=target.mesh_kind,
        root_service=root.service,
        root_namespace=root.namespace,
        change_number=step.change.number,
        body=stored_body(body) if body is not None else None,
        left_hash=adapter_for(target.mesh_kind).project(step.ref, body).hash if body is not None else "",
        uid=uid_of(body),
        generation=generation_of(body),
    )
    managing.note_left(step.cluster, left)


def _is_route(step: TargetStep) -> bool:
    return bool(step.plan_target.desired_route or step.plan_target.live_route)
