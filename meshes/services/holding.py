"""The lease of a cluster while it is read or watched: whoever holds it is the only writer of its inventory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from meshes.services.keeping import LostLeaseError
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
        if not renew(self.rows, owner=self.owner, fence=self.fence, seconds=self.seconds):
            raise LostLeaseError
        self._renewed = moment

    def end(self, **values: Any) -> bool:
        """Let it go, with `values` on the row in the same statement; False if it was another's already."""
        held = self.rows.filter(lease_owner=self.owner, lease_fence=self.fence)
        return bool(held.update(lease_owner="", lease_until=None, **values))
