"""The only writer of history: `record` gathers, `@verb` appends, in order, as the last statements of its transaction.

Whatever is recorded is also told to the pages that show it, after the commit: here all of it passes.

A refusal (RefusedError) rolls the verb back and is recorded as `denied` in a short transaction of its own.
"""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar, cast

from django.db import DatabaseError, transaction

from audit import ledger
from audit.types import About, ChainReport, Draft, Evidence, code_of
from meshui.lib import bus, rights
from meshui.lib.canonical import canonical, without_nulls
from meshui.lib.errors import DeniedError, RefusedError, UnavailableError
from meshui.lib.queue import enqueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from audit.types import Actor, Outcome, Recordable
    from meshui.lib.jsontypes import JsonObject

P = ParamSpec("P")
R = TypeVar("R")
LOG: Final = About(kind="audit log", id="", name="audit log")
CHECKED_AT_ONCE: Final = 10_000


class VerbError(RuntimeError):
    """A slip of the programmer: a verb inside a verb, a record outside of one, a verb without actor."""


class LedgerUnavailableError(UnavailableError):
    """History cannot be written, so nothing was done."""


@dataclass(slots=True)
class _Run:
    """One call of a verb: what it is about and what it has recorded so far."""

    action: str
    actor: Actor
    about: About | None = None
    drafts: list[Draft] = field(default_factory=list)


_running: ContextVar[_Run | None] = ContextVar("meshui_verb", default=None)


def verb(action: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a keyword-only function with `actor` one act: one durable transaction that ends with its events.

    Raises VerbError inside another verb, LedgerUnavailableError if the events cannot be written (nothing is done then).
    A RefusedError of the function comes out again after `action` was recorded as denied.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        _require_keywords(function)

        @wraps(function)
        def act(*args: P.args, **kwargs: P.kwargs) -> R:
            if _running.get() is not None:
                raise VerbError(f"{function.__qualname__} was called inside another verb; share a plain function.")
            run = _Run(action, cast("Actor", kwargs["actor"]))
            try:
                with transaction.atomic(durable=True):
                    with _collecting(run):
                        result = function(*args, **kwargs)
                    _append(run.drafts)
            except LedgerUnavailableError:
                raise
            except RefusedError as refusal:
                _record_refusal(run, refusal)
                raise
            return result

        return act

    return decorate


def record(
    action: str,
    *,
    actor: Actor,
    target: Recordable | About | None = None,
    reason: str = "",
    evidence: Evidence | None = None,
    outcome: Outcome = "success",
    **details: object,
) -> None:
    """Note an event of the running verb; it is written, in order, when the verb ends well.

    Details are what canonical JSON holds: text, integers, truth values, lists, dicts; None is left out. Raises
    VerbError outside a verb, UnknownActionError for an action no app registered, NotCanonicalError for other details.
    """
    run = _current()
    code_of(action, outcome)
    kept = cast("JsonObject", without_nulls(details))
    canonical(kept)
    subject = run.about if target is None else _as_about(target)
    run.drafts.append(Draft(action, actor, subject, reason, evidence or Evidence(), outcome, kept))


def about(target: Recordable | About) -> None:
    """Say early what the running verb is about, so that its refusal names it; `record` without target uses it too."""
    _current().about = _as_about(target)


@contextmanager
def _collecting(run: _Run) -> Iterator[None]:
    token = _running.set(run)
    try:
        yield
    finally:
        _running.reset(token)


def _current() -> _Run:
    run = _running.get()
    if run is None:
        raise VerbError("Only a verb records: decorate the service with @verb.")
    return run


def _as_about(target: Recordable | About) -> About:
    return target if isinstance(target, About) else target.to_audit()


def _append(drafts: list[Draft]) -> None:
    try:
        ledger.append(drafts)
    except DatabaseError as error:
        raise LedgerUnavailableError(
            "The audit log cannot be written, so nothing was done.",
            mend="Try again; if it stays so, the operator must look at the database.",
        ) from error
    for kind, key in dict.fromkeys(moved for draft in drafts for moved in _moved(draft)):
        bus.publish(kind, key)


def _moved(draft: Draft) -> Iterator[tuple[str, str]]:
    """What a page may show otherwise after this event: its object, and the change that it belongs to."""
    subject = draft.about
    if subject is None or draft.outcome == "denied":
        return
    if subject.change is not None:
        yield "change", str(subject.change.number)
    if subject.kind not in {"change", "step"}:
        yield subject.kind, subject.id


def _record_refusal(run: _Run, refusal: RefusedError) -> None:
    """One event `denied` in its own short transaction."""
    subject = run.about or next((draft.about for draft in run.drafts if draft.about), None)
    draft = Draft(
        run.action, run.actor, subject, str(refusal), outcome="denied", details={"error": type(refusal).__name__}
    )
    try:
        with transaction.atomic(durable=True):
            _append([draft])
    except DatabaseError as error:
        raise LedgerUnavailableError(
            "This was refused, and the audit log cannot be written.",
            mend="The operator must look at the database.",
        ) from error


def _require_keywords(function: Callable[P, R]) -> None:
    parameters = inspect.signature(function).parameters
    if "actor" not in parameters or any(p.kind is not p.KEYWORD_ONLY for p in parameters.values()):
        raise VerbError(f"{function.__qualname__} must take keywords only, `actor` among them.")


@verb("audit.log.read")
def record_log_read(*, actor: Actor, what: str, narrowed: dict[str, str] | None = None) -> None:
    """Note that the log was read: the list (`narrowed` by its filters) or one event."""
    _require_reader(actor)
    record("audit.log.read", actor=actor, target=LOG, what=what, narrowed=narrowed or None)


@verb("audit.log.verified")
def check_log(*, actor: Actor) -> ChainReport | None:
    """Verify the chain and record what was found; None if it is long, then a task does it.

    Raises DeniedError without audit.read.
    """
    about(LOG)
    _require_reader(actor)
    if ledger.count_events() > CHECKED_AT_ONCE:
        record("audit.log.check_requested", actor=actor)
        enqueue("audit.tasks.verify_log")
        return None
    report = ledger.verify_chain()
    _record_report(actor, report)
    return report


@verb("audit.log.verified")
def record_check(*, actor: Actor, report: ChainReport) -> None:
    """Record what a walk along the chain found."""
    _record_report(actor, report)


def _record_report(actor: Actor, report: ChainReport) -> None:
    record(
        "audit.log.verified",
        actor=actor,
        target=LOG,
        reason=report.reason,
        outcome="success" if report.is_intact else "failure",
        checked=report.checked,
        head=report.head_hash,
        first_bad_seq=report.first_bad_seq or None,
    )


def _require_reader(actor: Actor) -> None:
    if not rights.may(actor, "audit.read", [rights.Place()]):
        raise DeniedError("Only an auditor reads the audit log.", mend="Ask an Access admin for the role Auditor.")
