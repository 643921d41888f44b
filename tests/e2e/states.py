"""A change in every state that it can be in, made without any cluster: what people meet on its page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from meshui.lib.clock import now
from tests.people import as_actor
from tests.traffic.factories import checkout_route, in_state, make_change, make_plan, native
from traffic.models import Rollout, TargetStep, Vote
from traffic.services.approve import submit_change
from traffic.types import Seen, State, StepState, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from accounts.models import User
    from meshes.models import Route as StoredRoute
    from traffic.models import Change

BLOCKS: Final = [
    {
        "id": "TRF042",
        "severity": "block",
        "where": "rules[primary].backends[shop/checkout/v2]",
        "message": "No DestinationRule in us-east defines subset v2 of shop/checkout: its requests get 503. "
        "Define it first, or give it 0 %.",
        "targets": ["us-east"],
    }
]
WARNS: Final = [
    {
        "id": "TRF012",
        "severity": "warn",
        "where": "rules[primary].backends[shop/checkout/v2]",
        "message": "shop/checkout/v2 gets its first requests in eu-west. Make sure it is ready, and begin with few.",
        "targets": ["eu-west"],
    }
]
STORED: Final = {"level": "L1", "generation": 2}
ACCEPTED: Final = {"level": "L2", "generation": 2}
FOREIGN: Final = "somebody else set the weights to 60/40 after the plan."


class Book:
    """Changes of one author on the same routes, each by `make(name)`; `names()` lists what it can make."""

    def __init__(self, author: User, approvers: Sequence[User], routes: Sequence[StoredRoute]) -> None:
        self.author, self.approvers, self.routes = author, approvers, list(routes)
        self._pages: dict[str, Callable[[], Change]] = {
            "draft-errors": self._with_errors,
            "draft-checked": self._checked,
            "planning": lambda: in_state(self._new(), State.PLANNING),
            "review-none": self._review,
            "review-one-of-two": lambda: self._voted(self._review(needed=2), 1),
            "void-edit": lambda: self._void("Author edited it: revision 2.", state=State.DRAFT),
            "void-drift": self._drifted,
            "void-age": lambda: self._void("The plan grew too old."),
            "void-lost-role": lambda: self._void("Approver may no longer vote on every target."),
            "approved": lambda: in_state(self._voted(self._review(), 1), State.APPROVED),
            "queued": self._queued,
            "applying": lambda: self._run(State.APPLYING, StepState.VERIFIED, StepState.INTENT),
            "paused": lambda: self._run(State.PAUSED, StepState.VERIFIED, StepState.PENDING, cause="Paused by hand."),
            "paused-conflict": self._conflicted,
            "paused-unreachable": self._unreached,
            "partial": lambda: self._conflicted(State.PARTIAL),
            "failed": self._failed,
            "applied-stored": lambda: self._run(State.APPLIED, StepState.VERIFIED, StepState.VERIFIED, level=STORED),
            "applied-accepted": lambda: self._run(
                State.APPLIED, StepState.VERIFIED, StepState.VERIFIED, level=ACCEPTED
            ),
            "rolling-back": lambda: self._back(State.ROLLING_BACK, StepState.REVERTED, StepState.INTENT),
            "rolling-back-stuck": lambda: self._back(
                State.ROLLING_BACK, StepState.REVERTED, StepState.ROLLBACK_CONFLICT
            ),
            "rolled-back": lambda: self._back(State.ROLLED_BACK, StepState.REVERTED, StepState.REVERTED),
            "rejected": self._rejected,
            "expired": lambda: self._over(State.EXPIRED, "Nobody decided within 7 days."),
            "cancelled": lambda: self._over(State.CANCELLED, "Another release goes first."),
            "superseded": lambda: self._over(State.SUPERSEDED, "Every target already is as this change wants it."),
        }

    def names(self) -> list[str]:
        """Of all pages."""
        return list(self._pages)

    def make(self, name: str) -> Change:
        """The change of that page."""
        return self._pages[name]()

    def wanted(self) -> tuple[Wanted, ...]:
        """All its routes, as a proposal names them."""
        return tuple(Wanted(route.cluster_id, route.mesh_kind, route.pk) for route in self.routes)

    def _new(self, title: str = "Shift checkout v2 to 25 %") -> Change:
        return make_change(self.author, self.routes, title=title, reason="v2 was good at 10 % for a day.")

    def _checked(self) -> Change:
        change = self._new()
        make_plan(change, findings=WARNS)
        return change

    def _with_errors(self) -> Change:
        change = self._new()
        make_plan(change, is_sound=False, findings=BLOCKS)
        return in_state(change, State.DRAFT, state_cause="us-east: a check blocks it (TRF042).")

    def _review(self, needed: int = 1, **plan: Any) -> Change:
        change = self._new()
        made = make_plan(change, needed=needed, **plan)
        seen = Seen(change.pk, change.version, made.digest)
        return submit_change(actor=as_actor(self.author), seen=seen)

    def _voted(self, change: Change, count: int, **more: Any) -> Change:
        plan = change.current_plan
        assert plan is not None
        for voter in self.approvers[:count]:
            Vote.objects.create(
                plan=plan,
                change=change,
                voter=voter,
                voter_name=str(voter),
                decision=more.get("decision", "approve"),
                digest=plan.digest,
                comment=more.get("comment", "Looks right to me."),
                created_at=now(),
                voided_at=more.get("voided_at"),
                void_cause=more.get("void_cause", ""),
            )
        return change

    def _void(self, cause: str, *, state: State = State.IN_REVIEW) -> Change:
        change = self._voted(self._review(), 1, voided_at=now(), void_cause=cause)
        return in_state(change, state, state_cause=cause)

    def _drifted(self) -> Change:
        """Planned again after somebody else moved a target: the three-way diff is kept."""
        change = self._void(f"eu-west: {FOREIGN}")
        make_plan(change, live=checkout_route(6000, 4000), base_hash="moved", digest="77aa01b" + "0" * 57)
        return in_state(change, State.IN_REVIEW)

    def _started(self, change: Change, **words: Any) -> Rollout:
        plan = change.current_plan
        assert plan is not None
        return Rollout.objects.create(
            change=change, plan=plan, executor_name="Author", executor_id="1", created_at=now(), **words
        )

    def _queued(self) -> Change:
        change = in_state(self._voted(self._review(), 1), State.QUEUED)
        self._started(change, phase_cause="networking.istio.io/VirtualService/shop/checkout is held by #7 Another one.")
        return change

    def _run(self, state: State, *steps: StepState, cause: str = "", level: Any = STORED, **of_bad: Any) -> Change:
        change = self._voted(self._review(), 1)
        rollout = self._started(change)
        self._steps(change, rollout, "apply", steps, level, **of_bad)
        has_writes = StepState.VERIFIED in steps
        ended = now() if state in {State.APPLIED, State.PARTIAL, State.FAILED} else None
        return in_state(change, state, state_cause=cause, has_writes=has_writes, ended_at=ended)

    def _steps(
        self, change: Change, rollout: Rollout, direction: str, states: Sequence[StepState], level: Any, **of_bad: Any
    ) -> None:
        for target, state in zip(rollout.plan.targets.order_by("cluster__slug"), states, strict=True):
            is_good = state in {StepState.VERIFIED, StepState.REVERTED}
            TargetStep.objects.create(
                change=change,
                rollout=rollout,
                plan_target=target,
                cluster=target.cluster,
                direction=direction,
                state=state,
                state_changed_at=now(),
                snapshot=target.snapshot,
                evidence=level if is_good else {},
                **({} if is_good else of_bad),
            )

    def _conflicted(self, state: State = State.PAUSED) -> Change:
        live = native(checkout_route(6000, 4000))
        return self._run(
            state,
            StepState.VERIFIED,
            StepState.CONFLICT,
            cause=f"us-east: {FOREIGN}",
            error=FOREIGN,
            conflict={"live": live},
        )

    def _unreached(self) -> Change:
        said = "Its API server did not answer within 10 s."
        return self._run(State.PAUSED, StepState.VERIFIED, StepState.UNREACHABLE, cause=f"us-east: {said}", error=said)

    def _failed(self) -> Change:
        said = 'admission webhook "validation.istio.io" denied the request: weight 25 is not allowed here'
        return self._run(State.FAILED, StepState.FAILED, StepState.FAILED, cause=f"eu-west: {said}", error=said)

    def _back(self, state: State, *steps: StepState) -> Change:
        change = self._run(state, StepState.VERIFIED, StepState.VERIFIED, cause="Errors of v2 went up.")
        self._steps(change, change.rollout, "restore", steps, {"level": "L1"}, error=FOREIGN if "stuck" else "")
        return change

    def _rejected(self) -> Change:
        change = self._voted(self._review(), 1, decision="deny", comment="Not before the sale ends.")
        return in_state(change, State.REJECTED, state_cause="Not before the sale ends.", ended_at=now())

    def _over(self, state: State, cause: str) -> Change:
        return in_state(
            self._review(), state, state_cause=cause, ended_at=now(), state_changed_at=now() - timedelta(minutes=3)
        )
