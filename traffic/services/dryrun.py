"""One target of a plan: read it, render what is wanted, let the API server dry-run the very patch.

Talks to clusters, touches no row: the caller stores what this returns.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from clusters.clients import ClusterError, GuardedPatch, PatchOperation
from clusters.connect import writer_for
from meshes.adapters.registry import adapter_for
from meshes.secrets import masked_route, with_live_matches
from meshes.types import Finding, Route
from meshui.lib.errors import RefusedError
from meshui.lib.masking import masked_body
from traffic.checks.owners import check_owner, managers_of, owner_of
from traffic.checks.route import check_same_shape, check_something_moves, check_zero_backend_gets_requests
from traffic.digest import DigestTarget
from traffic.marks import mark_operations
from traffic.models import PlanTarget, TargetStep

if TYPE_CHECKING:
    from clusters.clients import Identity, Writer
    from meshes.types import LiveRoute, Loss, Rendered
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import ChangeTarget, Plan, Revision

PLAN_MARK = "plan"
"""Stands where the mark will be: a dry run stores nothing."""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What was found of one target. `error` empty = the server accepts it. `is_ours`: live is what the change wrote."""

    target: ChangeTarget
    desired: Route
    error: str = ""
    error_code: str = ""
    findings: tuple[Finding, ...] = ()
    live: LiveRoute | None = None
    identity: Identity | None = None
    operations: tuple[PatchOperation, ...] = ()
    expected: JsonObject | None = None
    base_hash: str = ""
    desired_hash: str = ""
    expected_hash: str = ""
    losses: tuple[Loss, ...] = ()
    quantisation_error_bp: int = 0
    owner_class: str = "unknown"
    managers: tuple[str, ...] = ()
    is_ours: bool = field(default=False)

    def to_row(self, plan: Plan) -> PlanTarget:
        """Unsaved."""
        target, live = self.target, self.live
        return PlanTarget(
            plan=plan,
            target=target,
            cluster=target.cluster,
            mesh_kind=target.mesh_kind,
            group=target.group,
            api_version=target.api_version,
            plural=target.plural,
            kind=target.kind,
            namespace=target.namespace,
            name=target.name,
            cluster_uid=self.identity.uid if self.identity else "",
            ca_fingerprint=self.identity.ca_fingerprint if self.identity else "",
            uid=live.uid if live else "",
            generation=live.generation if live else 0,
            resource_version=live.resource_version if live else "",
            managers=list(self.managers),
            owner_class=self.owner_class,
            snapshot=stored_body(live.body) if live else None,
            live_route=masked_route(live.route).to_json() if live else None,
            desired_route=self.desired.to_json(),
            expected=stored_body(self.expected) if self.expected else None,
            operations=[operation.to_json() for operation in self.operations],
            base_hash=self.base_hash,
            desired_hash=self.desired_hash,
            expected_hash=self.expected_hash,
            losses=[{"path": x.path, "reason": x.reason, "error_bp": x.error_bp} for x in self.losses],
            quantisation_error_bp=self.quantisation_error_bp,
            error=self.error[:2100],
            error_code=self.error_code,
        )

    def to_digest(self) -> DigestTarget:
        """What the digest covers of this target."""
        target = self.target
        return DigestTarget(
            cluster_id=str(target.cluster_id),
            cluster_uid=self.identity.uid if self.identity else "",
            ca_fingerprint=self.identity.ca_fingerprint if self.identity else "",
            gvk=target.ref.resource.gvk,
            namespace=target.namespace,
            name=target.name,
            uid=self.live.uid if self.live else "",
            base_hash=self.base_hash,
            owner_class=self.owner_class,
            guard="full",
            desired_hash=self.desired_hash,
            expected_hash=self.expected_hash,
            operations=tuple(operation.to_json() for operation in self.operations),
            losses=tuple(f"{loss.path}: {loss.reason}" for loss in self.losses),
            quantisation_error_bp=self.quantisation_error_bp,
        )


def dry_run_target(target: ChangeTarget, revision: Revision) -> DryRun:
    """Everything a plan says of `target`; errors are in the answer, never raised."""
    result = DryRun(target=target, desired=_desired_for(target, revision))
    try:
        writer = writer_for(target.cluster)
        return _against(writer, result)
    except ClusterError as error:
        return replace(result, error=error.message, error_code=error.code)
    except RefusedError as error:
        return replace(result, error=str(error), error_code="refused")


def stored_body(body: JsonObject) -> JsonObject:
    """`body` as it may be kept: secret values masked, without managedFields, which say who and not what."""
    metadata = body.get("metadata")
    kept = (
        {key: value for key, value in metadata.items() if key != "managedFields"} if isinstance(metadata, dict) else {}
    )
    return masked_body({**body, "metadata": cast("Any", kept)})


def _desired_for(target: ChangeTarget, revision: Revision) -> Route:
    for entry in revision.targets:
        if entry["route"] == str(target.route_id) and entry.get("desired"):
            return Route.from_json(entry["desired"])
    return revision.route


def _against(writer: Writer, result: DryRun) -> DryRun:
    target, adapter = result.target, adapter_for(result.target.mesh_kind)
    identity = writer.identity()
    body = writer.read(target.ref)
    if body is None:
        return replace(result, identity=identity, error=f"{target.ref} is gone.", error_code="missing")
    live = adapter.live(body)
    base = adapter.project(live).hash
    owner, owner_name = owner_of(body, field_manager=settings.FIELD_MANAGER)
    where = target.cluster.slug
    desired = with_live_matches(result.desired, live.route)  # the stored one has its secrets masked
    findings = [
        *check_owner(owner, owner_name, target=where),
        *check_same_shape(desired, live.route, target=where),
        *check_something_moves(desired, live.route, target=where),
        *check_zero_backend_gets_requests(desired, live.route, target=where),
    ]
    rendered = adapter.render(desired, live)
    findings += [
        Finding("TRF030", "block", loss.path, f"{loss.reason} ({where})", (where,))
        for loss in rendered.losses
        if loss.moves_requests
    ]
    result = replace(
        result,
        identity=identity,
        live=live,
        base_hash=base,
        owner_class=owner,
        managers=tuple(managers_of(body)),
        findings=tuple(findings),
        losses=rendered.losses,
        quantisation_error_bp=rendered.quantisation_error_bp,
        is_ours=base in _hashes_we_wrote(target),
    )
    if any(finding.severity == "block" for finding in findings):
        return result
    return _dry_run(writer, result, live, rendered)


def _dry_run(writer: Writer, result: DryRun, live: LiveRoute, rendered: Rendered) -> DryRun:
    adapter = adapter_for(result.target.mesh_kind)
    write = rendered.objects[0] if rendered.objects else None
    if write is None or not write.operations:
        unchanged = {"expected": live.body, "desired_hash": result.base_hash, "expected_hash": result.base_hash}
        return replace(result, **cast("Any", unchanged))
    patch = GuardedPatch(write.ref, (*mark_operations(live, PLAN_MARK), *write.operations))
    expected = writer.dry_run(patch)
    return replace(
        result,
        operations=write.operations,
        expected=expected,
        desired_hash=adapter.project(adapter.live(write.body)).hash,
        expected_hash=adapter.project(adapter.live(expected)).hash,
    )


def _hashes_we_wrote(target: ChangeTarget) -> set[str]:
    restored = target.change.restores_id
    if restored is None:
        return set()
    steps = TargetStep.objects.filter(change_id=restored, cluster=target.cluster, direction="apply")
    return set(
        steps.filter(plan_target__namespace=target.namespace, plan_target__name=target.name).values_list(
            "expected_hash", flat=True
        )
    )
