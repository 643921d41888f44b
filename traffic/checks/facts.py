"""What the checks of one target know: values alone, gathered before they run. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshes.types import Loss, Route
    from traffic.types import Action

OwnerClass = Literal["controller", "gitops", "ours", "human", "unknown"]
GATEWAY_KINDS = frozenset({"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"})


@dataclass(frozen=True, slots=True)
class Owner:
    """Who else writes an object that would be written: `object` in words, the class of change-control §5.7, a name.

    `hint`: a tool whose name stands in managedFields, which is claimed and never proved.
    """

    object: str
    owner_class: OwnerClass
    name: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """One target of a proposal. `target`: the cluster's slug, `mesh` the kind, `kind` and `object` the native route.

    `desired` None: the split ends; `live` None: it starts. `asked`: what the proposal asks for everywhere (None: this
    target has a desired route of its own); `written`: how the object that would be written reads (None: none would).
    `ready`: ready pods by backend key, None where it cannot be told; a backend whose Service does not exist is in
    `missing`, a subset that nothing defines in `undefined`. `rivals`: other objects that claim the same host or parent,
    in words; `winner`: which of all is believed to decide (empty: they are merged). `open_changes`: other open changes
    of the same object, in words. `shadows`: what switches the route off altogether (a ServiceProfile). `outranked_by`:
    routes of the same parent that Linkerd takes instead of this one, `outranks`: those that it leaves for this one.
    `foreign`: what an end would delete though it is not ours; `altered`: what is ours and not as we last wrote it;
    `unkept`: what could not be put back, because it holds secrets that are never kept. `waypoint` empty: there is none;
    None: it cannot be told.
    """

    target: str
    mesh: str
    action: Action
    desired: Route | None
    live: Route | None
    owners: tuple[Owner, ...] = ()
    is_observe_only: bool = False
    ready: Mapping[str, int | None] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()
    undefined: frozenset[str] = frozenset()
    rivals: tuple[str, ...] = ()
    winner: str = ""
    open_changes: tuple[str, ...] = ()
    shadows: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    quantisation_error_bp: int = 0
    kind: str = ""
    object: str = ""
    is_production: bool = False
    max_step_bp: int = 5000
    asked: Route | None = None
    written: Route | None = None
    outranked_by: tuple[str, ...] = ()
    outranks: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()
    is_ambient: bool = False
    waypoint: str | None = None

    @property
    def is_gateway_api(self) -> bool:
        """Whether the route is of the Gateway API: merged with its likes, the most specific match first."""
        return self.kind in GATEWAY_KINDS
