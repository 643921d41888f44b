"""Writing weights into Istio's objects, and the part of them that decides routing. Pure."""

from __future__ import annotations

import copy
import hashlib
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import PatchOperation
from meshes.adapters.istio_read import plain
from meshes.types import FULL, Loss, NativeWrite, Projection, Rendered
from meshui.lib.canonical import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meshes.types import LiveRoute, Route, Rule
    from meshui.lib.jsontypes import JsonObject


def project(live: LiveRoute) -> Projection:
    """spec with weights divided by their greatest common divisor; a single destination has none; plus the uid in the hash."""
    spec = cast("dict[str, Any]", copy.deepcopy(live.body.get("spec") or {}))
    for field in ("http", "tcp", "tls"):
        for rule in spec.get(field) or []:
            _reduce(rule.get("route") or [])
    content = cast("JsonObject", {"spec": plain(spec), "labels": _revision_label(live.body)})
    whole = {"uid": live.uid, "content": content}
    return Projection(content, hashlib.sha256(canonical(whole)).hexdigest())


def _revision_label(body: JsonObject) -> dict[str, str]:
    """istio.io/rev decides which control plane reads the object; no other label or annotation decides routing."""
    labels = cast("dict[str, Any]", (cast("dict[str, Any]", body.get("metadata") or {})).get("labels") or {})
    return {"istio.io/rev": str(labels["istio.io/rev"])} if "istio.io/rev" in labels else {}


def _reduce(route: list[dict[str, Any]]) -> None:
    if len(route) == 1:
        route[0].pop("weight", None)
        return
    weights = [int(entry.get("weight") or 0) for entry in route]
    divisor = reduce(gcd, weights, 0) or 1
    for entry, weight in zip(route, weights, strict=True):
        entry["weight"] = weight // divisor


def render(desired: Route, live: LiveRoute) -> Rendered:
    """One write of moved weights: every old weight tested, every new one replaced, at the indices of this very body."""
    losses = tuple(_losses(desired, live.route))
    if losses:
        return Rendered((), losses)
    body = copy.deepcopy(live.body)
    operations: list[PatchOperation] = []
    http = cast("list[dict[str, Any]]", cast("dict[str, Any]", body["spec"])["http"])
    for index, (wanted, found) in enumerate(zip(desired.rules, live.route.rules, strict=True)):
        if _weights(wanted) != _weights(found):
            operations += _move(index, http[index]["route"], wanted, found)
    tests = [operation for operation in operations if operation.op == "test"]
    writes = [operation for operation in operations if operation.op != "test"]
    return Rendered((NativeWrite(live.ref, body, (*tests, *writes)),))


def same_weights(desired: Route, live: Route) -> bool:
    """Whether every rule has the same backends with the same shares."""
    return [_weights(rule) for rule in desired.rules] == [_weights(rule) for rule in live.rules]


def native_weights(shares: Sequence[int]) -> list[int]:
    """Whole percents when all are; else basis points (ruling 1): people read these objects."""
    return [share // 100 for share in shares] if all(share % 100 == 0 for share in shares) else list(shares)


def _move(index: int, route: list[dict[str, Any]], wanted: Rule, found: Rule) -> list[PatchOperation]:
    """`wanted` may list the backends in another order: each is found by its key."""
    shares = _weights(wanted)
    weights = native_weights([shares[b.backend.key] for b in found.backends])
    operations: list[PatchOperation] = []
    for place, (entry, weight) in enumerate(zip(route, weights, strict=True)):
        path = f"/spec/http/{index}/route/{place}"
        if "weight" in entry:
            operations.append(PatchOperation("test", f"{path}/weight", entry["weight"]))
            operations.append(PatchOperation("replace", f"{path}/weight", weight))
        else:
            operations.append(PatchOperation("test", path, copy.deepcopy(entry)))
            operations.append(PatchOperation("add", f"{path}/weight", weight))
        entry["weight"] = weight
    return operations


def _losses(desired: Route, live: Route) -> list[Loss]:
    if (desired.root.service, desired.root.namespace) != (live.root.service, live.root.namespace):
        return [Loss("root", "It is the route of another service.", moves_requests=True)]
    if len(desired.rules) != len(live.rules):
        return [Loss("rules", "Rules are not added or removed, only weights moved.", moves_requests=True)]
    losses: list[Loss] = []
    for wanted, found in zip(desired.rules, live.rules, strict=True):
        losses += _rule_losses(wanted, found)
    return losses


def _rule_losses(wanted: Rule, found: Rule) -> list[Loss]:
    where = f"rules[{wanted.name}]"
    if wanted.matches != found.matches:
        return [Loss(f"{where}.matches", "Matches are not changed, only weights moved.", moves_requests=True)]
    before, after = _weights(found), _weights(wanted)
    if before == after:
        return []
    if set(before) != set(after) or len(wanted.backends) != len(found.backends):
        return [Loss(f"{where}.backends", "Backends are not added or removed.", moves_requests=True)]
    if len(before) != len(found.backends):
        return [Loss(f"{where}.backends", "A backend is listed twice: which one is meant?", moves_requests=True)]
    if len(found.backends) == 1:
        return [Loss(f"{where}.backends", "A single destination gets everything.", moves_requests=True)]
    if sum(after.values()) != FULL or any(share < 0 for share in after.values()):
        return [Loss(f"{where}.backends", "Weights must be 0 or more and add up to 100 %.", moves_requests=True)]
    return []


def _weights(rule: Rule) -> dict[str, int]:
    return {b.backend.key: b.weight_bp for b in rule.backends}
