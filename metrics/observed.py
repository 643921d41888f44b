"""Verification level L3: whether the requests of a bake window were shared as was approved. Pure.

Shares of a sample vary: a backend with share p of n requests is within p ± 3 standard deviations nearly always, so that
and 2 points more are tolerated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from meshes.types import FULL

if TYPE_CHECKING:
    from collections.abc import Mapping

POINTS: Final = 0.02
DEVIATIONS: Final = 3.0
FEWEST: Final = 30
"""Requests below which nothing is said: with 20, one request is five points."""

COVERED: Final = 0.6
"""Which part of the window must have been measured."""

Answer = Literal["observed", "mismatch", "cannot be observed"]


@dataclass(frozen=True, slots=True)
class ShareSeen:
    """One backend: its approved and its measured share, and how far they may be apart; all of 0 to 1."""

    key: str
    approved: float
    measured: float
    tolerance: float

    @property
    def is_within(self) -> bool:
        """Whether the measured share is what was approved, as far as a sample can tell."""
        return self.excess <= 0.0

    @property
    def excess(self) -> float:
        """How much further apart they are than is tolerated; negative: within."""
        return abs(self.measured - self.approved) - self.tolerance


@dataclass(frozen=True, slots=True)
class Coverage:
    """What of a window was measured: `measured` of `due` moments, each `step_s` seconds after the one before.

    `back_s`: the beginning of the window that is left out, as rates look back. `counts`: requests by backend key;
    `moments`: at how many of the moments a backend was measured.
    """

    step_s: int
    back_s: int
    due: int
    measured: int
    counts: Mapping[str, float]
    moments: Mapping[str, int] = field(default_factory=dict)

    def unseen(self, approved: Mapping[str, int]) -> str:
        """The first backend that was to get requests, and was hardly measured: what it got, nobody knows. Or none."""
        fewest = COVERED * self.measured
        return next((key for key, bp in approved.items() if bp and self.moments.get(key, 0) < fewest), "")

    @property
    def whole(self) -> dict[str, int]:
        """Requests by backend key, each a whole number: what is shown of them adds up."""
        return whole_of(self.counts)

    @property
    def is_enough(self) -> bool:
        """Whether shares of it say something of the whole window."""
        return self.due >= 1 and self.measured >= COVERED * self.due


@dataclass(frozen=True, slots=True)
class Observation:
    """What metrics say of a split. `reason` in words: what is missing, or which backend is off and by how much.

    `coverage` None: it was not looked for.
    """

    answer: Answer
    reason: str
    requests: int = 0
    shares: tuple[ShareSeen, ...] = ()
    coverage: Coverage | None = None


def observe_split(approved: Mapping[str, int], counted: Mapping[str, float] | None, *, why: str = "") -> Observation:
    """Compare `counted` requests by backend key with `approved` basis points (sum 10,000) of the same window.

    `counted` None: nothing was measured, `why` says what is missing. Requests to backends that were not approved are
    a mismatch like any other share.
    """
    if counted is None:
        return Observation("cannot be observed", why or "Nothing was measured in that time.")
    if len(approved) < 2:
        return Observation("cannot be observed", "There is one backend alone: it gets every request, whatever it does.")
    if sum(approved.values()) != FULL:
        return Observation("cannot be observed", "The approved weights do not add up to 100 %.")
    usable = whole_of(counted)
    requests = sum(usable.values())
    if requests < FEWEST:
        text = f"Only {requests} requests were measured; {FEWEST} are needed to tell."
        return Observation("cannot be observed", text, requests)
    keys = (*approved, *(key for key in usable if key not in approved))
    shares = tuple(_share(key, approved.get(key, 0) / FULL, usable.get(key, 0), requests) for key in keys)
    off = [share for share in shares if not share.is_within]
    if not off:
        text = f"{requests:,} requests were shared as approved, within what a sample of them can tell."
        return Observation("observed", text, requests, shares)
    worst = max(off, key=lambda share: (round(share.excess, 6), share.measured - share.approved))
    text = (
        f"{worst.key} got {worst.measured:.1%} of {requests:,} requests; approved are {worst.approved:.1%}, "
        f"tolerated is ±{worst.tolerance:.1%}."
    )
    return Observation("mismatch", text, requests, shares)


def whole_of(counted: Mapping[str, float]) -> dict[str, int]:
    """Counts of requests as whole numbers, rounded here and nowhere else; what is no number is left out."""
    return {key: round(max(0.0, value)) for key, value in counted.items() if math.isfinite(value)}


def tolerance(approved: float, requests: float) -> float:
    """How far a measured share of `requests` (more than 0) may be from an `approved` one of 0 to 1."""
    return DEVIATIONS * math.sqrt(approved * (1.0 - approved) / requests) + POINTS


def _share(key: str, approved: float, count: int, requests: int) -> ShareSeen:
    return ShareSeen(key, approved, count / requests, tolerance(approved, requests))
