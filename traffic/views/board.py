"""Everything that the page of one change shows, put together for one reader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext

from meshui.ui.parts import Step
from meshui.ui.wording import percent
from traffic import policy, selectors
from traffic.cards import cards_of, conflicts_of
from traffic.timeline import moments
from traffic.types import BEFORE_WRITE, STEP_GOOD, TERMINAL, State
from traffic.views.progress import run_of
from traffic.views.standing import is_running, next_words, pulse_of, standing_of, voided_of
from traffic.views.verbs import Desk, reader
from traffic.views.waits import BEFORE_APPROVAL, needed, needs_no_vote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from accounts.models import User
    from meshui.ui.parts import StepWord
    from traffic.cards import TargetCard
    from traffic.models import Change, ChangeTarget, Plan, TargetStep, Vote

MODES: Final = ("unified", "split", "neutral")
AGAIN: Final = frozenset(
    {State.FAILED, State.REJECTED, State.EXPIRED, State.CANCELLED, State.PARTIAL, State.ROLLED_BACK}
)
"""Ends after which the same may still be wanted."""
RANK: Final = {"block": 0, "warn": 1}


@dataclass(frozen=True, slots=True)
class Approval:
    """One line of the approvals: a vote, or why somebody has none. `word` is a status of kind vote."""

    name: str
    word: str
    note: str = ""
    comment: str = ""
    when: Any = None


def board_of(user: User, change: Change, params: Mapping[str, str]) -> dict[str, Any]:
    """The context of the page."""
    plan = change.current_plan
    targets = list(selectors.list_plan_targets(plan)) if plan else []
    steps = list(selectors.list_steps(change)) if plan else []
    votes = list(selectors.list_votes(change))
    editors = selectors.list_editors(change)
    related = selectors.list_related(user, change)
    standing = standing_of(change, steps)
    cards = cards_of(targets, is_sound=plan is not None and plan.is_sound)
    stamp = stamp_of(change, steps, [selectors.stamp_of_vote(vote) for vote in votes])
    return {
        "change": change,
        "plan": plan,
        "live_url": _live_url(change, stamp, params),
        "stamp": stamp,
        "pulse": pulse_of(change),
        "is_running": is_running(change),
        "is_moved_under_reader": _is_moved(change, params),
        "standing": standing,
        "voided": None if standing and change.state == State.IN_REVIEW else voided_of(change, votes),
        "can_age": change.state not in TERMINAL and not steps,
        "cards": cards,
        **_reading(user, change, cards, params),
        "findings": _findings(plan),
        "ladder": ladder(change, steps, votes),
        "run": run_of(steps),
        "run_count": sum(step.direction == "apply" for step in steps),
        "good_count": sum(step.state in STEP_GOOD for step in steps if step.direction == "apply"),
        "conflicts": conflicts_of(change, targets, steps),
        "needed": needed(plan),
        "needs_no_vote": needs_no_vote(change),
        "why_needed": why_needed(plan, cards),
        "approvals": approvals(change, votes, editors.values()),
        **_verbs(Desk(reader(user), change, frozenset(editors), tuple(votes), tuple(steps))),
        "others": [other for other in related if other.restores_id != change.pk],
        "restoring": [other for other in related if other.restores_id == change.pk],
        "timeline": moments(selectors.timeline_of(change)),
        **_places(change),
    }


def _reading(user: User, change: Change, cards: Sequence[TargetCard], params: Mapping[str, str]) -> dict[str, Any]:
    """What is read of the diff: the target, how it is shown, what was viewed; and how to undo it."""
    viewed, mode = selectors.viewed_of(user, change), params.get("diff", "")
    return {
        "card": _chosen(cards, params.get("target", "")),
        "mode": mode if mode in MODES else MODES[0],
        "viewed": viewed,
        "viewed_count": sum(card.slug in viewed for card in cards),
        "undo": undo_of(change, cards),
    }


def _verbs(desk: Desk) -> dict[str, Any]:
    """The verbs: those of a vote share one form."""
    verbs, change = desk.verbs(), desk.change
    deciding = [verb for verb in verbs if verb.key in {"approve", "deny"}]
    return {
        "deciding": deciding,
        "acting": [verb for verb in verbs if verb not in deciding],
        "plan_verb": next((verb for verb in verbs if verb.key == "plan" and not verb.why_not), None),
        "can_decide": any(not verb.why_not for verb in deciding),
        "digest": change.current_plan.digest if change.current_plan else "",
        "next_words": next_words(change),
    }


def _live_url(change: Change, stamp: str, params: Mapping[str, str]) -> str:
    kept = {name: params[name] for name in ("target", "diff") if params.get(name)}
    read = {"seen": stamp, "plan": change.current_plan.digest[:7] if change.current_plan else ""}
    return f"{reverse('traffic:change-live', args=[change.number])}?{urlencode({**read, **kept})}"


def _is_moved(change: Change, params: Mapping[str, str]) -> bool:
    """Whether the plan that the page showed so far is another one than it shows now, in the middle of a review."""
    read, now = params.get("plan", ""), change.current_plan
    return bool(read) and now is not None and change.state == State.IN_REVIEW and now.digest[:7] != read


def stamp_of(change: Change, steps: Sequence[TargetStep], votes: Sequence[str]) -> str:
    """Equal as long as nothing that the page shows of the votes, or of the run, has moved."""
    cause = change.rollout.phase_cause if hasattr(change, "rollout") else ""
    parts = [str(change.version), str(change.current_plan_id), cause]
    if change.state in BEFORE_WRITE:
        parts += sorted(votes)
    else:
        parts += [f"{step.pk} {step.state} {step.error}" for step in steps]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def why_needed(plan: Plan | None, cards: Sequence[TargetCard]) -> str:
    """Why so many, by the rule that stands until policies exist."""
    if plan is None or not plan.is_sound:
        return ""
    production = sorted({card.cluster for card in cards if card.environment == policy.PRODUCTION})
    if not production:
        return gettext("No cluster here is tagged production: one is enough.")
    return ngettext(
        "%(needed)d, because %(clusters)s is tagged production.",
        "%(needed)d, because %(clusters)s are tagged production.",
        len(production),
    ) % {"needed": needed(plan), "clusters": ", ".join(production)}


def undo_of(change: Change, cards: Sequence[TargetCard]) -> str:
    """How to undo it, in one sentence; empty: it has no plan."""
    if not cards or change.restores_id is not None:
        return gettext("It restores what was recorded. To undo that, propose the split again.") if cards else ""
    moved = [rule for card in cards for rule in card.rules if rule.is_moved]
    found = {" / ".join(f"{name} {percent(share)}" for name, share in rule.before) for rule in moved}
    if len(found) != 1 or not all(rule.before for rule in moved):
        return gettext("Roll back restores what was recorded in each target, without another approval.")
    return ngettext(
        "Roll back restores %(shares)s in its target, without another approval.",
        "Roll back restores %(shares)s in all %(n)d targets, without another approval.",
        len(cards),
    ) % {"shares": found.pop(), "n": len(cards)}


def approvals(change: Change, votes: Sequence[Vote], writers: Iterable[str]) -> list[Approval]:
    """Who decided and whether it counts; then who cannot decide, and why."""
    plan = change.current_plan
    counted = {vote.pk for vote in policy.counting(plan)} if plan and votes else set()
    lines = [_approval(vote, counted=vote.pk in counted, plan=plan) for vote in votes]
    wrote = gettext("Wrote this change: cannot decide on it")
    return lines + [Approval(name, "barred", wrote) for name in writers]


def _approval(vote: Vote, *, counted: bool, plan: Plan | None) -> Approval:
    if vote.revoked_at is not None:
        word, note, when = "revoked", gettext("Taken back by the voter"), vote.revoked_at
    elif vote.voided_at is not None:
        word, note, when = "voided", vote.void_cause, vote.voided_at
    elif vote.decision == "approve" and plan is not None and vote.plan_id == plan.pk and not counted:
        word, note, when = "voided", gettext("No longer counts: the right to vote is gone"), vote.created_at
    else:
        word, note, when = vote.decision, "", vote.created_at
    return Approval(vote.voter_name, word, note, vote.comment, when)


def ladder(change: Change, steps: Sequence[TargetStep], votes: Sequence[Vote]) -> list[Step]:
    """Proposed → Checked → Approval → Apply → Read back."""
    apply = [step for step in steps if step.direction == "apply"]
    good = sum(step.state in STEP_GOOD for step in apply)
    return [
        Step(gettext("Proposed"), gettext("by %(name)s") % {"name": change.author_name}, "done"),
        _checked(change),
        _approved(change, votes),
        _applied(change, good, len(apply)),
        _read_back(change, apply),
    ]


def _checked(change: Change) -> Step:
    label, plan = gettext("Checked"), change.current_plan
    if plan is None:
        is_current = change.state != State.DRAFT
        return Step(label, gettext("dry run under way") if is_current else "", "current" if is_current else "todo")
    if not plan.is_sound:
        return Step(label, gettext("errors: see below"), "bad")
    warnings = sum(finding["severity"] == "warn" for finding in plan.findings)
    said = ngettext("passed, %(n)d warning", "passed, %(n)d warnings", warnings) % {"n": warnings}
    return Step(label, said if warnings else gettext("passed"), "done")


def _approved(change: Change, votes: Sequence[Vote]) -> Step:
    label = gettext("Approval")
    standing = [v for v in votes if v.plan_id == change.current_plan_id and v.is_standing and v.decision == "approve"]
    note = gettext("%(n)d of %(needed)d") % {"n": len(standing), "needed": needed(change.current_plan)}
    if needs_no_vote(change):
        return Step(label, gettext("not needed: it restores"), "done")
    if change.state in BEFORE_APPROVAL or change.submitted_at is None:
        return Step(label)
    if change.state == State.REJECTED:
        return Step(label, gettext("rejected"), "bad")
    is_over = change.state in {State.EXPIRED, State.CANCELLED, State.SUPERSEDED}
    is_open = change.state == State.IN_REVIEW or (is_over and len(standing) < needed(change.current_plan))
    return Step(label, note, "todo" if is_over and is_open else "current" if is_open else "done")


def _applied(change: Change, good: int, total: int) -> Step:
    label = gettext("Apply")
    note = gettext("%(n)d of %(total)d targets") % {"n": good, "total": total} if total else ""
    words: dict[str, tuple[StepWord, str]] = {
        State.APPROVED: ("current", gettext("ready to start")),
        State.QUEUED: ("current", gettext("queued")),
        State.APPLYING: ("current", note),
        State.PAUSED: ("bad", gettext("paused, %(note)s") % {"note": note}),
        State.ROLLING_BACK: ("bad", gettext("rolling back")),
        State.ROLLED_BACK: ("bad", gettext("rolled back")),
        State.FAILED: ("bad", gettext("nothing written")),
        State.APPLIED: ("done", note),
        State.PARTIAL: ("bad", gettext("partial, %(note)s") % {"note": note}),
        State.EXPIRED: ("bad", gettext("expired")),
        State.CANCELLED: ("bad", gettext("cancelled")),
        State.SUPERSEDED: ("bad", gettext("superseded")),
    }
    word, said = words.get(State(change.state), ("todo", ""))
    return Step(label, said, word)


def _read_back(change: Change, apply: Sequence[TargetStep]) -> Step:
    """What a step is verified by: the object alone. Of requests the part with before and after tells."""
    label = gettext("Read back")
    if change.state != State.APPLIED:
        return Step(label, gettext("then traffic is observed for 10 min"))
    levels = sorted({str(step.evidence.get("level", "")) for step in apply} - {""})
    words = {
        "L1": gettext("L1: stored; traffic: see below"),
        "L2": gettext("L2: accepted by the controllers; traffic: see below"),
    }
    return Step(label, words.get(levels[0] if levels else "", gettext("traffic: see below")), "done")


def _findings(plan: Plan | None) -> list[dict[str, Any]]:
    if plan is None:
        return []
    return sorted(plan.findings, key=lambda finding: (RANK.get(finding["severity"], 2), finding["id"]))


def _chosen(cards: Sequence[TargetCard], key: str) -> TargetCard | None:
    return next((card for card in cards if key in {card.key, card.slug}), cards[0] if cards else None)


def _places(change: Change) -> dict[str, Any]:
    targets = list(change.targets.all())
    return {
        "targets": targets,
        "clusters": sorted({target.cluster.slug for target in targets}),
        "mesh_kinds": sorted({target.mesh_kind for target in targets}),
        "first_target": targets[0] if targets else None,
        "service_url": _service_url_of(targets),
        "again_url": f"{_service_url_of(targets)}split/" if change.state in AGAIN else "",
        "reason_lines": [line for line in change.reason.splitlines() if line.strip()],
    }


def service_url(scope: str, namespace: str, service: str) -> str:
    """The page of a service; names from clusters are quoted, whatever they hold."""
    return "/services/" + "/".join(quote(part, safe="") for part in (scope, namespace, service)) + "/"


def _service_url_of(targets: Sequence[ChangeTarget]) -> str:
    return service_url(targets[0].cluster.slug, targets[0].namespace, targets[0].service) if targets else ""
