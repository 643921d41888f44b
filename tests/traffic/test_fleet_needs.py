"""What needs attention, the first steps, and the filters of the fleet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from accounts.rights import Held
from clusters.models import Cluster, Credential
from meshes.models import ControlPlane, Mesh, Sync
from meshui.lib.clock import now
from tests.people import as_actor, make_person
from tests.traffic.factories import (
    DIGEST,
    checkout_route,
    in_review,
    in_state,
    make_change,
    make_cluster,
    make_managed,
    make_plan,
    make_route,
)
from tests.traffic.measuring import V1, V2, draw_success, measure
from traffic.attention import CAUSES, needs_of
from traffic.models import Vote
from traffic.overview import begun_by, first_steps, overview_of
from traffic.services.approve import approve_change
from traffic.sight import Sight
from traffic.types import State

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User
    from traffic.overview import FirstSteps

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_by_one", "mid_minute")]


def causes(user: User, environment: str = "") -> list[tuple[str, str]]:
    """Cause and place, in the order of the page."""
    return [(need.cause, need.place) for need in needs_of(Sight(Held(user), environment))]


def credential(cluster: Cluster, ends: timedelta) -> None:
    """A reader's, which ends then."""
    Credential.objects.create(
        cluster=cluster,
        role="reader",
        kind="token",
        key_id="1",
        ciphertext=b"",
        fingerprint="",
        expires_at=now() + ends,
        created_at=now(),
        created_by_name="admin",
    )


def install(cluster: Cluster, kind: str, left: timedelta | None = None) -> None:
    """A mesh with a control plane; its root certificate ends after `left`."""
    read: dict[str, Any] = {"content_hash": "", "read_at": now()}
    ends_at = now() + left if left is not None else None
    mesh = Mesh.objects.create(cluster=cluster, kind=kind, trust_domain="cluster.local", root_ends_at=ends_at, **read)
    ControlPlane.objects.create(
        cluster=cluster, mesh=mesh, namespace=kind, name=kind, revision="", version="1.31.0", is_ready=True, **read
    )


def steps_of(user: User) -> FirstSteps | None:
    """What the page shows `user` of the first steps."""
    sight = Sight(Held(user))
    return first_steps(sight, overview_of(sight), begun_by(user, sight))


def current(steps: FirstSteps | None) -> str:
    """The label of the step that is next."""
    assert steps is not None
    (label,) = [str(step.label) for step in steps.steps if step.state == "current"]
    return label


def test_needs__clusters__worst_first_one_entry_each(viewer: User) -> None:
    make_cluster("a-fine")
    make_cluster("b-stale", last_synced_at=now() - timedelta(hours=2))
    make_cluster("c-gone", health="unreachable", health_reason="timed out", unreachable_since=now())
    make_cluster("d-other", health="identity_changed", health_reason="another one answers")
    credential(make_cluster("e-ends"), timedelta(days=2))
    credential(make_cluster("f-over"), -timedelta(days=2))
    unread = make_cluster("g-unread")
    Sync.objects.create(cluster=unread, resource="services", error="forbidden", started_at=now(), finished_at=now())
    make_cluster("h-out", health="credential_rejected", health_reason="401")

    assert causes(viewer) == [
        ("identity_changed", "d-other"),
        ("credential_rejected", "h-out"),
        ("unreachable", "c-gone"),
        ("credential_over", "f-over"),
        ("unread", "g-unread"),
        ("stale", "b-stale"),
        ("credential_ends", "e-ends"),
    ]


@pytest.mark.parametrize(
    ("left", "cause", "words"),
    [
        (-timedelta(minutes=5), "root_over", "The root certificate of Linkerd has ended"),
        (timedelta(days=1, minutes=5), "root_ends", "The root certificate of Linkerd ends in 1 day"),
        (timedelta(days=6, minutes=5), "root_ends", "The root certificate of Linkerd ends in 6 days"),
        (timedelta(days=7, minutes=5), "root_to_renew", "The root certificate of Linkerd ends in 7 days"),
        (timedelta(days=29, minutes=5), "root_to_renew", "The root certificate of Linkerd ends in 29 days"),
    ],
)
def test_needs__root_that_ends__the_first_of_its_cluster_with_its_mesh_and_days(
    viewer: User, left: timedelta, cause: str, words: str
) -> None:
    cluster = make_cluster()
    install(cluster, "istio", left + timedelta(days=1))
    install(cluster, "linkerd", left)
    first = Mesh.objects.get(kind="linkerd")

    (need,) = needs_of(Sight(Held(viewer)))

    assert (need.cause, need.words, need.place) == (cause, words, cluster.slug)
    assert (need.url, need.since) == (f"/meshes/{first.pk}/", first.root_ends_at)


def test_needs__root_that_ends_later_or_of_a_mesh_that_went__nothing(viewer: User) -> None:
    install(make_cluster("a-later"), "istio", timedelta(days=30, minutes=5))
    install(make_cluster("b-unread"), "istio")
    install(make_cluster("c-gone"), "istio", timedelta(days=1))
    Mesh.objects.filter(cluster__slug="c-gone").update(gone_at=now())

    assert causes(viewer) == []


def test_needs__cluster_unreachable_with_a_root_that_ends__both(viewer: User) -> None:
    gone = make_cluster("gone", health="unreachable", health_reason="timed out", unreachable_since=now())
    install(gone, "istio", timedelta(days=20))

    assert causes(viewer) == [("unreachable", "gone"), ("root_to_renew", "gone")]


def test_needs__service_that_fails__named_with_its_backend_since_when_and_the_change_before(
    author: User, viewer: User
) -> None:
    cluster = make_cluster()
    route = make_route(cluster)
    change = in_state(in_review(author, [route]), State.APPLIED, ended_at=now())
    series = measure(cluster, 10.0, success=0.88)
    draw_success(series, [0.5, 1.0, 0.9, 0.88])
    measure(cluster, 8.0, part=V1, success=1.0)
    measure(cluster, 2.0, part=V2, success=0.4)

    (need,) = needs_of(Sight(Held(viewer)))

    assert (need.cause, need.place, need.url) == ("failing", cluster.slug, f"/services/{cluster.slug}/shop/checkout/")
    assert need.words == "checkout fails 12\u202f% of its requests"
    assert need.detail == (
        f"v2 fails 60\u202f% of its own. Change #{change.number} was applied to it in the last two hours."
    )
    assert need.since == series.points.order_by("-at")[1].at


@pytest.mark.parametrize(
    ("rate", "values"),
    [
        (10.0, {"success": 0.995}),  # tolerated
        (0.5, {"success": 0.9}),  # three requests a minute: perhaps an accident
        (10.0, {"success": None}),  # nothing was judged
        (10.0, {"success": 0.5, "age": 600.0}),  # not of now
        (0.0, {"success": 0.5}),
    ],
)
def test_needs__service_that_does_not_fail_now__nothing(viewer: User, rate: float, values: dict[str, Any]) -> None:
    measure(make_cluster(), rate, **values)

    assert causes(viewer) == []


def test_needs__service_that_fails_elsewhere__not_told() -> None:
    measure(make_cluster("eu-west"), 10.0, success=0.5)
    somebody = make_person("outside", ["viewer"], scope={"cluster": ["us-east"]})

    assert causes(somebody) == []


@pytest.mark.parametrize(
    ("state", "cause"),
    [(State.PAUSED, "paused"), (State.PARTIAL, "partial"), (State.FAILED, "failed")],
)
def test_needs__change_that_stopped__named(author: User, viewer: User, state: State, cause: str) -> None:
    change = in_state(in_review(author, [make_route(make_cluster())]), state, state_cause="It stopped.", ended_at=now())

    (need,) = needs_of(Sight(Held(viewer)))

    assert (need.cause, need.detail, need.url) == (cause, "It stopped.", f"/changes/{change.number}/")
    assert need.tone == CAUSES[cause].tone


def test_needs__change_that_goes_its_way__nothing(author: User, viewer: User) -> None:
    route = make_route(make_cluster())
    for state in (State.IN_REVIEW, State.APPROVED, State.APPLYING, State.APPLIED):
        in_state(in_review(author, [route]), state)

    assert causes(viewer) == []


def test_needs__failed_long_ago_or_followed_by_a_good_one__old_news(author: User, viewer: User) -> None:
    old, route = make_route(make_cluster("us-east")), make_route(make_cluster())
    in_state(in_review(author, [old]), State.FAILED, ended_at=now() - timedelta(days=8))
    in_state(in_review(author, [route]), State.FAILED, ended_at=now())
    in_state(in_review(author, [route]), State.APPLIED, ended_at=now())

    assert causes(viewer) == []


def test_needs__votes_voided__until_somebody_votes_again(author: User, approver: User, viewer: User) -> None:
    change = in_review(author, [make_route(make_cluster())], needed=2)
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    assert causes(viewer) == []
    Vote.objects.update(voided_at=now(), void_cause="edited")

    assert causes(viewer) == [("voided", "shop/checkout")]


def test_needs__drift__by_cluster_with_the_way_to_it(viewer: User) -> None:
    cluster = make_cluster()
    for name in ("a", "b"):
        make_managed(make_route(cluster, checkout_route(6000, 4000), name=name))

    (need,) = needs_of(Sight(Held(viewer)))

    assert (need.words, need.place, need.url) == (
        "2 routes are not as MeshUI left them",
        "eu-west",
        "/drift/?cluster=eu-west",
    )


def test_needs__other_scope_or_environment__nothing_of_it(author: User, viewer: User) -> None:
    cluster = make_cluster(health="unreachable")
    in_state(in_review(author, [make_route(cluster)]), State.PAUSED)
    make_managed(make_route(cluster, checkout_route(6000, 4000), name="a"))

    outside = make_person("outside", ["viewer", "approver"], scope={"cluster": ["us-east"]})

    assert causes(outside) == causes(viewer, "production") == []
    assert len(causes(viewer, "staging")) == 3


def test_fleet__more_than_five_needs__five_and_the_way_to_all(client: Client, viewer: User) -> None:
    for number in range(7):
        make_cluster(f"c-{number}", health="unreachable", health_reason="timed out")
    client.force_login(viewer)

    page, every = client.get("/").content.decode(), client.get("/fleet/attention/?all=1").content.decode()

    assert (page.count('<li class="crit">'), every.count('<li class="crit">')) == (5, 7)
    assert "All 7" in page
    assert "All 7" not in every


def test_first_steps__from_nothing_to_a_change_that_was_started__one_next_each(
    author: User, approver: User, admin: User
) -> None:
    assert current(steps_of(admin)) == current(steps_of(author)) == "Register a cluster"
    cluster = make_cluster(last_synced_at=None)
    assert current(steps_of(author)) == "Read it"
    Cluster.objects.update(last_synced_at=now())
    assert current(steps_of(author)) == "Look at services"
    route = make_route(cluster)
    assert current(steps_of(author)) == "Propose a split"
    change = make_change(author, [route])
    make_plan(change)
    assert current(steps_of(author)) == "Propose a split"
    in_state(change, State.IN_REVIEW, submitted_at=now())
    change.refresh_from_db()
    assert current(steps_of(author)) == "Have it reviewed"
    approve_change(actor=as_actor(approver), change_id=change.pk, version=change.version, digest=DIGEST)
    change.refresh_from_db()
    assert change.state == State.APPROVED
    assert current(steps_of(author)) == "Start it"
    in_state(change, State.REJECTED)

    assert steps_of(author) is None


def test_first_steps__what_one_may_not__says_who_can(author: User, approver: User, viewer: User, admin: User) -> None:
    for user, url in ((admin, "/clusters/add/"), (viewer, "")):
        steps = steps_of(user)
        assert steps is not None
        assert (steps.next.url, bool(steps.next.who)) == (url, not url)
    change = in_review(author, [make_route(make_cluster(last_synced_at=now()))])
    in_state(change, State.IN_REVIEW, submitted_at=now())

    for_author, for_approver = steps_of(author), steps_of(approver)

    assert for_author is not None
    assert for_approver is not None
    assert (bool(for_author.next.who), bool(for_approver.next.who)) == (True, False)
    assert for_approver.next.action == f"Review #{change.number}"


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["bank", "data", "web"]),
        ("q=WEB", ["web"]),
        ("q=istio", ["bank", "web"]),
        ("health=unreachable", ["bank"]),
        ("mesh=linkerd", ["data"]),
        ("mesh=none", ["empty"]),
        ("environment=production", ["data"]),
        ("env=production", ["data"]),
        ("q=none-such", []),
    ],
)
def test_table__filtered__those_alone(client: Client, viewer: User, query: str, shown: list[str]) -> None:
    install(make_cluster("bank", health="unreachable"), "istio")
    install(make_cluster("web"), "istio")
    install(make_cluster("data", environment="production"), "linkerd")
    if query == "mesh=none":
        make_cluster("empty")
    client.force_login(viewer)

    page = client.get(f"/?{query}")
    part = client.get(f"/?{query}", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    for answer in (page, part):
        rows = [row.cluster.slug for _, rows in answer.context["groups"] for row in rows]
        assert sorted(rows) == shown
    assert page.context["there"].clusters >= len(shown)
    assert part.content.strip().startswith(b'<div id="table"')
    assert part["HX-Push-Url"] == (f"/?{query}" if query else "/")
    if not shown:
        assert "No cluster matches" in page.content.decode()


def test_table__grouped_by_mesh__under_each_of_its_meshes(client: Client, viewer: User) -> None:
    both = make_cluster("both")
    install(both, "istio")
    install(both, "linkerd")
    make_cluster("empty")
    client.force_login(viewer)

    groups = client.get("/?group=mesh").context["groups"]

    assert [(heading, [row.cluster.slug for row in rows]) for heading, rows in groups] == [
        ("Istio", ["both"]),
        ("Linkerd", ["both"]),
        ("No mesh found", ["empty"]),
    ]


def test_table__worst_first__whatever_the_name(client: Client, viewer: User) -> None:
    make_cluster("a-fine")
    make_cluster("z-gone", health="unreachable")
    client.force_login(viewer)

    ((_, rows),) = client.get("/").context["groups"]

    assert [row.cluster.slug for row in rows] == ["z-gone", "a-fine"]


@pytest.mark.parametrize("part", ["counts", "attention", "moving", "activity"])
def test_part__fetched_by_the_page__no_more_than_itself(client: Client, viewer: User, part: str) -> None:
    make_route(make_cluster())
    client.force_login(viewer)

    text = client.get(f"/fleet/{part}/?env=staging", headers={"HX-Request": "true", "HX-Request-Type": "partial"})

    assert text.content.decode().strip().startswith("<")
    assert f'id="fleet-{part}"' in text.content.decode()
    assert "<html" not in text.content.decode()
    assert f"/fleet/{part}/?env=staging" in text.content.decode()
