"""Writing weights into VirtualServices, and the part of them that decides routing. Pure."""

from __future__ import annotations

import copy
import hashlib
from functools import reduce
from math import gcd
from typing import TYPE_CHECKING, Any, cast

from clusters.clients import PatchOperation
from meshes.adapters.base import Problem, UnreadableRouteError
from meshes.adapters.istio_read import labels_of, plain
from meshes.types import FULL, Loss, NativeWrite, Projection, Rendered
from meshui.lib.canonical import NotCanonicalError, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshes.types import LiveRoute, Route, Rule
    from meshui.lib.jsontypes import JsonObject


def project(live: LiveRoute) -> Projection:
    """All of spec, weights divided by their greatest common divisor; a single destination has none.

    Every field of a VirtualService's spec decides routing; of its labels istio.io/rev alone does, of annotations none.
    """
    spec = cast("dict[str, Any]", copy.deepcopy(live.body.get("spec") or {}))
    for field in ("http", "tcp", "tls"):
        for rule in spec.get(field) or []:
            _reduce(rule.get("route") or [])
    labels = labels_of(live.body)
    read_by = {"istio.io/rev": str(labels["istio.io/rev"])} if "istio.io/rev" in labels else {}
    content = cast("JsonObject", {"spec": plain(spec), "labels": read_by})
    try:
        data = canonical({"uid": live.uid, "content": content})
    except NotCanonicalError as error:
        raise UnreadableRouteError([Problem("spec", f"It cannot be compared exactly: {error}.")]) from error
    return Projection(content, hashlib.sha256(data).hexdigest())


def _reduce(route: list[dict[str, Any]]) -> None:
    """50/50 and 1/1 are the same; a single destination gets everything whatever its weight says."""
    if len(route) == 1:
        route[0].pop("weight", None)
        return
    weights = [int(entry.get("weight") or 0) for entry in route]
    divisor = reduce(gcd, weights, 0) or 1
    for entry, weight in zip(route, weights, strict=True):
        entry["weight"] = weight // divisor


def render(desired: Route, live: LiveRoute) -> Rendered:
    """One write of moved weights: every old weight tested, every new one set, at the indices of this very body."""
    losses = tuple(_losses(desired, live.route))
    if losses:
        return Rendered((), losses)
    body = copy.deepcopy(live.body)
    operations: list[PatchOperation] = []
    http = cast("list[dict[str, Any]]", cast("dict[str, Any]", body["spec"])["http"])
    for index, (wanted, found) in enumerate(zip(desired.rules, live.route.rules, strict=True)):
        if _weights(wanted) != _weights(found):
            operations += _move(index, http[index]["route"], wanted, found)
    if not operations:
        return Rendered(())
    tests = [operation for operation in operations if operation.op == "test"]
    writes = [operation for operation in operations if operation.op != "test"]
    return Rendered((NativeWrite(live.ref, body, (*tests, *writes)),))


def same_weights(desired: Route, live: Route) -> bool:
    """Whether every rule has the same backends with the same shares."""
    return [_weights(rule) for rule in desired.rules] == [_weights(rule) for rule in live.rules]


def native_weights(shares: Sequence[int]) -> list[int]:
    """Whole percents when all are; else basis points (ruling 1): people read these objects."""
    return [share // 100 for share in shares] if all(share % 100 == 0 for share in shares) else list(shares)


def _move(index: int, route: list[dict[str, Any]], wanted: Rule, found: Rule) -> Iterator[PatchOperation]:
    """Every weight of a rule is written, also one that was absent: absent means 0 and is easily misread."""
    shares = dict(_weights(wanted))
    weights = native_weights([shares[b.backend.key] for b in found.backends])
    for place, (entry, weight) in enumerate(zip(route, weights, strict=True)):
        path = f"/spec/http/{index}/route/{place}"
        if entry.get("weight") is not None:
            yield PatchOperation("test", f"{path}/weight", entry["weight"])
            yield PatchOperation("replace", f"{path}/weight", weight)
        else:
            yield _test_of_parent(path, entry)
            yield PatchOperation("add", f"{path}/weight", weight)
        entry["weight"] = weight


def _test_of_parent(path: str, entry: dict[str, Any]) -> PatchOperation:
    """An entry without a weight is tested whole; beside header rules, which may hold secrets, its destination alone.

    Patches are kept with the plan; that nothing else moved is what the test of the resourceVersion is for.
    """
    if set(entry) == {"destination"}:
        return PatchOperation("test", path, copy.deepcopy(entry))
    return PatchOperation("test", f"{path}/destination", copy.deepcopy(entry["destination"]))


def _losses(desired: Route, live: Route) -> Iterator[Loss]:
    if (desired.root.service, desired.root.namespace) != (live.root.service, live.root.namespace):
        yield Loss("root", "It is the route of another service.", moves_requests=True)
    elif desired.protocol != live.protocol:
        yield Loss("protocol", "The protocol is not changed, only weights moved.", moves_requests=True)
    elif len(desired.rules) != len(live.rules):
        yield Loss("rules", "Rules are not added or removed, only weights moved.", moves_requests=True)
    else:
        for wanted, found in zip(desired.rules, live.rules, strict=True):
            if loss := _rule_loss(wanted, found):
                yield loss


def _rule_loss(wanted: Rule, found: Rule) -> Loss | None:
    where = f"rules[{wanted.name}]"
    if wanted.matches != found.matches:
        return Loss(f"{where}.matches", "Matches are not changed, only weights moved.", moves_requests=True)
    if _weights(wanted) == _weights(found):
        return None
    if reason := _backend_fault(wanted, found):
        return Loss(f"{where}.backends", reason, moves_requests=True)
    return None


def _backend_fault(wanted: Rule, found: Rule) -> str:
    before, after = [key for key, _ in _weights(found)], [key for key, _ in _weights(wanted)]
    if before != after:
        return "Backends are not added or removed, only weights moved."
    if len(set(before)) != len(before):
        return "A backend stands twice in this rule, so nobody can tell which one is meant. Merge them first."
    if len(before) == 1:
        return "A single destination gets all requests, whatever its weight. Add a second backend first."
    shares = [share for _, share in _weights(wanted)]
    if any(share < 0 for share in shares) or sum(shares) != FULL:
        return "Weights must be 0 or more and add up to 100 %."
    return ""


def _weights(rule: Rule) -> list[tuple[str, int]]:
    """By backend: a proposal may list them in another order."""
    return sorted((b.backend.key, b.weight_bp) for b in rule.backends)
