"""Sums over a cluster at one moment: of services that are measured closely and of those that are not."""

from __future__ import annotations

import datetime as dt

import pytest
from zeal import zeal_ignore

from meshes.types import Grain
from meshui.lib.clock import now
from metrics.models import Point, Series
from metrics.selectors import cluster_sums
from metrics.services.keeping import on_raster
from metrics.types import Span
from tests.traffic.factories import make_cluster
from tests.traffic.measuring import make_series

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mid_minute")]


def test_cluster_sums__of_one_minute__each_service_once_however_often_it_was_measured() -> None:
    cluster = make_cluster()
    minute = on_raster(now(), 60) - dt.timedelta(minutes=10)
    with zeal_ignore():  # rows one by one
        close, other = (make_series(cluster, Grain.SERVICE, "", 0.0, service=name) for name in ("web", "cart"))
        for second in range(0, 60, 15):
            at = minute + dt.timedelta(seconds=second)
            Point.objects.create(series=close, step=15, at=at, rate=80.0, success=1.0)
        for series, rate in ((close, 80.0), (other, 20.0)):
            Point.objects.create(series=series, step=60, at=minute, rate=rate, success=1.0)

    sums = cluster_sums(Series.objects.filter(cluster=cluster), Span(1, minute + dt.timedelta(seconds=50)))

    assert sums[cluster.pk].rate == 100.0
    assert sums[cluster.pk].live == 2
