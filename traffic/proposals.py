"""A proposal asked for in one sentence (these shares, in these clusters), made by what the split form is made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from django.http import QueryDict

from meshui.lib.errors import DeniedError
from traffic import edits
from traffic.asked_edits import AskedEdit, edit_of, names_in, rule_of
from traffic.edits import Refusal
from traffic.errors import InvalidChangeError
from traffic.forms import Draft, EndForm, ProposalForm
from traffic.previews import previews_of
from traffic.spots import Asked, asked_of_change, workbench_of
from traffic.workbench import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from accounts.models import User
    from meshes.types import Route, Rule
    from traffic.models import Change
    from traffic.previews import TargetPreview
    from traffic.types import Action, Proposal
    from traffic.workbench import Workbench


@dataclass(frozen=True, slots=True)
class AskedShares:
    """What is wanted of one service. Shares in basis points, by key, name or version of the backend.

    `clusters` are slugs, or `all` alone: wherever the service has a route; names are as the first of them has them.
    `route` names one of several routes there. `edits` are made in their order, then `shares` are given: of `rule`,
    which may be empty where only one splits; `rules` gives those of several. `action` end: the split ends there.
    """

    namespace: str
    name: str
    clusters: tuple[str, ...]
    shares: Mapping[str, int] = field(default_factory=dict)
    title: str = ""
    reason: str = ""
    rule: str = ""
    ticket: str = ""
    rules: Sequence[Mapping[str, Any]] = ()
    edits: Sequence[AskedEdit] = ()
    action: Literal["set", "end"] = "set"
    route: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, on the bench of its service: the desired route, and the places it goes to."""

    bench: Workbench
    desired: Route
    values: tuple[str, ...]
    asked: AskedShares

    @property
    def is_end(self) -> bool:
        """Whether the split ends."""
        return self.asked.action == "end"


def wish_of(user: User, asked: AskedShares) -> Wish:
    """What is wanted of the service as it is now. Raises MissingError (no such service, or not for `user`) and
    InvalidChangeError."""
    first = asked.clusters[0]
    begin = () if first == EVERYWHERE else tuple(asked.shares)
    bench = workbench_of(user, Asked(asked.namespace, asked.name, first, asked.route, begin))
    return Wish(bench, _desired(bench, asked), _places(bench, asked.clusters), asked)


def wish_of_change(user: User, change: Change, given: Mapping[str, Any]) -> Wish:
    """What `change` wants, with what is `given` in its place; shares and edits are of what it wants now.

    Raises MissingError, InvalidChangeError.
    """
    was = asked_of_change(change)
    action: Literal["set", "end"] = given.get("action") or ("end" if was.is_end else "set")
    words = {name: given.get(name, getattr(change, name)) for name in ("title", "reason", "ticket")}
    asked = AskedShares(was.at.namespace, was.at.service, (), **words, action=action)
    told = {name: given[name] for name in ("shares", "rule", "rules", "edits") if name in given}
    asked = replace(asked, **told, clusters=tuple(given.get("clusters", ())))
    bench = workbench_of(user, was.at, base=None if was.is_end else was.desired)
    values = _places(bench, asked.clusters) if asked.clusters else was.values
    return Wish(bench, _desired(bench, asked), values, asked)


def proposal_of(user: User, asked: AskedShares) -> Proposal:
    """What the split form would propose if it were filled so. Raises as wish_of does, and DeniedError."""
    return proposed(wish_of(user, asked))


def proposed(wish: Wish) -> Proposal:
    """The proposal of a wish. Raises DeniedError, InvalidChangeError."""
    bench, asked = wish.bench, wish.asked
    spots = {spot.value: spot for spot in bench.spots}
    denied = sorted({spots[value].cluster.slug for value in wish.values if value in spots} - _allowed(bench))
    if denied:
        raise DeniedError(f"No grant of yours lets you propose changes in {', '.join(denied)}.")
    data = QueryDict(mutable=True)
    data.update({"title": asked.title, "reason": asked.reason, "ticket": asked.ticket})
    data.setlist("route", list(wish.values))
    made, wanted = (EndForm, bench.ended) if wish.is_end else (ProposalForm, bench.wanted)
    form = made(data, draft=Draft(wish.desired, bench.live), choices=bench.choices(), wanted=wanted)
    if not form.is_valid():
        raise InvalidChangeError(" ".join(str(words) for found in form.errors.values() for words in found))
    return form.proposal()


def preview_of(wish: Wish, change: Change | None = None) -> list[TargetPreview]:
    """What each place would get, and why one cannot be chosen. `change`: the one that is edited. Nothing is kept."""
    action: Action = "end" if wish.is_end else "set"
    found = previews_of(wish.bench, wish.desired, wish.values, is_end=wish.is_end, change=change)
    spots = [spot for spot in wish.bench.spots if spot.value in wish.values]
    faults = [wish.bench.why_not(spot, wish.desired, action) for spot in spots]
    return [replace(each, fault=each.fault or fault) for each, fault in zip(found, faults, strict=True)]


def _allowed(bench: Workbench) -> set[str]:
    """Clusters in which every place that can be chosen may be."""
    closed = {spot.cluster.slug for spot in bench.spots if spot.value not in bench.allowed}
    return {spot.cluster.slug for spot in bench.spots} - closed


def _places(bench: Workbench, clusters: tuple[str, ...]) -> tuple[str, ...]:
    if clusters == (EVERYWHERE,):
        return tuple(spot.value for spot in bench.spots if spot.row is not None)
    there = {spot.cluster.slug for spot in bench.spots}
    missing = [slug for slug in clusters if slug not in there]
    if missing:
        raise InvalidChangeError(f"{bench.service} is not in {', '.join(missing)}.")
    return tuple(spot.value for spot in bench.spots if spot.cluster.slug in clusters)


def _desired(bench: Workbench, asked: AskedShares) -> Route:
    """The route after the edits, with the shares. Raises InvalidChangeError."""
    if bench.base is None:
        raise InvalidChangeError(
            bench.main.problem or f"{bench.service} has no split in {bench.main.cluster.slug} that could be read.",
            mend=f"One can begin between {', '.join(bench.main.extras)}." if bench.main.extras else "",
        )
    route = bench.base
    for place, one in enumerate(asked.edits):
        made = edit_of(bench, route, one)
        after = made if isinstance(made, Refusal) else made.apply(route)
        if isinstance(after, Refusal):
            raise InvalidChangeError(f"edits[{place}]: {after.reason}")
        route = after
    told: list[Mapping[str, Any]] = [{"rule": asked.rule, "shares": asked.shares}] if asked.shares else []
    for each in (*told, *asked.rules):
        shared = edits.set_shares(route, *_shares(bench, rule_of(route, each["rule"]), each["shares"]))
        if isinstance(shared, Refusal):
            raise InvalidChangeError(shared.reason)
        route = shared
    return route


def _shares(bench: Workbench, rule: Rule, asked: Mapping[str, int]) -> tuple[str, dict[str, int]]:
    """The name of the rule, and the shares of its backends by key."""
    names = names_in(bench, rule)
    found = {names[name]: share for name, share in asked.items() if name in names}
    if set(found) != {item.backend.key for item in rule.backends} or len(found) != len(asked):
        raise InvalidChangeError(
            f"Give each backend of “{rule.name}” in {bench.main.cluster.slug} its share, once and no other.",
            mend=f"They go by these names: {', '.join(sorted(names))}.",
        )
    return rule.name, found
