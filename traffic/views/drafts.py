"""What a split form holds between two posts: the edits of the route's structure, made again on the route each time.

Without script every button posts the whole form; `do` says which one it was. Shares stand in fields of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import msgspec
from django.utils.translation import gettext

from meshes.types import HeaderMatch
from meshui.lib.errors import InvalidError
from traffic import edits
from traffic.edits import Refusal
from traffic.forms import Draft, prefix
from traffic.weights import WeightError, parse_percent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.http import QueryDict

    from meshes.types import Backend, Route, Rule
    from traffic.edits import Edit

MAX_EDITS: Final = 40
HEADER_TYPES: Final = ("exact", "prefix", "regex", "present")


@dataclass(frozen=True, slots=True)
class Drafting:
    """A draft and how it came about. `refusals`: what could not be done, to be said above the form."""

    draft: Draft
    edits: tuple[Edit, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    def lines(self) -> list[tuple[str, str]]:
        """Every edit as its hidden field holds it, and in words."""
        return [(edits.encoded(edit), edit.words) for edit in self.edits]


@dataclass(frozen=True, slots=True)
class Desk:
    """What an edit needs to know: what may be added (by version), and what was posted."""

    drafting: Drafting
    extras: Mapping[str, Backend]
    data: QueryDict
    route: Route = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "route", with_posted_shares(self.drafting.draft.route, self.data))

    def rule(self, number: str) -> Rule:
        """The rule at a place of the posted form. Raises InvalidError."""
        rules = self.route.rules
        if not number.isdecimal() or int(number) >= len(rules):
            raise InvalidError(gettext("This rule is no longer there."), mend=gettext("Open the form again."))
        return rules[int(number)]

    def text(self, number: str, name: str) -> str:
        """A field of a rule."""
        return str(self.data.get(f"{prefix(int(number))}{name}", "")).strip()


def drafting_of(base: Route, live: Route | None, params: QueryDict) -> Drafting:
    """`base` with the edits that the form carries; those that no longer fit are dropped, and said so. InvalidError."""
    kept = posted_edits(params)
    made = edits.replayed(base, kept)
    lost = {place for place, _ in made.refused}
    fitting = tuple(edit for place, edit in enumerate(kept) if place not in lost)
    return Drafting(Draft(made.route, live), fitting, tuple(refusal for _, refusal in made.refused))


def posted_edits(params: QueryDict) -> list[Edit]:
    """The edits in the hidden fields. Raises InvalidError for what no form of ours posted."""
    texts = params.getlist("edit")
    try:
        if len(texts) <= MAX_EDITS:
            return [edits.decoded(text) for text in texts]
    except (msgspec.ValidationError, msgspec.DecodeError):
        pass
    raise InvalidError(gettext("The edits in this form cannot be read."), mend=gettext("Open the form again."))


def with_posted_shares(route: Route, data: QueryDict) -> Route:
    """`route` with the shares that the fields hold, rule by rule; a rule whose fields do not add up stays as it is."""
    for index, rule in enumerate(route.rules):
        texts = [data.get(f"{prefix(index)}weight-{number}") for number in range(len(rule.backends))]
        try:
            shares = [parse_percent(text) for text in texts if text is not None]
        except WeightError:
            continue
        if len(shares) == len(rule.backends):
            keys = [item.backend.key for item in rule.backends]
            moved = edits.set_shares(route, rule.name, dict(zip(keys, shares, strict=True)))
            route = route if isinstance(moved, Refusal) else moved
    return route


def done(drafting: Drafting, base: Route, extras: Mapping[str, Backend], data: QueryDict) -> Drafting:
    """What the pressed button makes of the draft: its `do` is `<verb>:<rule>[:<row>]`. Raises InvalidError."""
    verb, _, rest = data.get("do", "").partition(":")
    number, _, row = rest.partition(":")
    desk = Desk(drafting, extras, data)
    if verb == "undo":
        return _undone(desk, base, number)
    maker = MAKERS.get(verb)
    if maker is None:
        raise InvalidError(gettext("The form does not know this button."), mend=gettext("Open the form again."))
    desk.rule(number)
    edit = maker(desk, number, row)
    after = edit if isinstance(edit, Refusal) else edit.apply(desk.route)
    if isinstance(after, Refusal):
        return replace(drafting, draft=_typed(drafting.draft, desk), refusals=(*drafting.refusals, after))
    made = (edit,) if not isinstance(edit, Refusal) else ()
    return Drafting(Draft(after, drafting.draft.live), (*drafting.edits, *made), drafting.refusals)


def _typed(draft: Draft, desk: Desk) -> Draft:
    """The same structure, the fields as they were typed."""
    texts = {
        (rule.name, item.backend.key): str(desk.data.get(f"{prefix(index)}weight-{number}", ""))
        for index, rule in enumerate(desk.route.rules)
        for number, item in enumerate(rule.backends)
        if len(rule.backends) > 1
    }
    return replace(draft, texts=texts)


def _undone(desk: Desk, base: Route, number: str) -> Drafting:
    """Without one edit; shares that were typed are kept where their rule is as it was."""
    kept = [edit for place, edit in enumerate(desk.drafting.edits) if str(place) != number]
    made = edits.replayed(base, kept)
    lost = {place for place, _ in made.refused}
    route = made.route
    for rule in desk.route.rules:
        shares = {item.backend.key: item.weight_bp for item in rule.backends}
        again = edits.set_shares(route, rule.name, shares)
        route = route if isinstance(again, Refusal) else again
    fitting = tuple(edit for place, edit in enumerate(kept) if place not in lost)
    return Drafting(Draft(route, desk.drafting.draft.live), fitting, tuple(refusal for _, refusal in made.refused))


def _add(desk: Desk, number: str, _row: str) -> Edit | Refusal:
    backend = _chosen(desk, desk.text(number, "add"))
    if backend is None:
        return Refusal(gettext("Nothing to add was chosen."), gettext("Choose a version from the list first."))
    return edits.AddBackend(desk.rule(number).name, backend)


def _remove(desk: Desk, number: str, row: str) -> Edit | Refusal:
    rule = desk.rule(number)
    if not row.isdecimal() or int(row) >= len(rule.backends):
        return Refusal(gettext("This backend is no longer there."), gettext("Open the form again."))
    key = rule.backends[int(row)].backend.key
    return edits.RemoveBackend(rule.name, key, edits.moved_words(desk.route, rule.name, key))


def _aim(desk: Desk, number: str, _row: str) -> Edit | Refusal:
    backend = _chosen(desk, desk.text(number, "to"))
    if backend is None:
        return Refusal(gettext("Where these callers go was not chosen."), gettext("Choose a version from the list."))
    return edits.AddRule(desk.rule(number).name, _header(desk, number), backend)


def _callers(desk: Desk, number: str, _row: str) -> Edit | Refusal:
    return edits.EditRule(desk.rule(number).name, _header(desk, number))


def _drop(desk: Desk, number: str, _row: str) -> Edit | Refusal:
    return edits.RemoveRule(desk.rule(number).name)


MAKERS: Final[Mapping[str, Callable[[Desk, str, str], Edit | Refusal]]] = {
    "add": _add,
    "remove": _remove,
    "aim": _aim,
    "callers": _callers,
    "drop": _drop,
}


def _header(desk: Desk, number: str) -> HeaderMatch:
    kind = desk.text(number, "type")
    sound = next((known for known in HEADER_TYPES if known == kind), "exact")
    value = "" if sound == "present" else desk.text(number, "value")
    return HeaderMatch(desk.text(number, "header").lower(), sound, value)  # type: ignore[arg-type]  # one of the four


def _chosen(desk: Desk, version: str) -> Backend | None:
    """A backend by its key where the route has it, else by the version that could be added."""
    there = {item.backend.key: item.backend for rule in desk.route.rules for item in rule.backends}
    return there.get(version) or desk.extras.get(version)


def choices_of(route: Route, extras: Mapping[str, Backend]) -> Sequence[tuple[str, Backend]]:
    """What may be chosen in the form: every backend of the route by its key, then those that it could have."""
    there = {item.backend.key: item.backend for rule in route.rules for item in rule.backends}
    more = [(version, backend) for version, backend in extras.items() if backend.key not in there]
    return [*there.items(), *more]
