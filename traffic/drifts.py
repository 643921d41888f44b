"""What moved, in words: between how MeshUI left a route and how it is, and by the plans of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from accounts.types import READ
from meshes.adapters.base import UnreadableRouteError
from meshes.adapters.registry import adapter_for
from meshes.types import Route
from meshui.lib.rights import in_scope
from traffic.diff import neutral_diff
from traffic.models import Change, ChangeTarget, PlanTarget

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from uuid import UUID

    from django.db.models import Q

    from accounts.models import User
    from meshes.models import ManagedRoute
    from meshui.lib.jsontypes import JsonObject
    from traffic.diff import RuleDiff

MAX_WORDS = 3


@dataclass(frozen=True, slots=True)
class Moved:
    """One thing that moved in neutral words. `what`: share (None: it is not there), callers, new or gone (a rule)."""

    what: str
    rule: str
    name: str = ""
    before_bp: int | None = None
    after_bp: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """What moved, as much of it as a row holds."""

    moved: tuple[Moved, ...]

    @property
    def shown(self) -> tuple[Moved, ...]:
        """As many as a row holds."""
        return self.moved[:MAX_WORDS]

    @property
    def more(self) -> int:
        """How many are left out."""
        return max(0, len(self.moved) - MAX_WORDS)


@dataclass(frozen=True, slots=True)
class DriftLine(Words):
    """One drifted route in a list. `moved` empty: it moved in fields that have no neutral words.

    `title` of the change that wrote it last; empty where the reader may not see that.
    """

    row: ManagedRoute
    mesh: str
    title: str
    is_replaced: bool


def words_of_changes(changes: Collection[Change], which: Q) -> dict[UUID, Words]:
    """Change → what it moves, or moved, of such targets by its plan; the same in two clusters once. One query."""
    plans = {change.current_plan_id: change.pk for change in changes if change.current_plan_id}
    targets = ChangeTarget.objects.filter(which, change__in=changes)
    rows = PlanTarget.objects.filter(plan__in=plans, target__in=targets, desired_route__isnull=False)
    found: dict[UUID, dict[Moved, None]] = {}
    for plan, live, desired in rows.values_list("plan_id", "live_route", "desired_route"):
        moved = moved_between(Route.from_json(live) if live else None, Route.from_json(desired))
        found.setdefault(plans[plan], {}).update(dict.fromkeys(moved))
    return {pk: Words(tuple(moved)) for pk, moved in found.items()}


def drift_lines(user: User, rows: Collection[ManagedRoute]) -> list[DriftLine]:
    """What is shown of rows that `user` may see, which bear their routes. One query."""
    numbers = {row.change_number for row in rows}
    seen = in_scope(Change.objects.filter(number__in=numbers), user, READ).order_by()
    titles = dict(seen.values_list("number", "title"))
    return [_line(row, titles.get(row.change_number, "")) for row in rows]


def rules_of(row: ManagedRoute) -> tuple[RuleDiff, ...]:
    """Rule by rule, as it was left and as it is."""
    return neutral_diff(neutral_of(row, row.body), neutral_of(row, live_body(row)))


def live_body(row: ManagedRoute) -> JsonObject | None:
    """The object as it was read last, masked; None: it is not there."""
    route = row.route
    return route.body if route is not None and route.gone_at is None else None


def neutral_of(row: ManagedRoute, body: JsonObject | None) -> Route | None:
    """A body of it in neutral words; None for none, or for one that has none."""
    if not body:
        return None
    try:
        return adapter_for(row.mesh_kind).live(body).route
    except UnreadableRouteError:
        return None


def moved_in(row: ManagedRoute) -> tuple[Moved, ...]:
    """Everything that moved, in neutral words, where it is there before and after and can be said."""
    left, live = neutral_of(row, row.body), neutral_of(row, live_body(row))
    return moved_between(left, live) if left and live else ()


def moved_between(before: Route | None, after: Route | None) -> tuple[Moved, ...]:
    """Everything that moves from one to the other, in neutral words."""
    return tuple(each for rule in neutral_diff(before, after) for each in _moved(rule))


def _moved(rule: RuleDiff) -> Iterator[Moved]:
    if rule.is_new or rule.is_gone:
        yield Moved("new" if rule.is_new else "gone", rule.name)
        return
    for share in rule.rows:
        if share.is_moved:
            yield Moved("share", rule.name, share.name, share.before_bp, share.after_bp)
    if rule.has_other_callers:
        yield Moved("callers", rule.name)


def _line(row: ManagedRoute, title: str) -> DriftLine:
    is_replaced = row.drift == "changed" and row.route is not None and row.route.uid != row.uid
    return DriftLine(moved_in(row), row, adapter_for(row.mesh_kind).label, title, is_replaced)
