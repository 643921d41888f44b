"""Words of a change: its states, its steps', and the values that verbs take. No Django rows here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from uuid import UUID

    from meshes.types import Route


class State(StrEnum):
    """States of a Change (change-control §3.2)."""

    DRAFT = "draft"
    PLANNING = "planning"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    QUEUED = "queued"
    APPLYING = "applying"
    PAUSED = "paused"
    ROLLING_BACK = "rolling_back"
    APPLIED = "applied"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    REJECTED = "rejected"
    PARTIAL = "partial"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


TERMINAL = frozenset(
    {
        State.APPLIED,
        State.ROLLED_BACK,
        State.PARTIAL,
        State.FAILED,
        State.REJECTED,
        State.EXPIRED,
        State.CANCELLED,
        State.SUPERSEDED,
    }
)
BEFORE_WRITE = frozenset({State.IN_REVIEW, State.APPROVED, State.QUEUED})


class StepState(StrEnum):
    """States of a TargetStep (change-control §3.4)."""

    PENDING = "pending"
    PREFLIGHT = "preflight"
    INTENT = "intent"
    WRITTEN = "written"
    ACCEPTED = "accepted"
    VERIFIED = "verified"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    SKIPPED = "skipped"
    REVERTED = "reverted"
    ROLLBACK_CONFLICT = "rollback_conflict"


STEP_OPEN = frozenset(
    {
        StepState.PENDING,
        StepState.PREFLIGHT,
        StepState.INTENT,
        StepState.WRITTEN,
        StepState.ACCEPTED,
        StepState.UNKNOWN,
    }
)
STEP_GOOD = frozenset({StepState.VERIFIED, StepState.SKIPPED, StepState.REVERTED})
STEP_BAD = frozenset({StepState.CONFLICT, StepState.UNREACHABLE, StepState.FAILED, StepState.ROLLBACK_CONFLICT})

Direction = Literal["apply", "restore"]
Kind = Literal["route", "rollback"]
Action = Literal["set", "start", "end"]
Op = Literal["patch", "create", "delete"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall become of one route in one cluster.

    set: the stored route `route_id` (meshes.Route) becomes as `desired`. start: a route of `mesh_kind` is made where
    none is. end: the route `route_id`, made by us, is deleted. `desired` None: the proposal's own (never of a start).
    """

    cluster_id: UUID
    mesh_kind: str
    route_id: UUID | None = None
    desired: Route | None = None
    action: Action = "set"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an author asks for: the desired Route, and where. `desired` of an end is the route as it was."""

    title: str
    reason: str
    desired: Route
    targets: tuple[Wanted, ...]
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reader had before them when they decided: the version of the change and the digest of its plan."""

    change_id: UUID
    version: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Once:
    """A request that may be sent twice: the sender's key, and a hash of what is asked under it."""

    key: str
    body_hash: str
