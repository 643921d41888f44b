"""What a desired route changes of a live one, rule by rule, and what of it nobody may do: for every mesh. Pure.

Rules are known by name, their order stays. A backend without a port is the one of that name, whatever its port.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meshes.types import FULL, Loss, Match

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from meshes.types import Backend, Route, Rule, WeightedBackend

MASK = "masked·hmac:"
"""How a value begins that is hidden wherever it is kept (meshui.lib.masking): nothing that a cluster may get."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A rule that stays, with other matches or backends. `index`: its place in the live route."""

    index: int
    wanted: Rule
    found: Rule


@dataclass(frozen=True, slots=True)
class Edits:
    """Live indices of what changes and goes, final indices of what comes."""

    changed: tuple[Changed, ...] = ()
    removed: tuple[tuple[int, Rule], ...] = ()
    added: tuple[tuple[int, Rule], ...] = ()


def named_rules(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Every rule has a name of its own: the native one, else its place."""
    native = {rule.name for rule in rules}
    taken: set[str] = set()
    found = []
    for index, rule in enumerate(rules):
        name = rule.name
        if not name or name in taken:
            name = f"rule-{index + 1}"
            while name in taken or name in native:
                name += "-"
        taken.add(name)
        found.append(rule if rule.name == name else replace(rule, name=name))
    return tuple(found)


def edits_of(desired: Sequence[Rule], live: Sequence[Rule]) -> Edits:
    """What makes `live` as `desired`; nothing where they differ in names alone, which not every mesh keeps."""
    if same_rules(desired, live):
        return Edits()
    places = {rule.name: index for index, rule in enumerate(live)}
    names = {rule.name for rule in desired}
    kept = [Changed(places[rule.name], rule, live[places[rule.name]]) for rule in desired if rule.name in places]
    return Edits(
        changed=tuple(c for c in sorted(kept, key=lambda c: c.index) if not same_rule(c.wanted, c.found)),
        removed=tuple((index, rule) for index, rule in enumerate(live) if rule.name not in names),
        added=tuple((index, rule) for index, rule in enumerate(desired) if rule.name not in places),
    )


def same_rules(desired: Sequence[Rule], live: Sequence[Rule]) -> bool:
    """Whether both send every request the same way; names do not count, for not every mesh keeps them."""
    return len(desired) == len(live) and all(map(same_rule, desired, live))


def same_rule(wanted: Rule, found: Rule) -> bool:
    """The same matches and the same shares of the same backends, in whatever order."""
    return same_matches(wanted, found) and same_backends(wanted, found)


def same_matches(wanted: Rule, found: Rule) -> bool:
    """Matches are OR-ed, so their order does not count; nor that of the parts of one, which are AND-ed."""
    return sorted(map(normal, wanted.matches), key=repr) == sorted(map(normal, found.matches), key=repr)


def normal(match: Match) -> Match:
    """`match` with its parts in one order: all of them must hold, so their order says nothing."""
    return replace(
        match,
        methods=tuple(sorted(match.methods)),
        headers=tuple(sorted(match.headers, key=repr)),
        query=tuple(sorted(match.query, key=repr)),
        opaque=tuple(sorted(match.opaque)),
    )


def same_backends(wanted: Rule, found: Rule) -> bool:
    """Every backend of the one is in the other, with the same share."""
    places = places_of(wanted, found)
    if len(wanted.backends) != len(found.backends) or None in places or len(set(places)) != len(places):
        return False
    pairs = zip(wanted.backends, places, strict=True)
    return all(place is not None and b.weight_bp == found.backends[place].weight_bp for b, place in pairs)


def places_of(wanted: Rule, found: Rule) -> list[int | None]:
    """For each wanted backend its place among the found ones; None: it is new."""
    return [_place(weighted.backend, found.backends) for weighted in wanted.backends]


def _place(backend: Backend, found: Sequence[WeightedBackend]) -> int | None:
    for index, other in enumerate(found):
        if other.backend.key == backend.key:
            return index
    fitting = [i for i, other in enumerate(found) if _without_port(other.backend) == _without_port(backend)]
    return fitting[0] if backend.port is None and len(fitting) == 1 else None


def _without_port(backend: Backend) -> tuple[str, str, str]:
    return backend.namespace, backend.service, backend.subset


def fresh_matches(desired: Route, live: Route | None) -> Iterator[tuple[str, Match]]:
    """(rule, match) of the matches that come; one that is there already was good enough."""
    edits = edits_of(desired.rules, live.rules if live else ())
    for change in edits.changed:
        old = list(map(normal, change.found.matches))
        yield from ((change.wanted.name, match) for match in change.wanted.matches if normal(match) not in old)
    yield from ((rule.name, match) for _, rule in edits.added for match in rule.matches)


def fresh_backends(desired: Route, live: Route | None) -> list[Backend]:
    """Backends that rules get, each once."""
    edits = edits_of(desired.rules, live.rules if live else ())
    found = [weighted.backend for _, rule in edits.added for weighted in rule.backends]
    for change in edits.changed:
        pairs = zip(change.wanted.backends, places_of(change.wanted, change.found), strict=True)
        found += [weighted.backend for weighted, place in pairs if place is None]
    return list(dict.fromkeys(found))


def losses_of(desired: Route, live: Route | None, *, is_ordered: bool) -> list[Loss]:
    """What no mesh may be asked for. `live` None: the route starts. `is_ordered`: the first rule that fits decides."""
    losses = list(_losses_of_route(desired, live))
    before = live.rules if live else ()
    if losses or same_rules(desired.rules, before):
        return losses
    edits = edits_of(desired.rules, before)
    losses += _order_losses(desired.rules, before)
    losses += _catch_all_losses(desired.rules, before) if is_ordered else _some_catch_all(desired.rules, before)
    for change in edits.changed:
        losses += _changed_losses(change)
    for _, rule in edits.added:
        losses += _added_losses(rule)
    return losses


def _losses_of_route(desired: Route, live: Route | None) -> Iterator[Loss]:
    names = [rule.name for rule in desired.rules]
    if live is not None:
        mine, theirs = desired.root, live.root
        ports = {mine.port, theirs.port} - {None}
        if (mine.service, mine.namespace) != (theirs.service, theirs.namespace) or len(ports) > 1:
            yield refused("root", "It is the route of another service.")
        elif desired.protocol != live.protocol:
            yield refused("protocol", "The protocol of a route is not changed.")
        elif desired.scope != live.scope:
            text = f"Here it decides for {_whose(live.scope)}, not for {_whose(desired.scope)}: that is not changed."
            yield refused("scope", text)
    if not names:
        yield refused("rules", "It has no rule. To give the service back to itself, end the split.")
    if len(set(names)) != len(names):
        yield refused("rules", "Two rules have one name, so nobody can tell which is which. Rename one.")


def _whose(scope: str) -> str:
    """Whose requests a route with this scope decides, in words."""
    if scope.startswith("consumer("):
        return f"clients in {scope.removeprefix('consumer(').removesuffix(')')}"
    known = {"producer": "every client", "gateway": "gateways alone", "delegate": "what others hand to it"}
    return known.get(scope, scope)


def _order_losses(desired: Sequence[Rule], live: Sequence[Rule]) -> Iterator[Loss]:
    places = {rule.name: index for index, rule in enumerate(live)}
    kept = [places[rule.name] for rule in desired if rule.name in places]
    if kept != sorted(kept):
        text = "The order of rules is not changed: remove the rule, then add it where it shall stand."
        yield refused("rules", text)


def _catch_all_losses(desired: Sequence[Rule], live: Sequence[Rule]) -> Iterator[Loss]:
    """What was so before may stay so; nothing new may stand behind a catch-all, and none may be lost."""
    old = {rule.name: rule for rule in live}
    for place, rule in enumerate(desired[:-1]):
        is_new = rule.name not in old or not takes_all(old[rule.name])
        following = [other.name for other in desired[place + 1 :] if is_new or other.name not in old]
        if takes_all(rule) and following:
            text = f"It takes every request, so {_words(following)} behind it would get none. Put it last."
            yield refused(f"rules[{rule.name}]", text)
    was_open = bool(live) and not takes_all(live[-1])
    if not takes_all(desired[-1]) and not was_open:
        text = "The last rule must take every request: one that no rule matches is answered with 404."
        yield refused(f"rules[{desired[-1].name}]", text)


def _some_catch_all(desired: Sequence[Rule], live: Sequence[Rule]) -> Iterator[Loss]:
    had_none = bool(live) and not any(takes_all(rule) for rule in live)
    if not had_none and not any(takes_all(rule) for rule in desired):
        text = "One rule must take every request: one that no rule matches is answered with 404."
        yield refused("rules", text)


def takes_all(rule: Rule) -> bool:
    """Whether every request matches it."""
    return not rule.matches or any(_is_open(match) for match in rule.matches)


def _is_open(match: Match) -> bool:
    path = match.path
    is_root = path is not None and path.value == "/" and path.type in {"prefix", "segments"}
    return match == Match() or (is_root and replace(match, path=None) == Match())


def _words(names: Sequence[str]) -> str:
    return " and ".join(f"rule {name}" for name in names)


def _changed_losses(change: Changed) -> Iterator[Loss]:
    wanted, found = change.wanted, change.found
    where = f"rules[{wanted.name}]"
    if not same_matches(wanted, found):
        old = list(map(normal, found.matches))
        yield from _masked_losses(where, [match for match in wanted.matches if normal(match) not in old])
    if same_backends(wanted, found):
        return
    if reason := _backend_fault(wanted, found):
        yield refused(f"{where}.backends", reason)


def _backend_fault(wanted: Rule, found: Rule) -> str:
    if not found.backends:
        return "It sends nothing to backends itself (it redirects, answers or delegates), so it cannot share them out."
    keys = [weighted.backend.key for weighted in found.backends]
    if len(set(keys)) != len(keys):
        return "A backend stands twice in this rule, so nobody can tell which one is meant. Merge them first."
    return _shares_fault(wanted, places_of(wanted, found))


def _shares_fault(wanted: Rule, places: Sequence[int | None] = ()) -> str:
    if not wanted.backends:
        return "It names no backend. Remove the rule instead."
    keys = [weighted.backend.key for weighted in wanted.backends]
    known = [place for place in places if place is not None]
    if len(set(keys)) != len(keys) or len(set(known)) != len(known):
        return "A backend stands twice in this rule, so nobody can tell which one is meant. Merge them first."
    shares = [weighted.weight_bp for weighted in wanted.backends]
    if len(shares) == 1 and shares != [FULL]:
        return "A single destination gets all requests, whatever its weight. Add a second backend first."
    if any(share < 0 for share in shares) or sum(shares) != FULL:
        return "Weights must be 0 or more and add up to 100 %."
    return ""


def _added_losses(rule: Rule) -> Iterator[Loss]:
    where = f"rules[{rule.name}]"
    yield from _masked_losses(where, rule.matches)
    if reason := _shares_fault(rule):
        yield refused(f"{where}.backends", reason)
    left = [*rule.extras, *(["timeout"] if rule.timeout_ms is not None else [])]
    if left:
        text = f"A new rule is made of matches and backends alone: without {', '.join(left)}."
        yield Loss(where, text)


def _masked_losses(where: str, matches: Sequence[Match]) -> Iterator[Loss]:
    if any(MASK in value for match in matches for value in _values(match)):
        text = (
            "A value in this match is kept masked, as all that may be a secret, so it cannot be written. Match on a "
            "header whose name does not speak of cookies, tokens, keys, passwords or authorization."
        )
        yield refused(f"{where}.matches", text)


def _values(match: Match) -> Iterator[str]:
    yield match.path.value if match.path else ""
    yield from (header.value for header in match.headers)
    yield from (part.value for part in match.query)
    yield from (value for _, value in match.opaque)


def refused(path: str, reason: str) -> Loss:
    """A loss that would move requests: never approved."""
    return Loss(path, reason, moves_requests=True)
