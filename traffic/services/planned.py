"""What a plan is made of before it is stored: one dry run a target, one planned write an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshes.secrets import masked_route
from meshes.types import Around, Finding, Rendered, Route
from traffic.checks.owners import managers_of
from traffic.digest import DigestTarget
from traffic.marks import generation_of, uid_of, version_of
from traffic.models import PlanTarget
from traffic.services.bodies import stored_body

if TYPE_CHECKING:
    from clusters.clients import Identity, ObjectRef, PatchOperation
    from meshes.types import LiveRoute, Loss
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import ChangeTarget, Plan
    from traffic.types import Action, Op


@dataclass(frozen=True, slots=True)
class PlannedWrite:
    """One object of a target: as it is (`live` None: there is none), and as the server says it would be.

    `expected` None: it would be gone. `operations` of a patch, `body` of a create.
    """

    ref: ObjectRef
    position: int = 0
    op: Op = "patch"
    live: JsonObject | None = None
    operations: tuple[PatchOperation, ...] = ()
    body: JsonObject | None = None
    expected: JsonObject | None = None
    base_hash: str = ""
    desired_hash: str = ""
    expected_hash: str = ""
    owner_class: str = "unknown"


@dataclass(frozen=True, slots=True)
class DryRun:
    """What was found of one target. `error` empty = the servers accept it. `is_ours`: live is what the change wrote.

    `desired` None: the split ends; `asked`: what the proposal asks for everywhere. `writes` may be empty where it came
    to an error.
    """

    target: ChangeTarget
    action: Action
    desired: Route | None
    asked: Route | None = None
    error: str = ""
    error_code: str = ""
    findings: tuple[Finding, ...] = ()
    live: LiveRoute | None = None
    identity: Identity | None = None
    writes: tuple[PlannedWrite, ...] = ()
    around: Around = field(default_factory=Around)
    rendered: Rendered = field(default_factory=lambda: Rendered(()))
    is_ours: bool = False

    @property
    def losses(self) -> tuple[Loss, ...]:
        """What the mesh cannot hold exactly."""
        return self.rendered.losses

    @property
    def is_blocked(self) -> bool:
        """Whether anything stands against it."""
        return bool(self.error) or any(finding.severity == "block" for finding in self.findings)

    def to_rows(self, plan: Plan) -> list[PlanTarget]:
        """Unsaved, one an object; the route's own carries what is said of the target."""
        writes = self.writes or (PlannedWrite(self.target.ref, live=self.live.body if self.live else None),)
        return [self._row(plan, write) for write in writes]

    def _row(self, plan: Plan, write: PlannedWrite) -> PlanTarget:
        target, resource = self.target, write.ref.resource
        row = PlanTarget(
            plan=plan,
            target=target,
            cluster=target.cluster,
            mesh_kind=target.mesh_kind,
            group=resource.group,
            api_version=resource.version,
            plural=resource.plural,
            kind=resource.kind,
            namespace=write.ref.namespace,
            name=write.ref.name,
            position=write.position,
            op=write.op,
            body=write.body,
            cluster_uid=self.identity.uid if self.identity else "",
            ca_fingerprint=self.identity.ca_fingerprint if self.identity else "",
            uid=uid_of(write.live),
            generation=generation_of(write.live),
            resource_version=version_of(write.live),
            managers=managers_of(write.live or {}),
            owner_class=write.owner_class,
            snapshot=stored_body(write.live) if write.live else None,
            expected=stored_body(write.expected) if write.expected else None,
            operations=[operation.to_json() for operation in write.operations],
            base_hash=write.base_hash,
            desired_hash=write.desired_hash,
            expected_hash=write.expected_hash,
        )
        if is_route_of(target, write.ref):
            self._say_target(row)
        return row

    def _say_target(self, row: PlanTarget) -> None:
        row.live_route = masked_route(self.live.route).to_json() if self.live else None
        row.desired_route = masked_route(self.desired).to_json() if self.desired else None
        row.losses = [{"path": x.path, "reason": x.reason, "error_bp": x.error_bp} for x in self.losses]
        row.quantisation_error_bp = self.rendered.quantisation_error_bp
        row.error, row.error_code = self.error[:2100], self.error_code

    def to_digest(self) -> list[DigestTarget]:
        """What the digest covers of this target."""
        return [self._digest(write) for write in self.writes]

    def _digest(self, write: PlannedWrite) -> DigestTarget:
        return DigestTarget(
            cluster_id=str(self.target.cluster_id),
            cluster_uid=self.identity.uid if self.identity else "",
            ca_fingerprint=self.identity.ca_fingerprint if self.identity else "",
            gvk=write.ref.resource.gvk,
            namespace=write.ref.namespace,
            name=write.ref.name,
            uid=uid_of(write.live),
            base_hash=write.base_hash,
            owner_class=write.owner_class,
            guard="full",
            desired_hash=write.desired_hash,
            expected_hash=write.expected_hash,
            operations=tuple(operation.to_json() for operation in write.operations),
            losses=tuple(f"{loss.path}: {loss.reason}" for loss in self.losses),
            quantisation_error_bp=self.rendered.quantisation_error_bp,
            position=write.position,
            op=write.op,
            body=write.body,
        )


def is_route_of(target: ChangeTarget, ref: ObjectRef) -> bool:
    """Whether `ref` is the target's own route object, and not a companion."""
    own = target.ref
    mine = (own.resource.group, own.resource.kind, own.namespace, own.name)
    return mine == (ref.resource.group, ref.resource.kind, ref.namespace, ref.name)
