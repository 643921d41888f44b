"""How far each target of a run is, object by object, and the level that is known of it (change-control §5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext, gettext_lazy

from traffic.types import STEP_GOOD, StepState

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from django.utils.functional import _StrPromise

    from traffic.models import TargetStep

DOES: Final[dict[tuple[str, str], str | _StrPromise]] = {
    ("apply", "patch"): gettext_lazy("changes %(ref)s"),
    ("apply", "create"): gettext_lazy("creates %(ref)s"),
    ("apply", "delete"): gettext_lazy("deletes %(ref)s"),
    ("restore", "patch"): gettext_lazy("restores %(ref)s"),
    ("restore", "create"): gettext_lazy("deletes %(ref)s again"),
    ("restore", "delete"): gettext_lazy("puts %(ref)s back"),
}
WAITING: Final = "waiting"
"""What evidence says of a mesh that has not spoken of this generation yet."""


@dataclass(frozen=True, slots=True)
class Line:
    """One object of one target: `status` is a word of the table `kind` (step, or verification)."""

    words: str
    status: str
    kind: str
    note: str
    when: dt.datetime


@dataclass(frozen=True, slots=True)
class RunTarget:
    """One target in one direction. `level`: the least that is known of its objects, in words; empty: nothing yet."""

    cluster: str
    direction: str
    lines: tuple[Line, ...]
    level: str

    @property
    def is_restore(self) -> bool:
        """Whether it is put back."""
        return self.direction == "restore"


def run_of(steps: Iterable[TargetStep]) -> list[RunTarget]:
    """The targets that are written, then those that are put back, each with its objects in their order."""
    grouped: dict[tuple[str, object], list[TargetStep]] = {}
    for step in steps:
        target = step.plan_target
        grouped.setdefault((step.direction, (step.cluster_id, target.target_id or target.ref)), []).append(step)
    return [_target(found) for _, found in sorted(grouped.items(), key=lambda item: item[0][0])]


def _target(steps: Sequence[TargetStep]) -> RunTarget:
    ordered = sorted(steps, key=lambda step: step.position, reverse=steps[0].direction == "restore")
    is_single = len(ordered) == 1
    lines = tuple(_line(step, 0 if is_single else number) for number, step in enumerate(ordered, start=1))
    return RunTarget(steps[0].cluster.slug, steps[0].direction, lines, _level(ordered))


def _line(step: TargetStep, number: int) -> Line:
    target = step.plan_target
    words = str(DOES[step.direction, step.op]) % {"ref": f"{target.kind} {target.namespace}/{target.name}"}
    status, kind = _status(step)
    return Line(
        words=f"{number} {words}" if number else words,
        status=status,
        kind=kind,
        note=step.error or _note(step),
        when=step.state_changed_at,
    )


def _status(step: TargetStep) -> tuple[str, str]:
    """Its word and the table of the word. What is stored but not known to be taken is never green."""
    if step.state != StepState.VERIFIED or step.evidence.get("level") != "L1":
        return step.state, "step"
    return ("written", "step") if step.evidence.get("accepted") == WAITING else ("not_supported", "verification")


def _note(step: TargetStep) -> str:
    """How the level was reached, in a sentence; empty: none is."""
    level = str(step.evidence.get("level", ""))
    if step.state not in STEP_GOOD or not level:
        return ""
    if step.direction == "restore":
        return gettext("Level %(level)s: read back as before the change") % {"level": level}
    generation = step.evidence.get("generation")
    stored = gettext("stored and read back as written")
    if generation:
        stored = gettext("stored and read back as written, generation %(n)s") % {"n": generation}
    parts = [stored, _acceptance(step, level)]
    return gettext("Level %(level)s: %(what)s") % {"level": level, "what": "; ".join(part for part in parts if part)}


def _acceptance(step: TargetStep, level: str) -> str:
    """What the mesh says of it."""
    if level != "L1":
        return gettext("accepted by the controller")
    if step.evidence.get("accepted") == WAITING:
        return gettext("the controller has not spoken of it yet")
    return gettext("whether the mesh took it cannot be observed")


def _level(steps: Sequence[TargetStep]) -> str:
    if any(step.state not in STEP_GOOD for step in steps):
        return ""
    levels = [str(step.evidence.get("level", "")) for step in steps if step.evidence.get("level")]
    words = {
        "L1": gettext("L1: stored"),
        "L2": gettext("L2: accepted by the controller"),
    }
    return words.get(min(levels), "") if levels else ""
