"""The health of services: the worst of what is known, and of an earlier moment only what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from zeal import zeal_ignore

from accounts.rights import Held
from meshes.models import Service, Sync, Workload
from meshes.types import Grain
from meshui.lib.clock import now
from metrics.types import Span
from tests.people import make_person
from tests.traffic.calling import key
from tests.traffic.factories import in_state, make_change, make_cluster, make_managed, make_route
from tests.traffic.measuring import V1, draw, make_series, measure
from traffic.health import known_of
from traffic.sight import Sight

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accounts.models import User
    from clusters.models import Cluster
    from meshes.models import Route
    from traffic.health import Health

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mid_minute")]


@pytest.fixture(autouse=True)
def several_rows() -> Iterator[None]:
    """A test makes rows one by one: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


CHECKOUT = key("eu-west/shop/checkout")


@pytest.fixture
def eu() -> Cluster:
    """A cluster whose services were read."""
    cluster = make_cluster()
    Sync.objects.create(cluster=cluster, resource="services", started_at=now(), succeeded_at=now())
    return cluster


@pytest.fixture
def route(eu: Cluster) -> Route:
    """shop/checkout, 90/10."""
    return make_route(eu)


def health_of(user: User, span: Span | None = None) -> Health:
    return known_of(Sight(Held(user)), [CHECKOUT], span or Span()).of(CHECKOUT)


def texts(health: Health) -> list[str]:
    return [finding.text for finding in health.findings]


def test_health__nothing_known__no_data_and_never_healthy(route: Route, viewer: User) -> None:
    health = health_of(viewer)

    assert (health.tone, health.word, health.rate) == ("", "No data", None)


@pytest.mark.parametrize(
    ("success", "tone", "word"),
    [(1.0, "ok", "Healthy"), (0.9971, "ok", "Healthy"), (0.995, "warn", "Degraded"), (0.95, "crit", "At risk")],
)
def test_health__share_of_errors__gives_the_word(
    eu: Cluster, route: Route, viewer: User, success: float, tone: str, word: str
) -> None:
    measure(eu, 40.0, success=success)

    health = health_of(viewer)

    assert (health.tone, health.word) == (tone, word)
    assert health.p99_ms == 60.0


def test_health__no_requests__neither_healthy_nor_failing(eu: Cluster, route: Route, viewer: User) -> None:
    measure(eu, 0.0, success=None)

    health = health_of(viewer)

    assert health.tone == ""
    assert texts(health) == ["No request reached it"]
    assert health.rate == 0.0


def test_health__drifted__degraded_however_well_it_answers(eu: Cluster, route: Route, viewer: User) -> None:
    measure(eu, 40.0)
    make_managed(route)

    health = health_of(viewer)

    assert (health.tone, health.word) == ("warn", "Degraded")
    assert "Its route is not as MeshUI left it" in texts(health)
    assert [finding.url for finding in health.findings if finding.url] == ["/drift/?cluster=eu-west"]


def test_health__target_is_not_there__said_where_services_were_read(eu: Cluster, route: Route, viewer: User) -> None:
    Service.objects.all().delete()

    assert "2 targets are missing" in texts(health_of(viewer))

    Sync.objects.all().delete()
    assert texts(health_of(viewer)) == []


def test_health__no_pod_of_a_version_is_ready__at_risk_where_requests_are_sent(
    eu: Cluster, route: Route, viewer: User
) -> None:
    neutral = route.route
    assert neutral is not None
    words = neutral.to_json()
    for item in words["rules"][0]["backends"]:  # type: ignore[index,call-overload,union-attr]  # a route of the factory
        item["backend"]["labels"] = [["version", item["backend"]["subset"]]]  # type: ignore[index,call-overload]  # as above
    route.neutral = words
    route.save()
    Service.objects.update(selector={"app": "checkout"})
    for name, ready in (("v1", 2), ("v2", 0)):
        Workload.objects.create(
            cluster=eu, kind="Deployment", namespace="shop", name=f"checkout-{name}", uid=name,
            labels={"app": "checkout", "version": name}, ready=ready, replicas=2, content_hash="", read_at=now(),
        )  # fmt: skip

    known = known_of(Sight(Held(viewer)), [CHECKOUT])

    assert "No pod of v2 is ready" in texts(known.of(CHECKOUT))
    assert known.of(CHECKOUT).word == "At risk"
    assert [(each.backend.subset, each.health.tone) for each in known.versions[CHECKOUT]] == [
        ("v1", ""),
        ("v2", "crit"),
    ]


def test_health__open_changes__told_and_closed_ones_not(route: Route, viewer: User, author: User) -> None:
    first, second = make_change(author, [route]), make_change(author, [route], title="Later")

    assert [change.number for change in health_of(viewer).changes] == [second.number, first.number]

    in_state(second, "cancelled")
    assert [change.title for change in health_of(viewer).changes] == ["Shift checkout"]


def test_health__reader_of_another_namespace__no_change_and_no_drift_told(route: Route, author: User) -> None:
    make_change(author, [route])
    make_managed(route)
    reader = make_person("reader", ["viewer"], scope={"namespace": ["blog"]})

    health = health_of(reader)

    assert (health.changes, health.findings) == ((), ())


def test_health__earlier_moment__only_what_was_measured(route: Route, eu: Cluster, viewer: User, author: User) -> None:
    draw(measure(eu, 40.0, success=0.5), [7.0] * 10)
    draw(make_series(eu, Grain.BACKEND, V1, 40.0), [6.0] * 10)
    make_managed(route)
    make_change(author, [route])

    moment = now()
    known = known_of(Sight(Held(viewer)), [CHECKOUT], Span(5, moment))
    health = known.of(CHECKOUT)

    assert (health.rate, health.word, health.changes) == (7.0, "Healthy", ())
    assert [each.health.rate for each in known.versions[CHECKOUT]] == [6.0, None]


def test_versions__weights_and_what_each_got__in_the_order_of_the_route(
    eu: Cluster, route: Route, viewer: User
) -> None:
    measure(eu, 36.0, V1)

    versions = known_of(Sight(Held(viewer)), [CHECKOUT]).versions[CHECKOUT]

    assert [(each.backend.subset, each.weight_bp, each.health.rate) for each in versions] == [
        ("v1", 9000, 36.0),
        ("v2", 1000, None),
    ]
