"""The stocks of this process: one a cluster, used only by whoever holds the cluster's lease."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from meshes.services.stock import Stock

if TYPE_CHECKING:
    from uuid import UUID

MOST = 100
_lock = threading.Lock()
_stocks: OrderedDict[UUID, Stock] = OrderedDict()


def take(cluster_id: UUID, fence: int) -> Stock:
    """The stock of a cluster, to be given back with `keep`; a new one where somebody else has read it since ours.

    Fences grow by one with each claim, so the one before ours tells whether nobody was there in between.
    """
    with _lock:
        found = _stocks.pop(cluster_id, None)
    return found if found is not None and found.fence == fence - 1 else Stock()


def keep(cluster_id: UUID, stock: Stock, fence: int) -> None:
    """The stock agrees with the rows, as of this fence. What is not kept is read anew."""
    stock.fence = fence
    with _lock:
        _stocks[cluster_id] = stock
        while len(_stocks) > MOST:
            _stocks.popitem(last=False)


def drop_all() -> None:
    """Know nothing; tests alone call this."""
    with _lock:
        _stocks.clear()
