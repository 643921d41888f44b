"""Who listens on the live bus in a test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from meshui.lib.bus import Subscription

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshui.lib.bus import Fact


class Ear:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def hear(self, fact: Fact) -> None:
        self.facts.append(fact)

    def miss(self) -> None:
        """Nothing is kept."""

    def set_away(self, *, is_away: bool) -> None:
        """Nothing is shown."""


@contextmanager
def listening() -> Iterator[Ear]:
    """Somebody who listens in this process."""
    heard = Ear()
    subscription = Subscription(heard)
    subscription.open()
    yield heard
    subscription.close()
