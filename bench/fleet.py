"""P6: the fleet page over 100 clusters, beside the same page whose counts are asked for cluster by cluster."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from accounts.rights import Held
from bench.people import browser, database_version, person, seconds_of_page
from bench.rounds import Contender, Goal, Row, p95, take_turns
from bench.stored import fleet
from meshes.adapters.mtls import STRICT, UNKNOWN
from meshes.models import Sync
from meshes.selectors import fleet as page
from meshes.selectors import fleet_clusters, fleet_rows
from traffic.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from bench.rounds import Asked, Figures, Report
    from clusters.models import Cluster
    from meshes.selectors import Counts

N: Final = 10_000
EACH: Final = 100
"""Services of a cluster."""
PATH: Final = "/?rows=100"
GOAL: Final = Goal("p95", 0.10)


def counts_one_by_one(sight: Sight) -> Counts:
    """The counts of the page as they are written first: nine questions for each cluster."""
    found: Counts = {}
    for each in sight.clusters():
        services, routes, managed, modes = (
            rows.filter(cluster=each) for rows in (sight.services(), sight.routes(), sight.managed(), sight.modes())
        )
        found[each.pk] = {
            page.SERVICES: (services.count(), 0, 0),
            page.ROUTES: (
                routes.count(), routes.filter(is_split=True).count(), routes.filter(projection_hash="").count(),
            ),
            page.MANAGED: (managed.count(), managed.exclude(drift="").count(), 0),
            page.MODES: (
                modes.count(), modes.filter(mode=STRICT).count(), modes.filter(mode=UNKNOWN).count(),
            ),
        }  # fmt: skip
    return found


def errors_one_by_one(clusters: Sequence[Cluster]) -> dict[UUID, int]:
    """How many kinds could not be read, cluster by cluster."""
    return {each.pk: Sync.objects.filter(cluster=each).exclude(error="").count() for each in clusters}


def measure(asked: Asked, report: Report, _: Path) -> None:
    """Measure P6 and tell of it."""
    clusters = max(1, (asked.n or N) // EACH)
    fleet(clusters, EACH)
    user = person("reader", "viewer")
    client = browser(user)

    def ours() -> Figures:
        return {"p95": p95(seconds_of_page(client, PATH) for _ in range(asked.samples))}

    def theirs() -> Figures:
        with one_by_one():
            return ours()

    _require_same(Held(user))
    contenders = [Contender("MeshUI", ours), Contender("N+1 counts", theirs)]
    facts = {"n": clusters * EACH, "clusters": clusters, "db": database_version(), "seed": asked.seed}
    row = Row("P6", f"fleet page, {clusters} clusters, {clusters * EACH} services", facts)
    report.skip(row, "Kiali", "it is not installed by the lab")
    report.compare(row, take_turns(contenders, asked.rounds), *contenders, GOAL)


@contextmanager
def one_by_one() -> Iterator[None]:
    """The page with N+1 counts, while it lasts."""
    with (
        patch.object(Sight, "counts", counts_one_by_one),
        patch.object(page, "clusters_with_errors", errors_one_by_one),
    ):
        yield


def _require_same(held: Held) -> None:
    """Both pages say the same. Raises SystemExit."""
    clusters, sight = list(fleet_clusters(held)), Sight(held)
    own = fleet_rows(held, clusters, sight.counts())
    with one_by_one():
        if fleet_rows(held, clusters, sight.counts()) != own:
            raise SystemExit("The page with N+1 counts says something else.")
