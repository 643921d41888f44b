"""What the checks of one target know: values alone, gathered before they run. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from meshes.types import Loss, Route
    from traffic.types import Action

OwnerClass = Literal["controller", "gitops", "ours", "human", "unknown"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Who else writes an object that would be written: `object` in words, the class of change-control §5.7, a name."""

    object: str
    owner_class: OwnerClass
    name: str


@dataclass(frozen=True, slots=True)
class Facts:
    """One target of a proposal. `target`: the cluster's slug, `mesh` the kind.

    `desired` None: the split ends; `live` None: it starts. `ready`: ready pods by backend key, None where it cannot be
    told; a backend whose Service does not exist is in `missing`, a subset that nothing defines in `undefined`.
    `rivals`: other objects that claim the same host or parent, in words; `winner`: which of all is believed to decide.
    `open_changes`: other open changes on the same route, in words. `shadows`: what switches the route off altogether
    (a ServiceProfile). `is_first_policy` and the like come with policies.
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
