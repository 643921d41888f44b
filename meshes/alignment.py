"""One service in several clusters: which backend is which version, and what a change of one route is for another.

Pure. Backends are aligned by version, rules by what they match. What cannot be paired is a Misfit, never left out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from meshes.types import Backend, Match, Root, Route, Rule, WeightedBackend

    Trio = tuple[Rule, Rule | None, Rule | None]

Source = Literal["corrected", "label", "selector", "name", "root", "key"]

VERSION_LABELS = ("version", "app.kubernetes.io/version")
"""Asked in this order."""
CURRENT = "current"
"""The version of the root service itself where nothing says another."""


@dataclass(frozen=True, slots=True)
class VersionFound:
    """Which version a backend is, and what says so; `label`: the label, or the key of the selector."""

    version: str
    source: Source
    label: str = ""

    @property
    def is_told_apart(self) -> bool:
        """False: another backend of its rule would be the same version, so only the same key is the same backend."""
        return self.source != "key"


@dataclass(frozen=True, slots=True)
class Side:
    """One route with the versions of its backends (by key), and the backends it could have besides (by version)."""

    route: Route
    versions: Mapping[str, str]
    extras: Mapping[str, Backend] = field(default_factory=dict)

    def version(self, backend: Backend) -> str | None:
        """Of a backend of the route, or of one that it could have; None: of neither."""
        known = self.versions.get(backend.key)
        return known or next((version for version, extra in self.extras.items() if extra.key == backend.key), None)

    def by_version(self) -> dict[str, list[Backend]]:
        """The different backends of the route, version by version."""
        found: dict[str, dict[str, Backend]] = defaultdict(dict)
        for rule in self.route.rules:
            for item in rule.backends:
                found[self.versions.get(item.backend.key, item.backend.key)][item.backend.key] = item.backend
        return {version: list(backends.values()) for version, backends in found.items()}


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a change of one route cannot be made to the other: `reason` in words, `where` a path in the other."""

    reason: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Pair:
    """The backends of one version on both sides; several where rules name several ports of it."""

    version: str
    base: tuple[Backend, ...]
    other: tuple[Backend, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """The backends of two routes by version, and those that only one of them has."""

    pairs: tuple[Pair, ...]
    only_base: tuple[Backend, ...]
    only_other: tuple[Backend, ...]

    @property
    def words(self) -> str:
        """In one line: `v1 = shop/checkout#v1 and shop/checkout-v1; only here shop/checkout#v3`."""
        said = [f"{p.version} = {_keys(p.base)} and {_keys(p.other)}" for p in self.pairs]
        said += [f"only here {_keys(self.only_base)}"] if self.only_base else []
        said += [f"only there {_keys(self.only_other)}"] if self.only_other else []
        return "; ".join(said)


def version_of(
    backend: Backend, *, root: Root, selector: Mapping[str, str] | None = None, corrected: str = ""
) -> VersionFound:
    """The version of one backend: corrected by hand, else its labels, its Service's selector, else its name.

    `selector`: of the backend's Service; a subset has labels of its own, for its Service selects all of its subsets.
    """
    if corrected:
        return VersionFound(corrected, "corrected")
    told: Mapping[str, str] = dict(backend.labels) if backend.subset else selector or {}
    source: Source = "label" if backend.subset else "selector"
    for label in VERSION_LABELS:
        if told.get(label):
            return VersionFound(told[label], source, label)
    if not backend.subset and (backend.namespace, backend.service) == (root.namespace, root.service):
        return VersionFound(CURRENT, "root")
    return VersionFound(_name_beside(backend, root), "name")


def versions_of(
    route: Route,
    *,
    selectors: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
    corrected: Mapping[str, str] | None = None,
) -> dict[str, VersionFound]:
    """Of every backend of `route`, by key. `selectors`: of Services by (namespace, name); `corrected`: by key.

    Two backends of one rule are never the same version: then neither is told apart, and its version is its key.
    """
    backends = {item.backend.key: item.backend for rule in route.rules for item in rule.backends}
    found = {
        key: version_of(
            backend,
            root=route.root,
            selector=(selectors or {}).get((backend.namespace, backend.service)),
            corrected=(corrected or {}).get(key, ""),
        )
        for key, backend in backends.items()
    }
    alike = {key for rule in route.rules for key in _alike(rule, found)}
    return {key: VersionFound(key, "key") if key in alike else version for key, version in found.items()}


def align(base: Side, other: Side) -> Alignment:
    """Which backends of the two routes are the same version."""
    here, there = base.by_version(), other.by_version()
    return Alignment(
        pairs=tuple(Pair(v, tuple(here[v]), tuple(there[v])) for v in here if v in there),
        only_base=tuple(backend for v, found in here.items() if v not in there for backend in found),
        only_other=tuple(backend for v, found in there.items() if v not in here for backend in found),
    )


def misfits(base: Side, other: Side) -> tuple[Misfit, ...]:
    """Everything that keeps a change of `base` from being made to `other`; empty: weights can move on both.

    A version that gets no requests and that `other` does not have is no misfit until it is to get some.
    """
    pairing = _Pairing(base.route, base.route, other.route)
    found = list(pairing.misfits())
    for rule, _, there in pairing.trios if not found else ():
        try:
            _backends(base, other, (rule, rule, there))
        except _MisfitError as error:
            found.append(error.misfit)
    return tuple(found)


def translate(desired: Route, base: Side, other: Side) -> Route | Misfit:
    """What the route of `other` becomes when that of `base` becomes `desired`; a Misfit if that cannot be said exactly.

    A rule that `desired` leaves as it is in `base` stays as it is in `other`, too, whatever its weights there. In all
    others the weights are those of `desired`, version by version; what else the rules of `other` carry stays theirs.
    """
    if not _moves(desired, base.route):
        return other.route
    pairing = _Pairing(desired, base.route, other.route)
    for misfit in (*_outside_rules(desired, base.route), *pairing.misfits()):
        return misfit
    try:
        rules = tuple(_rule(base, other, trio) for trio in pairing.trios)
    except _MisfitError as error:
        return error.misfit
    return replace(other.route, rules=rules)


class _MisfitError(Exception):
    """Ends a translation; never leaves this module."""

    def __init__(self, reason: str, where: str) -> None:
        super().__init__(reason)
        self.misfit = Misfit(reason, where)


class _Pairing:
    """Every rule of `desired` with the rule of `base` it was and the rule of `other` it stands for; None: a new one."""

    def __init__(self, desired: Route, base: Route, other: Route) -> None:
        self.routes = (desired, base, other)
        wanted, self.here, self.there = _keyed(desired), _keyed(base), _keyed(other)
        self.removed = {key: rule for key, rule in self.here.items() if key not in wanted}
        self.trios = [self._trio(key, rule) for key, rule in wanted.items()]

    def _trio(self, key: frozenset[Any], rule: Rule) -> Trio:
        """A rule for other requests than any before was edited if its name is that of one that is gone, else added."""
        if key in self.here:
            return rule, self.here[key], self.there.get(key)
        old = next((known for known, gone in self.removed.items() if gone.name == rule.name), None)
        if old is None:
            return self._fresh(rule), None, self.there.get(key)
        return rule, self.removed.pop(old), self.there.get(old) or self.there.get(key)

    def _fresh(self, rule: Rule) -> Rule:
        """A new rule under a name that no rule of `other` has."""
        desired, _, other = self.routes
        taken = {known.name for known in other.rules}
        if rule.name not in taken:
            return rule
        taken |= {known.name for known in desired.rules}
        numbers = range(2, len(taken) + 3)
        return replace(rule, name=next(n for n in (f"{rule.name}-{i}" for i in numbers) if n not in taken))

    def misfits(self) -> Iterator[Misfit]:
        """Why the rules cannot be paired."""
        if any(len(_keyed(route)) < len(route.rules) for route in self.routes):
            yield Misfit("Two rules are for the same requests: only the first of them decides.", "rules")
        yield from self._alone()
        places = {key: place for place, key in enumerate(self.there)}
        order = [places[key] for key in self.here if key in places]
        if order != sorted(order):
            yield Misfit("Its rules stand in another order, so other rules decide first.", "rules")
        yield from self._unsayable()

    def _alone(self) -> Iterator[Misfit]:
        """Rules that only one side has."""
        for _, before, there in self.trios:
            if before is not None and there is None:
                yield Misfit(f"It has no rule for {_words(before)}.", f"rules[{before.name}]")
        used = {rule.name for _, _, rule in self.trios if rule is not None}
        for key, rule in self.there.items():
            if key not in self.removed and rule.name not in used:
                yield Misfit(f"Only it has a rule for {_words(rule)}.", f"rules[{rule.name}]")

    def _unsayable(self) -> Iterator[Misfit]:
        """New conditions that hold for one mesh or protocol alone."""
        _, base, other = self.routes
        for rule in (wanted for wanted, _, _ in self.trios if _matches_key(wanted.matches) not in self.here):
            if base.protocol != other.protocol:
                yield Misfit(
                    f"Its rules are for {other.protocol}, this one for {base.protocol}.", f"rules[{rule.name}]"
                )
            if rule.extras or any(match.opaque for match in rule.matches):
                yield Misfit("Parts of this rule have no words that every mesh knows.", f"rules[{rule.name}]")


def _outside_rules(desired: Route, base: Route) -> Iterator[Misfit]:
    """What a change must leave alone."""
    for name in ("root", "protocol", "scope"):
        if getattr(desired, name) != getattr(base, name):
            yield Misfit(f"The {name} of a route cannot be changed along.", name)
    before = {rule.name: rule for rule in base.rules}
    for rule in desired.rules:
        old = before.get(rule.name, rule)
        if (rule.timeout_ms, rule.extras) != (old.timeout_ms, old.extras):
            yield Misfit("Only matches, backends and weights can be changed along.", f"rules[{rule.name}]")


def _rule(base: Side, other: Side, trio: Trio) -> Rule:
    """One rule of the translated route. Raises _MisfitError."""
    wanted, before, there = trio
    if there is None:
        return replace(wanted, backends=_backends(base, other, trio))
    same = _matches_key(wanted.matches) == _matches_key(there.matches)
    matches = there.matches if same else wanted.matches
    if before is not None and _weights(wanted) == _weights(before):
        return replace(there, matches=matches)
    return replace(there, matches=matches, backends=_backends(base, other, trio))


def _backends(base: Side, other: Side, trio: Trio) -> tuple[WeightedBackend, ...]:
    """The backends of `other` with the weights wanted, its own order first. Raises _MisfitError."""
    wanted, before, there = trio
    shares = _shares(base, wanted)
    known = set(_shares(base, before)) if before else set()
    kept = list(_kept(other, there, shares, known)) if there else []
    held = {other.version(item.backend) for item in kept}
    for version, item in shares.items():
        is_idle = item.weight_bp == 0 and version in known
        if version not in held and not is_idle:
            backend = _available(other, version, f"rules[{(there or wanted).name}]")
            kept.append(replace(item, backend=backend, native_weight=None))
    return tuple(kept)


def _kept(
    other: Side, there: Rule, shares: Mapping[str, WeightedBackend], known: set[str]
) -> Iterator[WeightedBackend]:
    """The backends that the rule has and keeps; one that was removed goes, one that was never known must be idle."""
    for version, item in _shares(other, there).items():
        if version in shares:
            weight = shares[version].weight_bp
            is_same = weight == item.weight_bp
            yield item if is_same else replace(item, weight_bp=weight, native_weight=None)
        elif version not in known:
            if item.weight_bp:
                text = f"{item.backend.key} (version {version}) gets requests there and has no counterpart."
                raise _MisfitError(text, f"rules[{there.name}]")
            yield item


def _available(side: Side, version: str, where: str) -> Backend:
    """The one backend of `version` that the side has or could have. Raises _MisfitError."""
    found = side.by_version().get(version) or [extra for known, extra in side.extras.items() if known == version]
    if len(found) == 1:
        return found[0]
    if found:
        raise _MisfitError(f"Several backends there are version {version}: {_keys(found)}.", where)
    raise _MisfitError(f"It has no version {version}: no backend, Service or workload there is it.", where)


def _shares(side: Side, rule: Rule) -> dict[str, WeightedBackend]:
    """The backends of a rule of `side` by version. Raises _MisfitError where that is not one each."""
    found: dict[str, WeightedBackend] = {}
    for item in rule.backends:
        version = side.version(item.backend)
        if version is None:
            raise _MisfitError(f"Nothing says which version {item.backend.key} is.", f"rules[{rule.name}]")
        if version in found:
            keys = _keys((found[version].backend, item.backend))
            raise _MisfitError(f"{keys} are both version {version}: correct one of them.", f"rules[{rule.name}]")
        found[version] = item
    return found


def _moves(desired: Route, base: Route) -> bool:
    """Whether anything that decides is different."""
    said = [
        (r.root, r.protocol, r.scope, [(_matches_key(x.matches), _weights(x), x.timeout_ms, x.extras) for x in r.rules])
        for r in (desired, base)
    ]
    return said[0] != said[1]


def _keyed(route: Route) -> dict[frozenset[Any], Rule]:
    """Rules by what they match, in order; the first of those for the same requests."""
    found: dict[frozenset[Any], Rule] = {}
    for rule in route.rules:
        found.setdefault(_matches_key(rule.matches), rule)
    return found


def _matches_key(matches: Iterable[Match]) -> frozenset[Any]:
    """Equal for matches that take the same requests, in whatever order they are written; empty: all requests."""
    found = set()
    for match in matches:
        is_any = match.path is not None and match.path.value == "/" and match.path.type in {"prefix", "segments"}
        path = None if is_any else match.path
        parts = (path, frozenset(match.headers), frozenset(match.query), frozenset(match.opaque))
        if not any(parts) and not match.methods:
            return frozenset()
        found |= {(method, *parts) for method in match.methods or ("",)}
    return frozenset(found)


def _weights(rule: Rule) -> list[tuple[str, int]]:
    return sorted((item.backend.key, item.weight_bp) for item in rule.backends)


def _alike(rule: Rule, found: Mapping[str, VersionFound]) -> set[str]:
    """Keys of backends of `rule` that would be the same version."""
    keys = {item.backend.key for item in rule.backends}
    count = Counter(found[key].version for key in keys)
    return {key for key in keys if count[found[key].version] > 1}


def _name_beside(backend: Backend, root: Root) -> str:
    """What its name has besides the root's: `checkout-v2` of `checkout` is v2; a strange name is its own version."""
    name = backend.subset or backend.service
    for separator in "-_.":
        if name.startswith(f"{root.service}{separator}"):
            name = name.removeprefix(f"{root.service}{separator}")
        elif name.endswith(f"{separator}{root.service}"):
            name = name.removesuffix(f"{separator}{root.service}")
    if backend.subset and backend.service != root.service:
        name = f"{backend.service}#{name}"
    return name if backend.namespace == root.namespace else f"{backend.namespace}/{name}"


def _words(rule: Rule) -> str:
    """Which requests a rule is for."""
    return " or ".join(match.words or "all requests" for match in rule.matches) or "all requests"


def _keys(backends: Iterable[Backend]) -> str:
    return ", ".join(backend.key for backend in backends)
