"""Write the rows of one cluster, each act in a transaction that first makes sure the cluster is still ours."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db import transaction

from meshes.services import store
from meshui.lib.bus import publish

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from typing import Protocol

    from clusters.models import Cluster
    from meshes.services.store import Wanted

    class Hold(Protocol):
        """The right to read one cluster and to write what was read. Both raise LostLeaseError once it is over."""

        def require(self) -> None:
            """Between two parts of a reading."""

        def confirm(self) -> None:
            """Inside the transaction of a write, for as long as it lasts."""


class LostLeaseError(Exception):
    """Another worker has the cluster now: what was read is not stored."""


@dataclass
class Rows:
    """What is written while `hold` lasts. `written` counts rows by kind."""

    cluster: Cluster
    hold: Hold
    written: Counter[str] = field(default_factory=Counter)

    def upsert(self, name: str, model: type[Any], wanted: Wanted) -> None:
        """Make these rows as wanted."""
        if wanted:
            self._do(name, lambda: store.upsert_rows(model, self.cluster, wanted))

    def replace(self, name: str, model: type[Any], wanted: Wanted, *, key: tuple[str, ...]) -> None:
        """Make these rows as wanted, and no others."""
        self._do(name, lambda: store.store_rows(model, self.cluster, wanted, key=key))

    def upsert_by(self, name: str, model: type[Any], wanted: Wanted, *, key: tuple[str, ...]) -> None:
        """Make these rows as wanted, known by other columns than their uid."""
        self._do(name, lambda: store.upsert_rows(model, self.cluster, wanted, key=key))

    def gone(self, name: str, model: type[Any], uids: Iterable[str]) -> None:
        """These objects are no longer there."""
        if found := list(uids):
            self._do(name, lambda: store.mark_gone(model, self.cluster, found))

    def absent(self, name: str, model: type[Any], present: Collection[str], **narrow: Any) -> None:
        """Of the rows that `narrow` names, only `present` are still there."""
        self._do(name, lambda: store.mark_absent(model, self.cluster, present, **narrow))

    def _do(self, name: str, write: Callable[[], int]) -> None:
        with transaction.atomic():
            self.hold.confirm()
            count = write()
            if count:
                publish("cluster", self.cluster.pk)
            self.written[name] += count
