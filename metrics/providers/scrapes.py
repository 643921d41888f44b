"""What proxies told in the last minutes, in rows: any worker goes on where another one stopped.

Two queries to begin with, two to claim, one to save. Only the holder of the cluster's round uses it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from meshui.lib.clock import read_db_now
from metrics.models import ProxyScrape
from metrics.samples import History

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clusters.models import Cluster
    from clusters.proxied import Pod

REST: Final = timedelta(seconds=5)
"""No proxy is asked twice within it."""
KEPT_SECONDS: Final = 200.0


class Kept:
    """The scrapes of some pods of one cluster."""

    def __init__(self, cluster: Cluster, pods: Iterable[Pod]) -> None:
        wanted = {pod.uid: pod for pod in pods}
        never = read_db_now() - timedelta(days=1)
        new = [
            ProxyScrape(cluster=cluster, namespace=pod.namespace, pod=pod.name, uid=pod.uid, asked_at=never)
            for pod in wanted.values()
        ]
        ProxyScrape.objects.bulk_create(new, ignore_conflicts=True)
        self._rows = {row.uid: row for row in ProxyScrape.objects.filter(cluster=cluster, uid__in=wanted)}
        self._histories = {uid: History.unpack(bytes(row.history)) for uid, row in self._rows.items()}
        self._moved: set[str] = set()

    def claim(self) -> list[str]:
        """The uids of those that may be asked now; they count as asked from here on."""
        moment = read_db_now()
        due = [row for row in self._rows.values() if row.asked_at <= moment - REST]
        ProxyScrape.objects.filter(pk__in=[row.pk for row in due]).update(asked_at=moment)
        return [row.uid for row in due]

    def add(self, uid: str, at: float, samples: dict[str, float]) -> None:
        """One more scrape of a pod."""
        self._histories[uid].add(at, samples, window=KEPT_SECONDS)
        self._rows[uid].error = ""
        self._moved.add(uid)

    def failed(self, uid: str, error: str) -> None:
        """A pod did not answer: what it told before stays."""
        self._rows[uid].error = plain(error)[:500]
        self._moved.add(uid)

    def history(self, uid: str) -> History:
        """What is known of a pod."""
        return self._histories.get(uid) or History()

    def save(self) -> None:
        """Keep what came."""
        moved = [self._rows[uid] for uid in sorted(self._moved)]
        for row in moved:
            row.history = self._histories[row.uid].pack()
        ProxyScrape.objects.bulk_update(moved, ["history", "error"], batch_size=50)


def plain(text: str) -> str:
    """Words of others as a database takes them."""
    return "".join(char if char.isprintable() else " " for char in text)
