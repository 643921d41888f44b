"""The lease of a cluster while it is read or watched: whoever holds it is the only writer of its inventory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, When

from clusters.models import Health
from meshes.services.keeping import LostLeaseError
from meshui.lib.clock import db_now
from meshui.lib.leases import renew

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from clusters.models import Cluster


@dataclass
class Lease:
    """One claim of one cluster."""

    rows: QuerySet[Cluster]
    owner: str
    fence: int
    seconds: float
    _renewed: float = field(default_factory=time.monotonic)

    def require(self) -> None:
        """Hold it longer, when a sixth of it is over. Raises LostLeaseError once it is another's."""
        moment = time.monotonic()
        if moment - self._renewed < self.seconds / 6:
            return
        if not renew(self._readable, owner=self.owner, fence=self.fence, seconds=self.seconds):
            raise LostLeaseError
        self._renewed = moment

    @property
    def _readable(self) -> QuerySet[Cluster]:
        """Not where another cluster answers by now: nothing more of that one is stored."""
        return self.rows.exclude(health=Health.IDENTITY_CHANGED)

    def confirm(self) -> None:
        """Inside a transaction: it is held, and nobody takes it before the end. Raises LostLeaseError."""
        held = self._readable.filter(lease_owner=self.owner, lease_fence=self.fence, lease_until__gt=db_now())
        if held.select_for_update().values_list("pk").first() is None:
            raise LostLeaseError

    def end(self, *, due_in: float, **values: Any) -> bool:
        """Let it go, due again then, with `values` on the row in the same statement; False if it was another's."""
        return self.note(lease_owner="", lease_until=None, next_sync_at=due(due_in), **values)

    def drop(self) -> bool:
        """Let it go with a fence of its own: what was read under it counts for nobody. False if it was another's."""
        return self.note(lease_owner="", lease_until=None, lease_fence=F("lease_fence") + 1)

    def note(self, **values: Any) -> bool:
        """Put `values` on the row; False if it is another's."""
        return bool(self.rows.filter(lease_owner=self.owner, lease_fence=self.fence).update(**values))


def due(seconds: float, *, unless_asked: bool = False) -> Case:
    """When a cluster is read next: then, but never where it was silenced, nor (`unless_asked`) later than asked for."""
    kept = [When(next_sync_at=None, then=F("next_sync_at"))]
    if unless_asked:
        kept.append(When(next_sync_at__lte=db_now(), then=F("next_sync_at")))
    return Case(*kept, default=db_now(plus=seconds))


@dataclass
class LongLease(Lease):
    """A claim that somebody else renews (the heartbeat of the watchers), for as long as a cluster is watched."""

    is_lost: bool = False

    def require(self) -> None:
        """Raises LostLeaseError once the heart noticed that it is another's."""
        if self.is_lost:
            raise LostLeaseError

    def confirm(self) -> None:
        """As every lease does; what the heart noticed costs no query."""
        self.require()
        super().confirm()
