"""Who takes plaintext, on the page of a mesh, on the fleet and in the API; what is behind, and what ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.models import ControlPlane, Mesh, MtlsMode
from meshes.selectors.proxies import ProxyLine
from meshes.selectors.security import ending_of, mtls_view
from meshes.selectors.upgrades import behind, standing
from meshes.services import stocks
from meshui.lib import clock
from tests.meshes.test_inventory_meshes import made_namespace, made_workload, mesh, text_of
from tests.people import make_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster
    from playground.cluster import EmulatedCluster

pytestmark = pytest.mark.django_db
READS = ["get", "list", "watch"]


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Nothing is known of other tests."""
    stocks.drop_all()
    with zeal_ignore():
        yield
    stocks.drop_all()


def made_mode(where: Cluster, namespace: str, mode: str, **values: Any) -> None:
    """A namespace that was judged."""
    made = {"cluster": where, "mesh_kind": "istio", "content_hash": "", "read_at": clock.now()}
    told = {"base": mode, "scope": "mesh", "origin": "PeerAuthentication istio-system/default", **values}
    MtlsMode.objects.create(namespace=namespace, mode=mode, **made, **told)


@pytest.mark.parametrize(
    ("days", "expected"),
    [(400, (400, "ok")), (30, (30, "ok")), (29, (29, "warn")), (7, (7, "warn")), (6, (6, "crit")), (-2, (-2, "crit"))],
)
def test_ending_of__days_left__tone(days: int, expected: tuple[int, str]) -> None:
    found = ending_of(clock.now() + timedelta(days=days, minutes=5))

    assert found is not None
    assert (found.days, found.tone) == expected


def test_ending_of__not_known__none() -> None:
    assert ending_of(None) is None


def test_mesh_detail__modes__worst_first_with_counts_and_pods_without_a_proxy(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    for name, mode in (("a", "strict"), ("b", "permissive"), ("c", "unknown"), ("d", "disabled"), ("e", "mixed")):
        made_mode(found.cluster, name, mode)
    made_workload(found.cluster, "a", "batch", pods=1, ready=1, injection="none")
    client.force_login(viewer)

    answer = client.get(f"/meshes/{found.pk}/")

    view = answer.context["found"].mtls
    assert [line.row.namespace for line in view.lines] == ["d", "e", "b", "c", "a"]
    assert (view.total, view.strict, view.unknown, view.more) == (5, 1, 1, 0)
    assert "1 workload without a proxy: plaintext, whatever is said here" in text_of(answer)
    assert "1 of 5 take mutual TLS alone · 1 not known" in text_of(answer)


def test_mesh_detail__many_namespaces__a_hundred_and_how_many_more(viewer: User) -> None:
    found = mesh("eu-west")
    for number in range(103):
        made_mode(found.cluster, f"n-{number:03}", "strict")

    view = mtls_view(viewer, found)

    assert (len(view.lines), view.total, view.more) == (100, 103, 3)


def test_mesh_detail__reader_of_one_namespace__no_other_is_told(viewer: User) -> None:
    found = mesh("eu-west")
    made_mode(found.cluster, "shop", "strict")
    made_mode(found.cluster, "secret", "disabled")
    narrow = make_person("narrow", ["viewer"], scope={"cluster": ["eu-west"], "namespace": ["shop"]})

    view = mtls_view(narrow, found)

    assert [line.row.namespace for line in view.lines] == ["shop"]
    assert view.total == 1


def test_mesh_detail__taken_in_and_not_judged_yet__said(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    made_namespace(found.cluster, "shop", "default")
    client.force_login(viewer)

    assert "The next reading of the cluster tells who takes plaintext" in text_of(client.get(f"/meshes/{found.pk}/"))


def test_mesh_detail__stale__modes_stand_with_their_age(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    made_mode(found.cluster, "shop", "strict")
    client.force_login(viewer)
    clock.shift_for_tests(timedelta(minutes=30))

    page = text_of(client.get(f"/meshes/{found.pk}/"))

    assert "This is how it was when it could last be read" in page
    assert "PeerAuthentication istio-system/default" in page


@pytest.mark.parametrize(
    ("days", "words"), [(40, "in 40 days"), (3, "in 3 days"), (-3, "It has ended"), (None, "could not be read")]
)
def test_mesh_detail__root_certificate__its_end_in_words(
    client: Client, viewer: User, days: int | None, words: str
) -> None:
    found = mesh("eu-west", root="a" * 64)
    moment = None if days is None else clock.now() + timedelta(days=days, minutes=5)
    Mesh.objects.filter(pk=found.pk).update(root_ends_at=moment)
    client.force_login(viewer)

    assert f"{words}<" in text_of(client.get(f"/meshes/{found.pk}/"))


def test_fleet__modes_and_ends__coverage_and_the_first_end_within_scope(client: Client, viewer: User) -> None:
    here, there = mesh("eu-west"), mesh("us-east", environment="production")
    for name, mode in (("a", "strict"), ("b", "mixed"), ("c", "unknown")):
        made_mode(here.cluster, name, mode)
    made_mode(there.cluster, "a", "strict")
    Mesh.objects.filter(pk=there.pk).update(root_ends_at=clock.now() + timedelta(days=3, minutes=5))
    Mesh.objects.filter(pk=here.pk).update(root_ends_at=clock.now() + timedelta(days=90, minutes=5))

    client.force_login(viewer)
    whole, end = client.get("/"), client.get("/fleet/signals/").context["first_end"]
    client.force_login(make_person("maria", ["viewer"], scope={"environment": ["staging"]}))
    part = client.get("/")

    assert (whole.context["there"].judged, whole.context["there"].strict, whole.context["there"].unknown) == (4, 2, 1)
    assert "50" in text_of(whole)
    assert "2 of 4 namespaces strict · 1 not known" in text_of(whole)
    shares = {
        row.cluster.slug: (row.face.strict_bp, row.face.judged) for _, rows in whole.context["groups"] for row in rows
    }
    assert shares == {"eu-west": (3_333, 3), "us-east": (10_000, 1)}
    assert "1 of 3 strict" in text_of(whole)
    assert (end.mesh, end.end.days, end.of) == (there, 3, 2)
    assert (part.context["there"].judged, part.context["there"].strict) == (3, 1)
    assert client.get("/fleet/signals/").context["first_end"].mesh == here


def test_fleet__nothing_judged_and_no_end_known__said_never_0_percent(client: Client, viewer: User) -> None:
    mesh("eu-west")
    client.force_login(viewer)

    answer = client.get("/")

    assert "no namespace of a mesh was read" in text_of(answer)
    assert "0 %" not in text_of(answer)
    assert client.get("/fleet/signals/").context["first_end"] is None


def made_plane(found: Mesh, name: str, version: str, revision: str) -> ControlPlane:
    """Another control plane of a mesh."""
    made: dict[str, Any] = {"cluster": found.cluster, "mesh": found, "content_hash": "", "read_at": clock.now()}
    named = {"namespace": "istio-system", "name": name, "revision": revision, "version": version, "is_ready": True}
    return ControlPlane.objects.create(**made, **named)


@pytest.mark.parametrize(("version", "is_too_far"), [("1.30.4", False), ("1.31.0-beta.0", None), ("1.29.9", True)])
def test_behind__another_revision__how_far_and_whose_proxies(version: str, *, is_too_far: bool | None) -> None:
    found = mesh("eu-west")
    plane = made_plane(found, "istiod-old", version, "old")
    plane.tags = ["stable"]
    lines = [ProxyLine("stable", (version,), 2, 5, 5, 5000), ProxyLine("default", ("1.31.0",), 1, 5, 5, 5000)]

    told = behind("istio", [*ControlPlane.objects.exclude(pk=plane.pk), plane], lines)

    assert [(each.plane.name, each.newest.name, each.workloads, each.pods, each.is_too_far) for each in told] == (
        [] if is_too_far is None else [("istiod-old", "istio", 2, 5, is_too_far)]
    )


@pytest.mark.parametrize(
    ("kind", "mine", "theirs", "expected"),
    [
        ("istio", "1.31.0", "1.31.0", "same"),
        ("istio", "1.30.9", "1.31.0", "behind"),
        ("istio", "1.29.9", "1.31.0", "too_far"),
        ("istio", "1.31.1", "1.31.0", "ahead"),
        ("istio", "1.31.0-distroless", "1.31.0", "same"),
        ("istio", "latest", "1.31.0", "unknown"),
        ("istio", "", "", "unknown"),
        ("linkerd", "edge-26.1.1", "edge-26.6.3", "behind"),
        ("linkerd", "edge-25.4.4", "edge-26.6.3", "too_far"),
        ("linkerd", "edge-24.1.1", "edge-26.6.3", "unknown"),
        ("linkerd", "edge-25.10.7", "2.20.0", "behind"),
        ("linkerd", "2.18.0", "edge-26.6.3", "too_far"),
        ("linkerd", "2.20.0", "edge-26.6.3", "unknown"),
    ],
)
def test_standing__two_versions__by_number_or_by_minor_release(
    kind: str, mine: str, theirs: str, expected: str
) -> None:
    assert standing(kind, mine, theirs) == expected


def test_behind__versions_that_are_none__nothing_is_said() -> None:
    found = mesh("eu-west")
    ControlPlane.objects.update(version="sha256:abc")
    made_plane(found, "istiod-new", "1.31.0", "new")

    assert behind("istio", list(ControlPlane.objects.all()), []) == []


def test_mesh_detail__older_revision__what_to_do(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    made_plane(found, "istiod-1-29", "1.29.2", "1-29")
    made_namespace(found.cluster, "shop", "1-29")
    made_workload(found.cluster, "shop", "web", pods=3, ready=3)
    client.force_login(viewer)

    page = text_of(client.get(f"/meshes/{found.pk}/"))

    assert "istiod-1-29 runs 1.29.2, the newest is 1.31.0" in page
    assert "1 workload (3 pods) gets its proxy from it" in page
    assert "More than one minor version apart is not supported" in page


def test_api__mesh__the_same_facts_as_its_page(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)
    client.force_login(viewer)
    found = Mesh.objects.get()

    told = client.get(f"/api/v1/meshes/{found.pk}/").json()
    page = client.get(f"/meshes/{found.pk}/").context["found"]

    assert [(line["namespace"], line["mode"]) for line in told["mtls"]["lines"]] == [
        (line.row.namespace, line.row.mode) for line in page.mtls.lines
    ]
    assert (told["mtls"]["total"], told["mtls"]["strict"]) == (2, 1)
    assert told["mtls"]["lines"][0]["parts"][0]["origin"] == "PeerAuthentication shop/frontend"
    assert told["mesh"]["trust_root"] == found.trust_root
    assert told["mesh"]["root_ends_at"] is not None
    assert [line["pods"] for line in told["proxies"]] == [line.pods for line in page.proxies]
    assert told["behind"] == []
