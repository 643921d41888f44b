"""/changes/<n>/evidence/: what an auditor asks of one change, on one page to print, and the same as a file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.core.serializers.json import DjangoJSONEncoder

from accounts.selectors import signed_in
from accounts.types import READ
from audit.selectors import last_check, linked
from meshui.lib import clock, rights
from meshui.ui.views import PageView
from traffic import selectors
from traffic.cards import cards_of
from traffic.timeline import moments
from traffic.views.board import approvals, why_needed
from traffic.views.diffs import as_file
from traffic.views.progress import run_of
from traffic.views.waits import needed, needs_no_vote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponse

    from accounts.models import User
    from audit.selectors import Checked
    from traffic.cards import TargetCard
    from traffic.models import Change
    from traffic.views.board import Approval
    from traffic.views.progress import RunTarget

KEPT: Final = 1_000
"""Events on the page; the file says when there are more."""


class ChangeEvidenceView(PageView):
    """One printable page, oldest first, absolute times."""

    needs = READ
    page_template = "traffic/change_evidence.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The evidence; links into the log for those who may read it."""
        user = signed_in(self.request)
        change = selectors.get_change(user, kwargs["number"])
        pack = evidence_of(change)
        can_read_log = rights.has(user, "audit.read")
        return super().get_context_data(change=change, can_read_log=can_read_log, **pack)


class ChangeEvidenceFileView(PageView):
    """/changes/<n>/evidence/json/: the same as a file."""

    needs = READ
    page_template = "traffic/change_evidence.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A download."""
        self.require()
        user = signed_in(request)
        change = selectors.get_change(user, kwargs["number"])
        text = json.dumps(as_json(change, evidence_of(change), user), cls=DjangoJSONEncoder, indent=2)
        return as_file(text + "\n", f"change-{change.number}-evidence.json")


def evidence_of(change: Change) -> dict[str, Any]:
    """What is known of `change`: plan, targets, votes, run, events with their links in the chain."""
    plan = change.current_plan
    targets = list(selectors.list_plan_targets(plan)) if plan else []
    cards = cards_of(targets, is_sound=plan is not None and plan.is_sound)
    votes = list(selectors.list_votes(change))
    events = list(selectors.events_of(change)[: KEPT + 1])
    hashes = linked(event.seq for event in events[:KEPT])
    lines = moments(events[:KEPT])
    return {
        "plan": plan,
        "cards": cards,
        "needed": needed(plan),
        "needs_no_vote": needs_no_vote(change),
        "why_needed": why_needed(plan, cards),
        "votes": votes,
        "barred": approvals(change, [], selectors.list_editors(change).values()),
        "counted": approvals(change, votes, []),
        "run": run_of(selectors.list_steps(change)) if plan else [],
        "events": [
            (event, line, *hashes.get(event.seq, ("", False))) for event, line in zip(events[:KEPT], lines, strict=True)
        ],
        "has_more": len(events) > KEPT,
        "linked_count": sum(is_linked for _, is_linked in hashes.values()),
        "checked": last_check(),
        "made_at": clock.now(),
    }


def as_json(change: Change, pack: dict[str, Any], user: User) -> dict[str, Any]:
    """The evidence as plain values: whole digests and hashes, times in UTC."""
    plan = pack["plan"]
    return {
        "evidence": "meshui-change-evidence-v1",
        "made_at": pack["made_at"],
        "made_for": user.username,
        "change": {
            "number": change.number,
            "id": str(change.pk),
            "title": change.title,
            "reason": change.reason,
            "ticket": change.ticket,
            "author": change.author_name,
            "state": change.state,
            "state_cause": change.state_cause,
            "proposed_at": change.created_at,
            "submitted_at": change.submitted_at,
            "ended_at": change.ended_at,
        },
        "plan": None if plan is None else {"digest": plan.digest, "policy": plan.policy, "rules": plan.rules},
        "plan_made_at": plan and plan.created_at,
        "targets": [_target(card) for card in pack["cards"]],
        "votes": [_vote(vote, line) for vote, line in zip(pack["votes"], pack["counted"], strict=True)],
        "could_not_vote": [{"person": line.name, "why": line.note} for line in pack["barred"]],
        "verification": _verification(pack["run"]),
        "events": [_event(*row) for row in pack["events"]],
        "events_left_out": pack["has_more"],
        "chain": _chain(pack["checked"]),
    }


def _target(card: TargetCard) -> dict[str, Any]:
    rules = [
        {"rule": rule.name, "before_bp": dict(rule.before), "after_bp": dict(rule.after)}
        for rule in card.rules
        if rule.is_moved
    ]
    return {
        "cluster": card.cluster,
        "environment": card.environment,
        "mesh": card.mesh,
        "object": card.ref,
        "rules": rules,
        "losses": list(card.losses),
        "quantisation_error_bp": card.quantisation_error_bp,
    }


def _vote(vote: Any, line: Approval) -> dict[str, Any]:
    return {
        "person": vote.voter_name,
        "decision": vote.decision,
        "stands_as": line.word,
        "note": line.note,
        "digest": vote.digest,
        "signed_in_by": vote.auth_methods,
        "comment": vote.comment,
        "at": vote.created_at,
        "revoked_at": vote.revoked_at,
        "voided_at": vote.voided_at,
    }


def _verification(run: Sequence[RunTarget]) -> list[dict[str, Any]]:
    return [
        {
            "cluster": target.cluster,
            "direction": target.direction,
            "level": target.level,
            "objects": [
                {"what": line.words, "state": line.status, "note": line.note, "at": line.when} for line in target.lines
            ],
        }
        for target in run
    ]


def _event(event: Any, line: Any, digest: str, is_linked: bool) -> dict[str, Any]:  # noqa: FBT001 - a row of a list
    return {
        "seq": event.seq,
        "time": event.time,
        "code": event.code,
        "action": event.action,
        "outcome": event.outcome,
        "actor": line.who,
        "actor_kind": event.actor_kind,
        "object": event.object_name,
        "cluster": event.cluster_name,
        "reason": event.reason,
        "hash": digest,
        "is_linked": is_linked,
    }


def _chain(checked: Checked | None) -> dict[str, Any] | None:
    if checked is None:
        return None
    return {"verified_at": checked.time, "by": checked.by, "is_intact": checked.is_intact, "events": checked.checked}
