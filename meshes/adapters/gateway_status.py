"""How far a route of the Gateway API is known to have come: what its controller says of this very generation. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from meshes.adapters.base import Verification
from meshes.adapters.edits import same_rules
from meshes.adapters.gateway_kinds import is_service, parent_of, parents_of
from meshes.adapters.natives import namespace_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.adapters.gateway_kinds import Flavour, Parent
    from meshes.types import LiveRoute, Route

WANTED = ("Accepted", "ResolvedRefs")


def verify(desired: Route | None, live: LiveRoute | None, flavour: Flavour) -> Verification:
    """L2 where every Service among the parents is accepted, with all references resolved, for this generation."""
    if desired is None or live is None:
        is_right = desired is None and live is None
        return Verification("L1", "verified" if is_right else "mismatch", "" if is_right else _gone(live))
    if not same_rules(desired.rules, live.route.rules):
        return Verification("L1", "mismatch", "What is stored has other rules or weights.")
    answers = [_answer(parent, live, flavour) for parent in parents_of(live.body)]
    for wanted in ("mismatch", "waiting"):
        for answer, detail in answers:
            if answer == wanted:
                return Verification("L1", wanted, detail)
    return Verification("L2", "verified", f"{flavour.controller} accepted it, and all its references resolve.")


def _gone(live: LiveRoute | None) -> str:
    return f"{live.ref} is still there." if live else "It is not there."


def _answer(parent: Parent, live: LiveRoute, flavour: Flavour) -> tuple[str, str]:
    """(answer, detail) for one Service."""
    found = {str(condition.get("type")): condition for condition in _conditions(parent, live, flavour)}
    for kind in WANTED:
        condition = found.get(kind)
        if condition is None:
            return "waiting", f"{flavour.controller} has not said {kind} of {parent.service} yet."
        seen = condition.get("observedGeneration")
        is_late = isinstance(seen, int) and seen != live.generation
        if is_late or (seen is None and flavour.says_generation):
            return "waiting", f"{kind} of {parent.service} is of an older generation."
        if condition.get("status") != "True":
            why = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
            return "mismatch", f"{kind} of {parent.service} is {condition.get('status')}: {why or 'no reason given'}"
    return "verified", ""


def _conditions(parent: Parent, live: LiveRoute, flavour: Flavour) -> Iterator[dict[str, Any]]:
    """What our controller says of this parent: another controller's word, or one on another parent, says nothing."""
    status = cast("dict[str, Any]", live.body.get("status") or {})
    for entry in status.get("parents") or []:
        ref = entry.get("parentRef") or {}
        if entry.get("controllerName") != flavour.controller or not is_service(ref):
            continue
        other = parent_of(ref, namespace_of(live.body))
        if (other.service, other.namespace, other.port) == (parent.service, parent.namespace, parent.port):
            yield from entry.get("conditions") or []
