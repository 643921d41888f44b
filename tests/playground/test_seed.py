"""The demo's clusters are registered with what MeshUI prints, no more and no less."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from zeal import zeal_ignore

from clusters.models import Cluster, Health
from playground import seed
from tests.clusters.makers import checked


@pytest.mark.django_db
@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize("world", seed.WORLDS, ids=lambda world: world.name)
def test_seed__cluster_of_the_demo__healthy_with_the_least_rights(world: seed.World) -> None:
    with ExitStack() as begun, zeal_ignore():
        seed._add_cluster(world.start(begun), world.environment)

        cluster = checked(Cluster.objects.get(slug=world.name))

    states = {(row["role"], row["state"]) for row in cluster.access}
    assert (cluster.health, cluster.health_reason) == (Health.HEALTHY, "")
    assert not cluster.is_observe_only
    assert states == {(role, state) for role in ("reader", "writer") for state in ("allowed", "not_served")}
