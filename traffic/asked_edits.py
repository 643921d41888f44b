"""Edits of a route's structure as a client of the API asks for them: backends by the names that people know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from meshes.types import HeaderMatch
from traffic import edits
from traffic.edits import Refusal
from traffic.errors import InvalidChangeError

if TYPE_CHECKING:
    from meshes.types import Backend, Route, Rule
    from traffic.edits import Edit
    from traffic.workbench import Workbench

EditWord = Literal["add-backend", "remove-backend", "add-rule", "edit-rule", "remove-rule"]
HeaderWord = Literal["exact", "prefix", "regex", "present"]


@dataclass(frozen=True, slots=True)
class AskedEdit:
    """One edit of `rule` (add-rule: a rule before it). `backend` by version, name or key, where one is meant."""

    do: EditWord
    rule: str
    backend: str = ""
    header: str = ""
    header_type: HeaderWord = "exact"
    value: str = ""

    @property
    def match(self) -> HeaderMatch:
        """The callers that are meant."""
        return HeaderMatch(self.header.lower(), self.header_type, self.value)


def edit_of(bench: Workbench, route: Route, asked: AskedEdit) -> Edit | Refusal:
    """The edit of `route`, as the form makes it; or why there is none."""
    if asked.do == "edit-rule":
        return edits.EditRule(asked.rule, asked.match)
    if asked.do == "remove-rule":
        return edits.RemoveRule(asked.rule)
    rule = next((rule for rule in route.rules if rule.name == asked.rule), None)
    if rule is None:
        return Refusal(f"There is no rule “{asked.rule}” in this route.", "")
    if asked.do == "remove-backend":
        key = names_in(bench, rule).get(asked.backend, asked.backend)
        return edits.RemoveBackend(rule.name, key, edits.moved_words(route, rule.name, key))
    return _with_backend(bench, route, asked)


def _with_backend(bench: Workbench, route: Route, asked: AskedEdit) -> Edit | Refusal:
    backend = _chosen(bench, route, asked.backend)
    if backend is None:
        known = ", ".join(bench.main.extras) or "none"
        return Refusal(f"No backend goes by “{asked.backend}”. Those that could be added: {known}.", "")
    if asked.do == "add-backend":
        return edits.AddBackend(asked.rule, backend)
    return edits.AddRule(asked.rule, asked.match, backend)


def names_in(bench: Workbench, rule: Rule) -> dict[str, str]:
    """Every name that means one backend of `rule` alone → its key: key, name, version."""
    versions = {backend.key: version for version, backend in bench.main.extras.items()}
    names: dict[str, set[str]] = {}
    for item in rule.backends:
        key = item.backend.key
        for name in {key, item.backend.name, bench.version_of(key), versions.get(key, key)}:
            names.setdefault(name, set()).add(key)
    return {name: next(iter(keys)) for name, keys in names.items() if len(keys) == 1}


def rule_of(route: Route, name: str) -> Rule:
    """The rule that is meant; it may go unnamed where only one splits. Raises InvalidChangeError."""
    split = [rule for rule in route.rules if len(rule.backends) > 1 and name in {"", rule.name}]
    if len(split) != 1:
        names = ", ".join(f"“{rule.name}”" for rule in route.rules if len(rule.backends) > 1) or "none"
        raise InvalidChangeError("Which rule is meant is not clear.", mend=f"Name one that splits: {names}.")
    return split[0]


def _chosen(bench: Workbench, route: Route, name: str) -> Backend | None:
    """A backend of the route by a name that means one alone, else by the version that could be added."""
    there = {item.backend.key: item.backend for rule in route.rules for item in rule.backends}
    meant = {key for rule in route.rules for known, key in names_in(bench, rule).items() if known == name}
    if len(meant) == 1:
        return there[meant.pop()]
    return bench.main.extras.get(name)
