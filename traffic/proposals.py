"""A proposal asked for in one sentence (these shares, in these clusters), made by what the split form is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import QueryDict

from meshui.lib.errors import DeniedError
from traffic import edits
from traffic.edits import Refusal
from traffic.errors import InvalidChangeError
from traffic.forms import Draft, ProposalForm
from traffic.spots import Asked, workbench_of
from traffic.workbench import EVERYWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from accounts.models import User
    from meshes.types import Route, Rule
    from traffic.types import Proposal
    from traffic.workbench import Spot, Workbench


@dataclass(frozen=True, slots=True)
class AskedShares:
    """Shares of one rule in basis points, by key, name or version of the backend as the first of `clusters` has it.

    `clusters` are slugs, or `all` alone: wherever the service has a route. `rule` may be empty where only one splits.
    """

    namespace: str
    name: str
    clusters: tuple[str, ...]
    shares: Mapping[str, int]
    title: str
    reason: str
    rule: str = ""
    ticket: str = ""


def proposal_of(user: User, asked: AskedShares) -> Proposal:
    """What the split form would propose if it were filled so.

    Raises MissingError (no such service, or not for `user`), InvalidChangeError, DeniedError.
    """
    scope = asked.clusters[0]
    begin = () if scope == EVERYWHERE else tuple(asked.shares)
    bench = workbench_of(user, Asked(asked.namespace, asked.name, scope, begin=begin))
    places = _places(bench, asked.clusters)
    denied = sorted({spot.cluster.slug for spot in places if spot.value not in bench.allowed})
    if denied:
        raise DeniedError(f"No grant of yours lets you propose changes in {', '.join(denied)}.")
    if bench.base is None:
        raise InvalidChangeError(
            bench.main.problem or f"{bench.service} has no split in {bench.main.cluster.slug} that could be read.",
            mend=f"One can begin between {', '.join(bench.main.extras)}." if bench.main.extras else "",
        )
    desired = edits.set_shares(bench.base, *_shares(bench, bench.base, asked))
    if isinstance(desired, Refusal):
        raise InvalidChangeError(desired.reason)
    data = QueryDict(mutable=True)
    data.update({"title": asked.title, "reason": asked.reason, "ticket": asked.ticket})
    data.setlist("route", [spot.value for spot in places])
    form = ProposalForm(data, draft=Draft(desired, bench.live), choices=bench.choices(), wanted=bench.wanted)
    if not form.is_valid():
        raise InvalidChangeError(" ".join(str(words) for found in form.errors.values() for words in found))
    return form.proposal()


def _places(bench: Workbench, clusters: tuple[str, ...]) -> list[Spot]:
    if clusters == (EVERYWHERE,):
        return [spot for spot in bench.spots if spot.row is not None]
    there = {spot.cluster.slug for spot in bench.spots}
    missing = [slug for slug in clusters if slug not in there]
    if missing:
        raise InvalidChangeError(f"{bench.service} is not in {', '.join(missing)}.")
    return [spot for spot in bench.spots if spot.cluster.slug in clusters]


def _shares(bench: Workbench, base: Route, asked: AskedShares) -> tuple[str, dict[str, int]]:
    """The name of the rule, and the shares of its backends by key."""
    rule = _rule(base, asked.rule)
    keys = {item.backend.key for item in rule.backends}
    names: dict[str, set[str]] = {}
    for item in rule.backends:
        key = item.backend.key
        for name in {key, item.backend.name, bench.version_of(key)}:
            names.setdefault(name, set()).add(key)
    found = {next(iter(names[name])): share for name, share in asked.shares.items() if len(names.get(name, ())) == 1}
    if set(found) != keys or len(found) != len(asked.shares):
        known = ", ".join(sorted(name for name, named in names.items() if len(named) == 1))
        raise InvalidChangeError(
            f"Give each backend of “{rule.name}” in {bench.main.cluster.slug} its share, once and no other.",
            mend=f"They go by these names: {known}.",
        )
    return rule.name, found


def _rule(base: Route, name: str) -> Rule:
    """The one that is meant."""
    split = [rule for rule in base.rules if len(rule.backends) > 1 and name in {"", rule.name}]
    if len(split) != 1:
        names = ", ".join(f"“{rule.name}”" for rule in base.rules if len(rule.backends) > 1) or "none"
        raise InvalidChangeError("Which rule is meant is not clear.", mend=f"Name one that splits: {names}.")
    return split[0]
