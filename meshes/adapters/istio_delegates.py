"""VirtualServices that hand requests on to others: their rules as the root's own where that can be said. Pure.

A followed rule is named `<rule>/<its rule>` and has an extra that names the delegate: shown here, changed there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.adapters import istio_read
from meshes.adapters.base import Problem, UnreadableRouteError
from meshes.adapters.edits import refused, same_rules
from meshes.adapters.natives import dicts, name_of, namespace_of
from meshes.types import Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from meshes.types import Loss, PathMatch, Route, Rule
    from meshui.lib.jsontypes import JsonObject

    Bodies = Mapping[tuple[str, str], JsonObject]

MARK = "delegate "
FIELD = "delegate"


def by_name(bodies: Iterable[JsonObject]) -> Bodies:
    """VirtualServices by namespace and name."""
    return {(namespace_of(body), name_of(body)): body for body in bodies if body.get("kind") != "DestinationRule"}


def targets_of(body: JsonObject) -> dict[int, tuple[str, str]]:
    """Rule index → the (namespace, name) that it delegates to."""
    spec = body.get("spec")
    return {
        index: (str(rule[FIELD].get("namespace") or namespace_of(body)), str(rule[FIELD].get("name") or ""))
        for index, rule in enumerate(dicts(spec.get("http") if isinstance(spec, dict) else None))
        if rule.get(FIELD) and isinstance(rule[FIELD], dict)
    }


def followed(route: Route, body: JsonObject, bodies: Bodies) -> tuple[Route, tuple[Problem, ...]]:
    """`route`, read from `body`, with the rules of its delegates in the place of those that delegate."""
    targets = targets_of(body)
    if not targets:
        return route, ()
    rules: list[Rule] = []
    problems: list[Problem] = []
    for index, rule in enumerate(route.rules):
        if index not in targets:
            rules.append(rule)
            continue
        try:
            rules += _rules_of(rule, targets[index], bodies)
        except UnreadableRouteError as error:
            problems += [Problem(f"spec.http[{index}].delegate", problem.message) for problem in error.problems]
            rules.append(rule)
    return replace(route, rules=tuple(rules)), tuple(problems)


def _rules_of(rule: Rule, target: tuple[str, str], bodies: Bodies) -> Iterator[Rule]:
    """Raises UnreadableRouteError where the delegate cannot be said as rules of its root."""
    words = f"VirtualService {'/'.join(target)}"
    body = bodies.get(target)
    if body is None:
        raise UnreadableRouteError([Problem("", f"Its requests go on to {words}, which is not there: they get 404.")])
    route, _ = istio_read.route_of(body)
    if route.scope != istio_read.DELEGATE:
        text = f"Its requests go on to {words}, which names hosts of its own: Istio does not delegate to it."
        raise UnreadableRouteError([Problem("", text)])
    if targets_of(body):
        text = f"Its requests go on to {words}, which delegates again: Istio does not follow that."
        raise UnreadableRouteError([Problem("", text)])
    kept = tuple(extra for extra in rule.extras if extra != FIELD)
    for other in route.rules:
        matches = tuple(_both(mine, theirs, words) for mine in rule.matches for theirs in other.matches)
        yield replace(
            other,
            name=f"{rule.name}/{other.name}",
            matches=matches or rule.matches or other.matches,
            timeout_ms=other.timeout_ms if rule.timeout_ms is None else rule.timeout_ms,
            extras=(*sorted({*kept, *other.extras}), f"{MARK}{'/'.join(target)}"),
        )


def _both(mine: Match, theirs: Match, words: str) -> Match:
    """Requests that match both. Raises UnreadableRouteError where one match cannot say it."""
    names = [*(h.name for h in mine.headers), *(h.name for h in theirs.headers)]
    names += [*(q.name for q in mine.query), *(q.name for q in theirs.query)]
    path = _path(mine.path, theirs.path)
    clash = len(set(names)) != len(names) or (mine.methods and theirs.methods) or (mine.opaque and theirs.opaque)
    if clash or (path is None and mine.path and theirs.path):
        text = f"Its requests go on to {words}, whose matches cannot be told together with its own."
        raise UnreadableRouteError([Problem("", text)])
    headers = sorted((*mine.headers, *theirs.headers), key=lambda h: (h.name, h.is_inverted))
    query = sorted((*mine.query, *theirs.query), key=lambda q: q.name)
    return Match(path, mine.methods or theirs.methods, tuple(headers), tuple(query), mine.opaque or theirs.opaque)


def _path(mine: PathMatch | None, theirs: PathMatch | None) -> PathMatch | None:
    """The narrower one, if it lies inside the other."""
    if mine is None or theirs is None:
        return mine or theirs
    if mine.type == "prefix" and theirs.type in {"prefix", "exact"} and theirs.value.startswith(mine.value):
        return theirs
    return mine if mine == theirs else None


def is_followed(rule: Rule) -> bool:
    """Whether the rule stands in another VirtualService than the one it is shown with."""
    return any(extra.startswith(MARK) for extra in rule.extras)


def folded(desired: Route, shown: Route, native: Route) -> tuple[Route, tuple[Loss, ...]]:
    """`desired`, made from `shown`, with the delegating rules in place of the followed ones, which may not change."""
    losses: list[Loss] = []
    rules: list[Rule] = []
    done: set[str] = set()
    for rule in desired.rules:
        base = next((r for r in native.rules if FIELD in r.extras and rule.name.startswith(f"{r.name}/")), None)
        if base is None:
            rules.append(rule)
        elif base.name not in done:
            done.add(base.name)
            rules.append(base)
            losses += _moved(base, desired.rules, shown.rules)
    return replace(desired, rules=tuple(rules)), tuple(losses)


def _moved(base: Rule, desired: Sequence[Rule], shown: Sequence[Rule]) -> Iterator[Loss]:
    mine = [rule for rule in desired if rule.name.startswith(f"{base.name}/")]
    theirs = [rule for rule in shown if rule.name.startswith(f"{base.name}/")]
    if not same_rules(mine, theirs):
        where = next((e for rule in theirs for e in rule.extras if e.startswith(MARK)), "delegate VirtualService")
        text = f"Its rules stand in VirtualService {where.removeprefix(MARK)}: change them there."
        yield refused(f"rules[{base.name}]", text)


def own_rules(rules: Sequence[Rule]) -> list[Rule]:
    """The rules that stand in the VirtualService itself: without followed ones, and without those that delegate."""
    return [rule for rule in rules if not is_followed(rule) and FIELD not in rule.extras]
