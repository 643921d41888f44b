"""From service to service, along calls whose ends the reader sees both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.calls import Call, ServiceKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from metrics.types import Span
    from traffic.calls import CallsOf
    from traffic.sight import Sight


class Walk:
    """What was reached, and the calls between. A query for services and those of `calls_of` for each new cluster."""

    def __init__(self, sight: Sight, calls_of: CallsOf, span: Span) -> None:
        self._sight, self._calls_of, self._span = sight, calls_of, span
        self._asked: set[str] = set()
        self._calls: dict[tuple[ServiceKey, ServiceKey], Call] = {}
        self.seen: set[ServiceKey] = set()
        self.reached: set[ServiceKey] = set()

    def go(self, starts: Collection[ServiceKey], hops: int) -> None:
        """Reach what is within `hops` calls."""
        frontier = set(starts)
        for _ in range(hops):
            self.reached |= frontier
            self._learn({key.cluster for key in frontier})
            near = {end for ends in self._calls if not frontier.isdisjoint(ends) for end in ends}
            frontier = (near & self.seen) - self.reached
        self.reached |= frontier
        self._learn({key.cluster for key in frontier})

    def keep(self, is_wanted: Callable[[ServiceKey], bool]) -> None:
        """Of what was reached, only this."""
        self.reached = {key for key in self.reached if is_wanted(key)}

    def _learn(self, clusters: set[str]) -> None:
        """The services and the calls of clusters that were not asked yet."""
        new = clusters - self._asked
        if not new:
            return
        self._asked |= new
        known = {(call.caller, call.callee): call for call in self._calls_of(self._sight, sorted(new), self._span)}
        self._calls |= known
        places = {key.cluster for ends in known for key in ends} | new
        self.seen |= {ServiceKey(*place) for place in self._sight.selectors(places)}

    @property
    def calls(self) -> list[Call]:
        """Between what was reached; not of a service with itself, which is a split of its own versions."""
        inside = [call for ends, call in self._calls.items() if self.reached.issuperset(ends)]
        return sorted((call for call in inside if call.caller != call.callee), key=lambda c: (c.caller, c.callee))

    @property
    def hidden(self) -> int:
        """Callees of what was reached that are not among what the reader sees."""
        return len({callee for caller, callee in self._calls if caller in self.reached and callee not in self.seen})
