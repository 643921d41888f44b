"""New values are told on the live bus, as `metrics` and `metric-<cluster>`, after the commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from meshes.types import Grain
from meshui.lib.bus import Fact
from meshui.lib.clock import read_db_now
from meshui.ui.visitors import parse_topics, read_subjects
from metrics.services.keeping import keep
from metrics.types import Golden, Measurement, Name
from tests.ears import listening
from tests.meshes.rows import cluster as make_cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ears import Ear


@pytest.fixture
def ear() -> Iterator[Ear]:
    """Somebody who listens."""
    with listening() as heard:
        yield heard


@pytest.mark.django_db(transaction=True)
def test_keep__new_values__told_once_as_progress_of_the_cluster(ear: Ear) -> None:
    cluster = make_cluster("eu")
    found = {Name("shop", f"s{number}", Grain.SERVICE): Golden(1.0) for number in range(3)}

    moment = read_db_now()
    keep(cluster, Measurement(found, "x"), begun=moment, at=moment, step=15, rasters=(15,))
    keep(cluster, Measurement({}, "x"), begun=moment, at=moment, step=15, rasters=(15,))

    assert [fact for fact in ear.facts if fact.kind == "metric"] == [Fact("metric", str(cluster.pk), is_progress=True)]


@pytest.mark.django_db
def test_topics__of_metrics__are_those_of_clusters() -> None:
    cluster = make_cluster("eu")

    asked = parse_topics("metrics,metric-eu")

    assert asked is not None
    assert [(topic.kind, topic.name) for topic in asked] == [("metric", ""), ("metric", "eu")]
    assert read_subjects(asked)["metric-eu"].places == (cluster.place,)
