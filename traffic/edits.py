"""Edits of a neutral Route: each gives the new Route, or says why not and how to mend it. Pure.

The shares of a rule that is touched sum to the whole; nothing else of the route moves. A form keeps the edits of its
structure as text (`encoded`, `decoded`) and makes them again on whatever the route is now (`replayed`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from meshes.types import FULL, Backend, HeaderMatch, Match, Root, Route, Rule, WeightedBackend
from meshui.lib import typed
from traffic.weights import distribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}")
MAX_VALUE: Final = 4096
MAX_BACKENDS: Final = 16
"""backendRefs of one rule of the Gateway API; the tightest of the meshes."""
MAX_RULES: Final = 16
FIRST_RULE: Final = "split"
HeaderType = Literal["exact", "prefix", "regex", "present"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an edit cannot be made, and what to do instead."""

    reason: str
    mend: str

    def __str__(self) -> str:
        return f"{self.reason} {self.mend}"


class AddBackend(msgspec.Struct, frozen=True, tag="add-backend"):
    """A further backend of a rule, at 0 %."""

    rule: str
    backend: Backend

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.backend.name} is added to “{self.rule}”, with 0 % at first."

    def apply(self, route: Route) -> Route | Refusal:
        """The route with it."""
        return add_backend(route, self.rule, self.backend)


class RemoveBackend(msgspec.Struct, frozen=True, tag="remove-backend"):
    """A backend that gets nothing of a rule any more; `moved` says in words who gets its share."""

    rule: str
    key: str
    moved: str = ""

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.key} is removed from “{self.rule}”. {self.moved}".strip()

    def apply(self, route: Route) -> Route | Refusal:
        """The route without it."""
        return remove_backend(route, self.rule, self.key)


class AddRule(msgspec.Struct, frozen=True, tag="add-rule"):
    """A rule before another one, for those of its callers that send a header: all of them to one backend."""

    before: str
    header: HeaderMatch
    backend: Backend

    @property
    def words(self) -> str:
        """For people."""
        return f"{said(self.header)} of “{self.before}” go to {self.backend.name}."

    def apply(self, route: Route) -> Route | Refusal:
        """The route with it."""
        return add_rule(route, self.before, self.header, [(self.backend, FULL)])


class EditRule(msgspec.Struct, frozen=True, tag="edit-rule"):
    """Other callers for a rule that matches a header."""

    rule: str
    header: HeaderMatch

    @property
    def words(self) -> str:
        """For people."""
        return f"“{self.rule}” is for {said(self.header, first='requests')}."

    def apply(self, route: Route) -> Route | Refusal:
        """The route with it."""
        return edit_rule(route, self.rule, self.header)


class RemoveRule(msgspec.Struct, frozen=True, tag="remove-rule"):
    """A rule that matches a header goes; its callers fall to the rules after it."""

    rule: str

    @property
    def words(self) -> str:
        """For people."""
        return f"“{self.rule}” is removed: the rules after it decide for its callers."

    def apply(self, route: Route) -> Route | Refusal:
        """The route without it."""
        return remove_rule(route, self.rule)


Edit = AddBackend | RemoveBackend | AddRule | EditRule | RemoveRule


@dataclass(frozen=True, slots=True)
class Replayed:
    """A route after its edits. `refused`: those that no longer fit it, each by its place in the list."""

    route: Route
    refused: tuple[tuple[int, Refusal], ...]


def encoded(edit: Edit) -> str:
    """The edit as text for a form."""
    return msgspec.json.encode(edit).decode()


def decoded(text: str) -> Edit:
    """The edit that `encoded` made. Raises msgspec.ValidationError, msgspec.DecodeError."""
    edit: Edit = typed.decoded(text, Edit)
    return edit


def replayed(route: Route, edits: Sequence[Edit]) -> Replayed:
    """All edits, one after the other; one that is refused is left out and named."""
    refused: list[tuple[int, Refusal]] = []
    for place, edit in enumerate(edits):
        answer = edit.apply(route)
        if isinstance(answer, Refusal):
            refused.append((place, answer))
        else:
            route = answer
    return Replayed(route, tuple(refused))


def start(root: Root, backends: Sequence[Backend], *, protocol: Literal["http", "grpc"] = "http") -> Route | Refusal:
    """A route where none is: all requests to the first of `backends`, none to the others yet."""
    if len(backends) < 2:
        return Refusal("A split needs at least two versions.", "Choose a second one.")
    if fault := _faults_of(backends):
        return fault
    shares = tuple(WeightedBackend(item, FULL if place == 0 else 0) for place, item in enumerate(backends))
    return Route(root=root, rules=(Rule(FIRST_RULE, (), shares),), protocol=protocol)


def set_shares(route: Route, rule: str, shares: Mapping[str, int]) -> Route | Refusal:
    """The backends of `rule` share as `shares` (basis points by key) says: all of them, together the whole."""

    def change(found: Rule) -> Rule | Refusal:
        if {item.backend.key for item in found.backends} != set(shares) or len(shares) != len(found.backends):
            return Refusal(f"“{rule}” has other backends than were given.", "Open the form again.")
        if any(share < 0 for share in shares.values()) or sum(shares.values()) != FULL:
            total = sum(shares.values()) / 100
            return Refusal(f"The shares of “{rule}” add up to {total:.2f} %.", "Make them add up to 100 %.")
        return _shared(found, [shares[item.backend.key] for item in found.backends])

    return _changed(route, rule, change)


def add_backend(route: Route, rule: str, backend: Backend) -> Route | Refusal:
    """`rule` with `backend` as its last, at 0 %."""

    def change(found: Rule) -> Rule | Refusal:
        if not found.backends:
            return Refusal(f"“{rule}” sends to no backend: it answers by itself.", "Add it to another rule.")
        if fault := _faults_of([*(item.backend for item in found.backends), backend]):
            return fault
        return replace(found, backends=(*found.backends, WeightedBackend(backend, 0)))

    return _changed(route, rule, change)


def remove_backend(route: Route, rule: str, key: str) -> Route | Refusal:
    """`rule` without the backend `key`; its share goes to those that have one already, in proportion."""

    def change(found: Rule) -> Rule | Refusal:
        rest = [item for item in found.backends if item.backend.key != key]
        if len(rest) != len(found.backends) - 1:
            return Refusal(f"“{rule}” does not have {key} exactly once.", "Open the form again.")
        if not rest:
            return Refusal(f"{key} is the only backend of “{rule}”.", "Add another one first, or end the split.")
        if not any(item.weight_bp for item in rest):
            return Refusal(f"{key} has all requests of “{rule}”.", "Give another backend a share first.")
        shares = distribute(FULL, [item.weight_bp for item in rest])
        return _shared(replace(found, backends=tuple(rest)), shares)

    return _changed(route, rule, change)


def moved_words(route: Route, rule: str, key: str) -> str:
    """Who gets the share of `key` when it is removed from `rule`, in a sentence; empty: nobody, or it cannot be."""
    after = remove_backend(route, rule, key)
    if isinstance(after, Refusal):
        return ""
    new = next(item for item in after.rules if item.name == rule)
    before = {b.backend.key: b.weight_bp for found in route.rules if found.name == rule for b in found.backends}
    moved = [(b.backend.name, before[b.backend.key], b.weight_bp) for b in new.backends]
    parts = [f"{name} goes from {percent(was)} to {percent(now)}" for name, was, now in moved if was != now]
    return f"{', '.join(parts)}." if parts else ""


def add_rule(
    route: Route, before: str, header: HeaderMatch, backends: Sequence[tuple[Backend, int]]
) -> Route | Refusal:
    """A rule right before `before`, for those of its requests that also carry `header`, shared by `backends`."""
    place = _place(route, before)
    if isinstance(place, Refusal):
        return place
    narrowed = route.rules[place].matches or (Match(),)
    matches = tuple(replace(match, headers=(*match.headers, header)) for match in narrowed)
    faults = (
        header_fault(header),
        _faults_of([backend for backend, _ in backends]),
        _share_fault([share for _, share in backends]),
        _room_fault(route, before, header, narrowed),
        _taken(route, matches),
    )
    if fault := next((found for found in faults if found), None):
        return fault
    rule = Rule(_free_name(route, header), matches, tuple(WeightedBackend(item, share) for item, share in backends))
    return replace(route, rules=(*route.rules[:place], rule, *route.rules[place:]))


def edit_rule(route: Route, rule: str, header: HeaderMatch) -> Route | Refusal:
    """`rule` with `header` in place of the one header that it matched."""
    if fault := header_fault(header):
        return fault

    def change(found: Rule) -> Rule | Refusal:
        if header_of(found) is None:
            return Refusal(f"“{rule}” does not match one header alone.", "Change it where it was written.")
        matches = tuple(replace(match, headers=(header,)) for match in found.matches)
        if matches != found.matches and (fault := _taken(route, matches)):
            return fault
        return replace(found, matches=matches)

    return _changed(route, rule, change)


def remove_rule(route: Route, rule: str) -> Route | Refusal:
    """The route without `rule`, which matches a header; a rule after it takes its requests."""
    place = _place(route, rule)
    if isinstance(place, Refusal):
        return place
    if not is_for_chosen(route.rules[place]):
        return Refusal(f"“{rule}” is not for callers with a header alone.", "Change it where it was written.")
    if all(is_for_chosen(later) for later in route.rules[place + 1 :]):
        return Refusal(f"No rule after “{rule}” would take its requests.", "Keep it, or end the split.")
    return replace(route, rules=(*route.rules[:place], *route.rules[place + 1 :]))


def is_for_chosen(rule: Rule) -> bool:
    """Whether every request that `rule` takes must carry some header."""
    return bool(rule.matches) and all(match.headers for match in rule.matches)


def header_of(rule: Rule) -> HeaderMatch | None:
    """The one header that every match of `rule` asks for, if it is of a kind that can be edited here."""
    found = {match.headers for match in rule.matches}
    headers = next(iter(found)) if len(found) == 1 else ()
    if len(headers) != 1 or headers[0].is_inverted or headers[0].type == "suffix":
        return None
    return headers[0]


def header_fault(header: HeaderMatch) -> Refusal | None:
    """Why no mesh can match on this header; None: it is sound."""
    if not TOKEN.fullmatch(header.name):
        return Refusal(f"“{header.name[:40]}” is no name of a header.", "Write one such as x-beta, in small letters.")
    if header.type == "present":
        return Refusal("A header that need only be there has no value.", "Leave it empty.") if header.value else None
    if not header.value or len(header.value) > MAX_VALUE or not header.value.isprintable():
        return Refusal(
            f"The value of {header.name} is empty, too long or not printable.", "Write the value to look for."
        )
    return None


def said(header: HeaderMatch, *, first: str = "Requests") -> str:
    """`Requests whose header x-beta is 1`."""
    how = {"exact": "is", "prefix": "begins with", "regex": "matches", "suffix": "ends with"}
    if header.type == "present":
        return f"{first} with the header {header.name}"
    return f"{first} whose header {header.name} {how[header.type]} {header.value}"


def percent(share: int) -> str:
    """75 %, 99.5 %: for sentences of pure modules."""
    return f"{share / 100:.2f}".rstrip("0").rstrip(".") + "\u202f%"


def _share_fault(shares: Sequence[int]) -> Refusal | None:
    if not shares or sum(shares) != FULL or any(share < 0 for share in shares):
        return Refusal("The shares of the new rule do not add up to 100 %.", "Make them add up to 100 %.")
    return None


def _room_fault(route: Route, before: str, header: HeaderMatch, narrowed: Sequence[Match]) -> Refusal | None:
    if len(route.rules) >= MAX_RULES:
        return Refusal(f"The route has {MAX_RULES} rules already.", "Remove one that nobody needs.")
    if any(found.name == header.name for match in narrowed for found in match.headers):
        return Refusal(f"“{before}” asks for {header.name} already.", "Choose another header, or change that rule.")
    return None


def _taken(route: Route, matches: tuple[Match, ...]) -> Refusal | None:
    if any(rule.matches == matches for rule in route.rules):
        return Refusal("A rule for the same requests is there already.", "Change that one.")
    return None


def _faults_of(backends: Sequence[Backend]) -> Refusal | None:
    """Why these cannot stand in one rule."""
    keys = [backend.key for backend in backends]
    twice = next((key for key in keys if keys.count(key) > 1), "")
    if twice:
        return Refusal(f"{twice} would stand twice in one rule.", "Choose another one.")
    if len(keys) > MAX_BACKENDS:
        return Refusal(f"A rule holds at most {MAX_BACKENDS} backends.", "Remove one that gets nothing.")
    return None


def _shared(rule: Rule, shares: Sequence[int]) -> Rule:
    """The native weight of a share that did not move is kept."""
    pairs = zip(rule.backends, shares, strict=True)
    backends = tuple(
        item if item.weight_bp == share else replace(item, weight_bp=share, native_weight=None) for item, share in pairs
    )
    return replace(rule, backends=backends)


def _changed(route: Route, name: str, change: Callable[[Rule], Rule | Refusal]) -> Route | Refusal:
    place = _place(route, name)
    if isinstance(place, Refusal):
        return place
    rule = change(route.rules[place])
    if isinstance(rule, Refusal):
        return rule
    return replace(route, rules=(*route.rules[:place], rule, *route.rules[place + 1 :]))


def _place(route: Route, name: str) -> int | Refusal:
    found = [place for place, rule in enumerate(route.rules) if rule.name == name]
    if len(found) != 1:
        return Refusal(f"There is no rule “{name}” in this route.", "It changed meanwhile: open the form again.")
    return found[0]


def _free_name(route: Route, header: HeaderMatch) -> str:
    """A name for a rule: of the Gateway API a DNS label, so letters, digits and dashes."""
    taken = {rule.name for rule in route.rules}
    stem = re.sub(r"[^a-z0-9]+", "-", header.name).strip("-")[:40] or "header"
    return next(name for n in range(1, MAX_RULES + 2) if (name := f"{stem}-{n}") not in taken)
