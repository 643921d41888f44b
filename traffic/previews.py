"""What a proposal would write to each chosen place, and what the checks say of it, from what was last read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from meshes.adapters.base import UnreadableRouteError
from meshes.adapters.registry import adapter_for
from meshes.alignment import Misfit
from meshes.types import Around, Rendered
from traffic import around
from traffic.cards import WRITES, shown_yaml
from traffic.diff import neutral_diff
from traffic.services.facts import FactsTarget, Sketch, preview_findings
from traffic.workbench import rendering_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from clusters.clients import ObjectRef
    from meshes.types import Finding, Loss, NativeWrite, Route
    from meshui.lib.jsontypes import JsonObject
    from traffic.around import Read
    from traffic.diff import RuleDiff
    from traffic.models import Change
    from traffic.types import Action
    from traffic.workbench import Spot, Workbench


@dataclass(frozen=True, slots=True)
class WritePreview:
    """One object that would be written, in its order."""

    number: int
    words: str
    ref: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TargetPreview:
    """What would be written to one place. `fault`: why nothing can be."""

    cluster: str
    mesh_kind: str
    mesh: str
    action: Action
    rules: tuple[RuleDiff, ...]
    findings: tuple[Finding, ...]
    writes: tuple[WritePreview, ...]
    fault: str = ""
    losses: tuple[Loss, ...] = ()
    quantisation_error_bp: int = 0


@dataclass(frozen=True, slots=True)
class _Sketched:
    """A place with what would become of it."""

    spot: Spot
    action: Action
    desired: Route | None
    rendered: Rendered
    ref: ObjectRef | None
    fault: str = ""


def previews_of(
    bench: Workbench, desired: Route, chosen: Collection[str], *, is_end: bool = False, change: Change | None = None
) -> list[TargetPreview]:
    """Every chosen place. `change`: the one that is edited; it does not stand in its own way."""
    spots = [spot for spot in bench.spots if spot.value in chosen]
    read = around.read_of({spot.cluster.pk for spot in spots}, {spot.root.namespace for spot in spots})
    found = [_sketched(bench, spot, None if is_end else desired, read) for spot in spots]
    sound = [each for each in found if each.ref is not None]
    said = preview_findings([sketch for each in sound for sketch in _sketches(each, desired)], change=change)
    findings = dict(zip([each.spot.value for each in sound], said, strict=True))
    return [_preview(each, findings.get(each.spot.value, ())) for each in found]


def _sketched(bench: Workbench, spot: Spot, desired: Route | None, read: Read) -> _Sketched:
    """One place. `desired` None: its split ends."""
    action: Action = "end" if desired is None else "set" if spot.row else "start"
    nothing, served = Rendered(()), read.served.get(spot.cluster.pk, frozenset())
    wanted = None if desired is None else bench.aligned(spot, desired)
    if isinstance(wanted, Misfit):
        return _Sketched(spot, action, None, nothing, None, str(wanted))
    ref = spot.row.ref if spot.row else adapter_for(spot.mesh_kind).new_ref(wanted, served) if wanted else None
    if ref is None:
        text = gettext("%(mesh)s has no kind of object for this split there: install the resources of its routes.")
        return _Sketched(spot, action, wanted, nothing, None, text % {"mesh": spot.label})
    around = Around(services=read.services.get(spot.cluster.pk, {}), served=served, companions=_defined(spot.live))
    try:
        return _Sketched(spot, action, wanted, rendering_of(spot, wanted, around), ref)
    except UnreadableRouteError as error:
        return _Sketched(spot, action, wanted, nothing, None, str(error))


def _defined(live: Route | None) -> tuple[JsonObject, ...]:
    """The subsets that were found defined when the route was read, as DestinationRules: their bodies are not kept."""
    subsets: dict[tuple[str, str], dict[str, JsonObject]] = {}
    for backend in (item.backend for rule in (live.rules if live else ()) for item in rule.backends):
        if backend.subset and backend.labels:
            known = subsets.setdefault((backend.service, backend.namespace), {})
            known[backend.subset] = {"name": backend.subset, "labels": dict(backend.labels)}
    return tuple(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": service, "namespace": namespace, "uid": "as read"},
            "spec": {"host": f"{service}.{namespace}.svc.cluster.local", "subsets": list(found.values())},
        }
        for (service, namespace), found in subsets.items()
    )


def _sketches(each: _Sketched, asked: Route) -> Iterator[Sketch]:
    """As the checks want it."""
    if each.ref is not None:
        target = FactsTarget(
            cluster=each.spot.cluster,
            mesh_kind=each.spot.mesh_kind,
            action=each.action,
            ref=each.ref,
            losses=each.rendered.losses,
            quantisation_error_bp=each.rendered.quantisation_error_bp,
            asked=asked if each.desired == asked else None,
        )
        live = each.spot.row.live if each.spot.row else None
        yield Sketch(target, each.desired, live, each.rendered.objects)


def _preview(each: _Sketched, findings: tuple[Finding, ...]) -> TargetPreview:
    spot, rendered = each.spot, each.rendered
    live = spot.row.live if spot.row else None
    body = live.body if live else None
    return TargetPreview(
        cluster=spot.cluster.slug,
        mesh_kind=spot.mesh_kind,
        mesh=spot.label,
        action=each.action,
        rules=neutral_diff(spot.live, each.desired),
        findings=findings,
        writes=tuple(
            _write(write, number, body if write.ref == each.ref else None)
            for number, write in enumerate(rendered.objects, start=1)
        ),
        fault=each.fault,
        losses=rendered.losses,
        quantisation_error_bp=rendered.quantisation_error_bp,
    )


def _write(write: NativeWrite, number: int, live: object) -> WritePreview:
    """Of a companion that is changed only its new body is known here; the dry run shows what it was."""
    before = live if isinstance(live, dict) else None
    return WritePreview(
        number=number,
        words=str(WRITES[write.op] % {"ref": str(write.ref)}),
        ref=str(write.ref),
        before=shown_yaml(write.body if write.op == "delete" else before),
        after="" if write.op == "delete" else shown_yaml(write.body),
    )
