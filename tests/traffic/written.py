"""Changes that were written some minutes ago, what was measured around that, and what is told of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from meshui.lib.clock import now
from tests.traffic.factories import checkout_route, in_review, in_state
from tests.traffic.measuring import V1, V2, draw, measure
from traffic.effects import effects_of
from traffic.models import Rollout, TargetStep
from traffic.selectors import list_steps
from traffic.types import StepState

if TYPE_CHECKING:
    from accounts.models import User
    from clusters.models import Cluster
    from traffic.effects import Effect
    from traffic.models import Change

MINUTES = 8
"""How long ago the change was written."""


def begin(change: Change) -> Rollout:
    """The run of its plan."""
    assert change.current_plan is not None
    return Rollout.objects.create(change=change, plan=change.current_plan, created_at=now())


def written(author: User, cluster: Cluster, *, minutes: float = MINUTES, **words: Any) -> Change:
    """A change to 75/25, applied and verified so many minutes ago."""
    change = in_review(author, [cluster.routes.get()], **words)
    run = begin(change)
    step(change, run, "apply", StepState.VERIFIED, minutes)
    return in_state(change, "applied", ended_at=now(), has_writes=True)


def step(change: Change, run: Rollout, direction: str, state: StepState, minutes: float) -> None:
    """What became of the target of `change`."""
    assert change.current_plan is not None
    target = change.current_plan.targets.get()
    TargetStep.objects.create(
        change=change,
        rollout=run,
        plan_target=target,
        cluster=target.cluster,
        direction=direction,
        state=state,
        state_changed_at=now() - dt.timedelta(minutes=minutes),
    )


def shift(cluster: Cluster, before: tuple[float, float], after: tuple[float, float]) -> None:
    """Requests/s of v1 and v2, minute by minute, until the write and from it on."""
    for part, was, became in zip((V1, V2), before, after, strict=True):
        draw(measure(cluster, became, part), [was] * 9 + [became] * MINUTES)
    draw(measure(cluster, sum(after)), [sum(before)] * 9 + [sum(after)] * MINUTES)


def effect(change: Change) -> Effect:
    (found,), total = effects_of(change.author, change, list(list_steps(change)))
    assert total == 1
    return found


def over(author: User, cluster: Cluster, minutes: float, state: StepState = StepState.VERIFIED) -> Change:
    """Another change of the same route, to 50/50, written so many minutes ago."""
    later = in_review(author, [cluster.routes.get()], desired=checkout_route(5000, 5000), digest="c" * 64)
    step(later, begin(later), "apply", state, minutes)
    return in_state(later, "applied", ended_at=now(), has_writes=True)
