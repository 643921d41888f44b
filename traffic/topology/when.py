"""The span of time that a graph is of: until now, or until a moment of what is kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from meshui.lib.clock import now
from metrics.types import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import _StrPromise

RANGES: Final[Mapping[int, str | _StrPromise]] = {
    1: gettext_lazy("1 min"),
    5: gettext_lazy("5 min"),
    15: gettext_lazy("15 min"),
    60: gettext_lazy("1 h"),
}
"""Minutes that can be asked for."""
KEPT: Final = dt.timedelta(hours=24)
FORMAT: Final = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True)
class When:
    """The last `minutes` until `at`; None: until now. Moments are UTC, and on whole minutes."""

    minutes: int = 1
    at: dt.datetime | None = None

    @classmethod
    def of(cls, minutes: int, at: dt.datetime | None) -> When:
        """What was asked for; a moment that has not come is now."""
        moment = at.astimezone(dt.UTC).replace(second=0, microsecond=0) if at else None
        return cls(minutes, moment if moment and moment < now() - dt.timedelta(minutes=1) else None)

    @property
    def span(self) -> Span:
        """As metrics are asked for it."""
        return Span(self.minutes, self.at)

    @property
    def is_kept(self) -> bool:
        """Whether anything can be stored of it."""
        return self.at is None or self.at > now() - KEPT

    @property
    def begin(self) -> dt.datetime:
        """When it begins."""
        return (self.at or now()) - dt.timedelta(minutes=self.minutes)

    @property
    def field(self) -> str:
        """What stands in the field of the moment; empty: now."""
        return self.at.strftime(FORMAT) if self.at else ""

    @property
    def earliest(self) -> str:
        """The first moment that can be chosen."""
        return (now() - KEPT + dt.timedelta(minutes=1)).strftime(FORMAT)

    @property
    def latest(self) -> str:
        """The last moment that can be chosen."""
        return now().strftime(FORMAT)

    @property
    def earlier(self) -> str:
        """One range back, as a URL names it; empty: nothing is kept of that."""
        before = (self.at or now()) - dt.timedelta(minutes=self.minutes)
        return before.strftime(FORMAT) if before > now() - KEPT else ""

    @property
    def later(self) -> str:
        """One range on, as a URL names it; empty: that is now."""
        after = (self.at or now()) + dt.timedelta(minutes=self.minutes)
        return after.strftime(FORMAT) if after < now() - dt.timedelta(minutes=1) else ""
