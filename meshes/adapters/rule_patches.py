"""The JSON Patch that makes the native rules of a live object as wanted: the same for every kind that lists them.

Tests come first, at the indices of the very body that was read; then weights, matches and backends inside rules that
stay; then whole rules go from the last up, and come from the first down. What may hold a secret (headers, cookies) is
never put into an operation to be tested: operations are kept, and the resourceVersion guards the rest. Pure.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clusters.clients import PatchOperation
from meshes.adapters.edits import edits_of, normal, places_of, same_backends, same_matches
from meshes.adapters.patching import pointer
from meshes.adapters.shares import native_weights
from meshes.types import Loss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from meshes.adapters.edits import Changed
    from meshes.types import Backend, Match, Rule

Native = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a kind keeps its rules.

    `rules`, `backends`, `matches`: its names for them. `leads`: what of an entry says where it leads; one with more has
    extras. `safe`: parts of a match that never hold a secret. `is_named`: whether rules may carry our names.
    """

    rules: str
    backends: str
    matches: str
    leads: tuple[str, ...]
    safe: tuple[str, ...]
    is_named: bool
    to_match: Callable[[Match], Native]
    to_backend: Callable[[Backend], Native]

    def native_rule(self, rule: Rule) -> Native:
        """A new rule: its matches and backends, every weight written."""
        weights = native_weights([weighted.weight_bp for weighted in rule.backends])
        entries = [
            {**self.to_backend(weighted.backend), "weight": weight}
            for weighted, weight in zip(rule.backends, weights, strict=True)
        ]
        name: Native = {"name": rule.name} if self.is_named and not rule.name.startswith("rule-") else {}
        matches: Native = {self.matches: [self.to_match(match) for match in rule.matches]} if rule.matches else {}
        return {**name, **matches, self.backends: entries}


def operations_of(
    dialect: Dialect, native: Sequence[Native], desired: Sequence[Rule], live: Sequence[Rule]
) -> tuple[PatchOperation, ...]:
    """Empty where nothing changes."""
    edits = edits_of(desired, live)
    found: list[PatchOperation] = []
    for change in edits.changed:
        patch = _RulePatch(dialect, native[change.index], change)
        found += patch.matches()
        found += patch.backends()
    for index, _ in reversed(edits.removed):
        found += _removed_rule(dialect, native[index], index)
    for index, rule in edits.added:
        found.append(PatchOperation("add", pointer("spec", dialect.rules, index), dialect.native_rule(rule)))
    return tuple(sorted(found, key=lambda operation: operation.op != "test"))


def extras_lost(
    dialect: Dialect, native: Sequence[Native], desired: Sequence[Rule], live: Sequence[Rule]
) -> Iterator[Loss]:
    """What goes with rules and backends that are removed, though the model has no words for it."""
    edits = edits_of(desired, live)
    for _, rule in edits.removed:
        left = [*rule.extras, *(["timeout"] if rule.timeout_ms is not None else [])]
        if left:
            yield Loss(f"rules[{rule.name}]", f"With the rule goes what else it holds: {', '.join(left)}.")
    for change in edits.changed:
        kept = set(places_of(change.wanted, change.found))
        for place, entry in enumerate(native[change.index].get(dialect.backends) or []):
            left = sorted(set(entry) - {*dialect.leads, "weight"})
            if place not in kept and left:
                name = change.found.backends[place].backend.name
                where = f"rules[{change.wanted.name}].backends[{name}]"
                yield Loss(where, f"With the backend goes what else its entry holds: {', '.join(left)}.")


def _removed_rule(dialect: Dialect, rule: Native, index: int) -> Iterator[PatchOperation]:
    root = ("spec", dialect.rules, index)
    if rule.get("name"):
        yield PatchOperation("test", pointer(*root, "name"), rule["name"])
    for place, entry in enumerate(rule.get(dialect.backends) or []):
        yield from _tests_of_entry(dialect, entry, (*root, dialect.backends, place))
    for place, match in enumerate(rule.get(dialect.matches) or []):
        yield from _tests(match, dialect.safe, (*root, dialect.matches, place))
    yield PatchOperation("remove", pointer(*root))


def _tests_of_entry(dialect: Dialect, entry: Native, root: tuple[str | int, ...]) -> Iterator[PatchOperation]:
    """An entry is tested whole; beside anything that may hold a secret, only where it leads."""
    if set(entry) <= {*dialect.leads, "weight"}:
        yield PatchOperation("test", pointer(*root), copy.deepcopy(entry))
    else:
        yield from _tests(entry, (*dialect.leads, "weight"), root)


def _tests(native: Native, keys: Sequence[str], root: tuple[str | int, ...]) -> Iterator[PatchOperation]:
    for key in keys:
        if native.get(key) is not None:
            yield PatchOperation("test", pointer(*root, key), copy.deepcopy(native[key]))


class _RulePatch:
    """The operations inside one rule that stays."""

    def __init__(self, dialect: Dialect, native: Native, change: Changed) -> None:
        self.dialect = dialect
        self.native = native
        self.change = change
        self.root = ("spec", dialect.rules, change.index)

    def matches(self) -> Iterator[PatchOperation]:
        """One by one: a match that stays, and may hold a secret, is in no operation."""
        wanted, found = self.change.wanted, self.change.found
        if same_matches(wanted, found):
            return
        field = (*self.root, self.dialect.matches)
        native = self.native.get(self.dialect.matches)
        old, new = list(map(normal, found.matches)), list(map(normal, wanted.matches))
        fresh = [match for match in wanted.matches if normal(match) not in old]
        gone = [place for place, match in enumerate(old) if match not in new]
        for place in range(len(native or [])) if len(fresh) == len(wanted.matches) else gone:
            yield from _tests((native or [])[place], self.dialect.safe, (*field, place))
        if not wanted.matches:
            yield PatchOperation("remove", pointer(*field))
        elif len(fresh) == len(wanted.matches):
            whole: Any = [self.dialect.to_match(match) for match in fresh]
            yield PatchOperation("add" if native is None else "replace", pointer(*field), whole)
        else:
            yield from (PatchOperation("remove", pointer(*field, place)) for place in reversed(gone))
            first = len(found.matches) - len(gone)
            for place, match in enumerate(fresh, first):
                yield PatchOperation("add", pointer(*field, place), self.dialect.to_match(match))

    def backends(self) -> Iterator[PatchOperation]:
        """Every weight of the rule is written, also one that was absent: absent is easily misread."""
        wanted, found = self.change.wanted, self.change.found
        if same_backends(wanted, found):
            return
        entries: list[Native] = self.native[self.dialect.backends]
        field = (*self.root, self.dialect.backends)
        places = places_of(wanted, found)
        gone = [place for place in range(len(entries)) if place not in places]
        stays = sorted((place, b) for b, place in zip(wanted.backends, places, strict=True) if place is not None)
        comes = [b for b, place in zip(wanted.backends, places, strict=True) if place is None]
        weights = native_weights([b.weight_bp for b in (*(b for _, b in stays), *comes)])
        for (place, _), weight in zip(stays, weights, strict=False):
            yield from self._weigh(entries[place], (*field, place), weight)
        for place in reversed(gone):
            yield from _tests_of_entry(self.dialect, entries[place], (*field, place))
            yield PatchOperation("remove", pointer(*field, place))
        for place, (b, weight) in enumerate(zip(comes, weights[len(stays) :], strict=True), len(stays)):
            entry = {**self.dialect.to_backend(b.backend), "weight": weight}
            yield PatchOperation("add", pointer(*field, place), entry)

    def _weigh(self, entry: Native, root: tuple[str | int, ...], weight: int) -> Iterator[PatchOperation]:
        """`test` and `replace` fail on an absent path, so an absent weight is tested by its entry and added."""
        if entry.get("weight") is not None:
            yield PatchOperation("test", pointer(*root, "weight"), entry["weight"])
            yield PatchOperation("replace", pointer(*root, "weight"), weight)
        else:
            yield from _tests_of_entry(self.dialect, entry, root)
            yield PatchOperation("add", pointer(*root, "weight"), weight)
