"""Fresh reads of a plan's objects, compared with what the plan saw. Talks to clusters side by side, touches no row."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings

from audit.types import Evidence
from clusters.clients import ClusterError
from clusters.connect import writer_for
from meshes.adapters.registry import adapter_for
from meshui.lib.errors import RefusedError
from traffic.marks import uid_of
from traffic.services.bodies import stored_body

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from clusters.clients import ObjectRef, Writer
    from meshes.adapters.base import MeshAdapter
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import Plan, PlanTarget

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class TargetRead:
    """One object as it is now. `error`: it could not be read; `mismatch`: it is not what the plan saw, in words.

    `body` None: there is none.
    """

    plan_target: PlanTarget
    body: JsonObject | None = None
    live_hash: str = ""
    error: str = ""
    mismatch: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it is already as the plan wants it, and was not when it was planned."""
        target = self.plan_target
        return not self.error and self.live_hash == target.expected_hash != target.base_hash

    def evidence(self) -> Evidence:
        """Both states, for history."""
        return Evidence(before=self.plan_target.snapshot, after=self.body)


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """`work` of every item, at most APPLY_PARALLEL at once, answers in order. `work` must not touch the database."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(settings.APPLY_PARALLEL, len(items))) as pool:
        return list(pool.map(work, items))


def read_all(plan: Plan) -> list[TargetRead]:
    """Every object of `plan`, read now. Clients are made here, the network is left to threads."""
    targets = list(plan.targets.select_related("cluster"))
    return side_by_side(_read, [(target, _writer(target)) for target in targets])


def _writer(target: PlanTarget) -> Writer | RefusedError:
    try:
        return writer_for(target.cluster)
    except RefusedError as refused:
        return refused


def _read(given: tuple[PlanTarget, Writer | RefusedError]) -> TargetRead:
    target, writer = given
    where = target.cluster.slug
    if isinstance(writer, RefusedError):
        return TargetRead(target, error=f"{where}: {writer}")
    try:
        if why := identity_fault(writer, target):
            return TargetRead(target, mismatch=why)
        body = writer.read(target.ref)
        live_hash = hash_of(target, body)
    except (ClusterError, RefusedError) as error:
        return TargetRead(target, error=f"{where}: {error}")
    stored = stored_body(body) if body is not None else None
    return TargetRead(target, stored, live_hash, mismatch=_mismatch(target, body, live_hash))


def _mismatch(target: PlanTarget, body: JsonObject | None, live_hash: str) -> str:
    where = target.cluster.slug
    if body is None:
        return f"{target.ref} was deleted in {where}." if target.base_hash else ""
    if not target.base_hash:
        return f"{target.ref} was made in {where} since the plan was made."
    if target.uid and uid_of(body) != target.uid:
        return f"{target.ref} was deleted and made anew in {where}."
    if live_hash != target.base_hash:
        return f"{target.ref} was changed in {where} since the plan was made."
    return ""


def identity_fault(writer: Writer, target: PlanTarget) -> str:
    """Why this is not the cluster that was planned for; empty if it is. Raises ClusterError."""
    identity = writer.identity()
    if (identity.uid, identity.ca_fingerprint) == (target.cluster_uid, target.ca_fingerprint):
        return ""
    return f"{target.cluster.slug} is another cluster than the one that was planned for."


def hash_of(target: PlanTarget, body: JsonObject | None) -> str:
    """The hash of what decides routing in `body`, empty where there is none.

    Of an object that the plan creates or deletes it leaves out the uid, which nobody knows beforehand.
    """
    return hash_by(adapter_for(target.mesh_kind), target.op, target.ref, body)


def hash_by(adapter: MeshAdapter, op: str, ref: ObjectRef, body: JsonObject | None) -> str:
    """As hash_of, of an object that `op` (patch, create, delete) is done to."""
    if body is None:
        return ""
    projection = adapter.project(ref, body)
    return projection.hash if op == "patch" else projection.content_hash
