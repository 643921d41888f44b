"""Words, icons and colours of every status: the one table. Never colour alone, so each has all three."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import _StrPromise


@dataclass(frozen=True, slots=True)
class Status:
    """How one status looks. `tone` is a CSS class: ok, warn, crit, info, acc, or empty for neutral."""

    word: str | _StrPromise
    icon: str
    tone: str = ""


def _(word: str, icon: str, tone: str = "") -> Status:
    return Status(gettext_lazy(word), icon, tone)


HEALTH: Final = {
    "identity_changed": _("Identity changed, writes blocked", "fingerprint", "crit"),
    "credential_rejected": _("Credential rejected", "key-round", "crit"),
    "unreachable": _("Unreachable", "unplug", "crit"),
    "at_risk": _("At risk", "circle-x", "crit"),
    "degraded": _("Degraded", "triangle-alert", "warn"),
    "no_data": _("No data", "circle-question-mark"),
    "upgrading": _("Upgrading", "circle-arrow-up", "info"),
    "unknown": _("Not tested yet", "hourglass"),
    "healthy": _("Healthy", "circle-check", "ok"),
    "gone": _("Gone", "archive"),
    "retired": _("Retired", "archive"),
}
SYNC: Final = {
    "in_sync": _("In sync", "", "mut"),
    "drifted": _("Drifted", "equal-not", "warn"),
    "not_managed": _("Not managed", "circle-dashed"),
    "stale": _("Stale", "clock-alert", "warn"),
    "never": _("Not read yet", "hourglass"),
    "running": _("Reading", "loader", "info"),
    "failed": _("Read failed", "circle-x", "crit"),
}
ABILITY: Final = {
    "can": _("Can", "check", "ok"),
    "loses": _("Loses", "triangle-alert", "warn"),
    "cannot": _("Cannot", "ban", "crit"),
}
MTLS: Final = {
    "strict": _("Strict", "lock", "ok"),
    "mixed": _("Mixed", "triangle-alert", "warn"),
    "permissive": _("Permissive", "lock-open", "warn"),
    "disabled": _("Plaintext", "lock-open", "crit"),
    "unknown": _("Not known", "circle-question-mark"),
}
SKEW: Final = {
    "same": _("As its control plane", "circle-check", "ok"),
    "behind": _("Behind", "circle-arrow-up", "warn"),
    "too_far": _("Too far behind", "triangle-alert", "crit"),
    "ahead": _("Ahead of its control plane", "triangle-alert", "warn"),
    "unknown": _("Not known", "circle-question-mark"),
}
DRIFT: Final = {
    "changed": _("Changed outside of MeshUI", "equal-not", "warn"),
    "gone": _("Deleted outside of MeshUI", "trash-2", "warn"),
    "made": _("Made again outside of MeshUI", "plus", "warn"),
}
CHANGE: Final = {
    "draft": _("Draft", "pencil"),
    "planning": _("Planning", "loader", "info"),
    "in_review": _("Waiting for approval", "user-check", "acc"),
    "approved": _("Approved", "circle-check", "ok"),
    "scheduled": _("Scheduled", "calendar-clock", "info"),
    "queued": _("Queued", "hourglass", "info"),
    "applying": _("Applying", "loader", "info"),
    "baking": _("Baking", "clock", "info"),
    "gate": _("Waiting at a gate", "user-check", "acc"),
    "paused": _("Paused", "circle-pause", "warn"),
    "rolling_back": _("Rolling back", "undo-2", "warn"),
    "applied": _("Applied", "circle-check", "ok"),
    "rolled_back": _("Rolled back", "undo-2", "warn"),
    "failed": _("Failed, nothing written", "circle-x", "crit"),
    "partial": _("Partial, clusters differ", "triangle-alert", "crit"),
    "rejected": _("Rejected", "ban", "crit"),
    "expired": _("Expired", "clock-alert"),
    "cancelled": _("Cancelled", "circle-slash"),
    "superseded": _("Superseded", "copy-x"),
}
STEP: Final = {
    "pending": _("Pending", "circle-dashed"),
    "preflight": _("Preflight", "list-checks", "info"),
    "intent": _("Sending", "loader", "info"),
    "written": _("Written", "circle-dot", "info"),
    "accepted": _("Accepted", "circle-dot", "info"),
    "verified": _("Verified", "circle-check", "ok"),
    "conflict": _("Conflict", "equal-not", "crit"),
    "rollback_conflict": _("Rollback conflict", "equal-not", "crit"),
    "unknown": _("Unknown, reading back", "circle-question-mark", "warn"),
    "unreachable": _("Unreachable", "unplug", "crit"),
    "failed": _("Failed", "circle-x", "crit"),
    "skipped": _("Skipped", "circle-minus"),
    "reverted": _("Reverted", "undo-2", "warn"),
}
VERIFICATION: Final = {
    "observing": _("Observing", "clock", "info"),
    "verified": _("Verified", "circle-check", "ok"),
    "mismatch": _("Mismatch", "equal-not", "crit"),
    "not_supported": _("Cannot be observed", "eye-off"),
}
VOTE: Final = {
    "approve": _("Approved", "check", "ok"),
    "deny": _("Rejected", "x", "crit"),
    "requested": _("Requested", "user-check", "warn"),
    "voided": _("Voided", "ban"),
    "revoked": _("Revoked", "ban"),
    "barred": _("Cannot vote", "circle-slash"),
}
CHECK: Final = {
    "pass": _("Pass", "circle-check", "ok"),
    "warn": _("Warning", "triangle-alert", "warn"),
    "block": _("Blocks", "circle-x", "crit"),
    "not_run": _("Not run", "circle-dashed"),
}
VERDICT: Final = {
    "pass": _("Pass", "circle-check", "ok"),
    "fail": _("Fail", "circle-x", "crit"),
    "inconclusive": _("Inconclusive", "circle-question-mark"),
    "error": _("Error", "triangle-alert", "warn"),
}
OUTCOME: Final = {
    "success": _("Done", "circle-check", "ok"),
    "failure": _("Failed", "circle-x", "crit"),
    "denied": _("Denied", "ban", "crit"),
    "unknown": _("Unknown", "circle-question-mark", "warn"),
}
FLAG: Final = {
    "break_glass": _("Break-glass", "siren", "crit"),
    "review_due": _("Review due", "clock-alert", "warn"),
    "owned": _("Owned by a controller", "git-branch", "info"),
    "frozen": _("Frozen", "snowflake", "info"),
}
TABLES: Final[Mapping[str, Mapping[str, Status]]] = MappingProxyType(
    {
        "health": HEALTH,
        "sync": SYNC,
        "drift": DRIFT,
        "ability": ABILITY,
        "mtls": MTLS,
        "skew": SKEW,
        "change": CHANGE,
        "step": STEP,
        "verification": VERIFICATION,
        "vote": VOTE,
        "check": CHECK,
        "verdict": VERDICT,
        "outcome": OUTCOME,
        "flag": FLAG,
    }
)


class UnknownStatusError(KeyError):
    """A status that the table does not have: add it there, with word, icon and colour."""


def status_of(value: object, kind: str) -> Status:
    """The look of `value` (an enum, its value or its name, in any case) of `kind`. Raises UnknownStatusError."""
    key = str(getattr(value, "value", value)).lower().replace(" ", "_").replace("-", "_")
    try:
        return TABLES[kind][key]
    except KeyError as error:
        raise UnknownStatusError(f"{kind}: {key} is not in meshui/ui/statuses.py") from error
