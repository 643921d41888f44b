"""The targets of a plan: read, render what is wanted, let each API server dry-run the very writes.

Clients are made first; then the clusters are asked side by side, and no row is touched; last the checks speak.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings

from clusters.clients import ClusterError, GuardedCreate, GuardedDelete, GuardedPatch
from clusters.connect import reader_for, writer_for
from meshes.adapters.registry import adapter_for
from meshes.secrets import with_live_matches
from meshes.types import Around, Route
from meshui.lib.errors import RefusedError
from traffic.checks.owners import owner_of
from traffic.marks import mark_operations, marked, uid_of, version_of
from traffic.patches import PathMissingError
from traffic.services.judging import hashes_we_wrote, judged
from traffic.services.planned import DryRun, PlannedWrite
from traffic.services.reading import hash_by, side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.clients import ObjectRef, Reader, Write, Writer
    from meshes.adapters.base import MeshAdapter
    from meshes.types import NativeWrite, Rendered
    from meshui.lib.jsontypes import JsonObject
    from traffic.models import Change, ChangeTarget, Revision
    from traffic.types import Action

PLAN_MARK = "plan"
"""Stands where the mark will be: a dry run stores nothing."""


def dry_run(change: Change, targets: Sequence[ChangeTarget], revision: Revision) -> list[DryRun]:
    """Everything a plan says of `targets`, in their order; errors are in the answers, never raised."""
    opened = [_opened(target, revision) for target in targets]
    ours = {target.pk: hashes_we_wrote(change, target) for target in targets}
    asked = side_by_side(_ask, opened)
    return [judged(change, found, ours[found.target.pk]) for found in asked]


@dataclass(frozen=True, slots=True)
class _Opened:
    """A target with its clients, or why there are none."""

    result: DryRun
    reader: Reader | None = None
    writer: Writer | None = None


def _opened(target: ChangeTarget, revision: Revision) -> _Opened:
    own, asked = desired_for(target, revision)
    result = DryRun(target, cast("Action", target.action), own or asked, asked=None if own else asked)
    try:
        return _Opened(result, reader_for(target.cluster), writer_for(target.cluster))
    except RefusedError as error:
        return _Opened(replace(result, error=str(error), error_code="refused"))


def desired_for(target: ChangeTarget, revision: Revision) -> tuple[Route | None, Route | None]:
    """What `revision` wants of `target` alone, and what of all; None, None: its split ends."""
    if target.action == "end":
        return None, None
    for entry in revision.targets:
        if (
            entry["cluster"] == str(target.cluster_id)
            and entry["object"] == object_key(target)
            and entry.get("desired")
        ):
            return Route.from_json(entry["desired"]), revision.route
    return None, revision.route


def object_key(target: ChangeTarget) -> str:
    """`networking.istio.io/VirtualService/shop/checkout`."""
    return f"{target.group}/{target.kind}/{target.namespace}/{target.name}"


def _ask(opened: _Opened) -> DryRun:
    """What the cluster says; in a thread, so no row is touched."""
    result = opened.result
    if opened.reader is None or opened.writer is None:
        return result
    try:
        return _against(opened.reader, opened.writer, result)
    except ClusterError as error:
        return replace(result, error=error.message, error_code=error.code)
    except (RefusedError, PathMissingError) as error:
        return replace(result, error=str(error), error_code="refused")


def _against(reader: Reader, writer: Writer, result: DryRun) -> DryRun:
    target, adapter = result.target, adapter_for(result.target.mesh_kind)
    result = replace(result, identity=writer.identity())
    body = writer.read(target.ref)
    if body is not None and result.action == "start":
        text = f"{target.ref} is there already. Read the cluster again, then shift its weights instead."
        return replace(result, error=text, error_code="exists")
    if body is None and result.action != "start":
        return replace(result, error=f"{target.ref} is gone.", error_code="missing")
    live = adapter.live(body) if body is not None else None
    desired = result.desired
    route = desired or (live.route if live else None)
    around = adapter.around(reader, route, target.ref if live else None) if route else Around()
    live = adapter.seen(live, around) if live else None
    if desired is not None and live is not None:
        desired = with_live_matches(desired, live.route)  # the stored one has its secrets masked
    rendered = adapter.render(desired, live, around)
    result = replace(result, live=live, desired=desired, around=around, rendered=rendered)
    writes = [_read_write(writer, adapter, at, write) for at, write in enumerate(rendered.objects)]
    if not writes and live is not None:
        base = adapter.project(target.ref, live.body).hash
        writes = [_unchanged(target.ref, live.body, base)]
    result = replace(result, writes=tuple(writes))
    if any(loss.moves_requests for loss in rendered.losses):
        return result
    return replace(result, writes=tuple(_dried(writer, adapter, write, rendered) for write in writes))


def _unchanged(ref: ObjectRef, body: JsonObject, base: str) -> PlannedWrite:
    owner, _ = owner_of(body, field_manager=settings.FIELD_MANAGER)
    hashes = {"base_hash": base, "desired_hash": base, "expected_hash": base}
    return PlannedWrite(ref, live=body, expected=body, owner_class=owner, **cast("Any", hashes))


def _read_write(writer: Writer, adapter: MeshAdapter, position: int, write: NativeWrite) -> PlannedWrite:
    """The object as it is now, in the very version that the write was rendered for."""
    live = writer.read(write.ref)
    if write.op != "create" and version_of(live) != version_of(write.body):
        raise MovedWhilePlannedError(write.ref)
    if write.op == "create" and live is not None:
        raise MovedWhilePlannedError(write.ref)
    owner, _ = owner_of(live or write.body, field_manager=settings.FIELD_MANAGER)
    return PlannedWrite(
        ref=write.ref,
        position=position,
        op=write.op,
        live=live,
        operations=write.operations,
        body=write.body if write.op == "create" else None,
        base_hash=hash_by(adapter, write.op, write.ref, live),
        owner_class=owner if live else "ours",
    )


def _dried(writer: Writer, adapter: MeshAdapter, write: PlannedWrite, rendered: Rendered) -> PlannedWrite:
    """With what the server says it would store."""
    sent = sendable(write)
    if sent is None:
        return write
    expected = writer.dry_run(sent)
    wanted = next(each for each in rendered.objects if each.ref == write.ref)
    desired = None if write.op == "delete" else wanted.body
    return replace(
        write,
        expected=expected,
        desired_hash=hash_by(adapter, write.op, write.ref, desired),
        expected_hash=hash_by(adapter, write.op, write.ref, expected),
    )


def sendable(write: PlannedWrite, mark: str = PLAN_MARK) -> Write | None:
    """What is sent for `write`; None: nothing, it is as it should be."""
    if write.op == "create":
        return GuardedCreate(write.ref, marked(write.body or {}, mark))
    if write.op == "delete":
        return GuardedDelete(write.ref, uid_of(write.live), version_of(write.live))
    if not write.operations or write.live is None:
        return None
    return GuardedPatch(write.ref, (*mark_operations(write.live, mark), *write.operations))


class MovedWhilePlannedError(RefusedError):
    """Somebody wrote it between two reads of one dry run."""

    def __init__(self, ref: ObjectRef) -> None:
        super().__init__(f"{ref} was changed while it was planned.", mend="Plan it again.")
