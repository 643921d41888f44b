"""Pages of meshes: control planes, revisions and tags, who gets proxies, what is odd."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from clusters.models import Cluster
from clusters.services import remove_cluster
from meshes.models import ControlPlane, Mesh, Namespace, Sync, Workload
from meshes.selectors.proxies import proxy_lines
from meshui.lib import clock
from meshui.lib.ids import new_id
from meshui.ui.context import ENTRIES
from tests.meshes import rows
from tests.meshes.conftest import read
from tests.people import as_actor, make_person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.test import Client

    from accounts.models import User
    from playground.cluster import EmulatedCluster

    CountQueries = Callable[[str], AbstractContextManager[None]]

pytestmark = pytest.mark.django_db
LIST = "/meshes/"


@pytest.fixture(autouse=True)
def _several_requests() -> Iterator[None]:
    """A test makes rows and asks several times: not the N+1 that zeal looks for. Queries are counted below."""
    with zeal_ignore():
        yield


def text_of(response: Any) -> str:
    """The answer as text, in one line."""
    return " ".join(response.content.decode().split())


def mesh(slug: str, *, kind: str = "istio", environment: str = "staging", root: str = "") -> Mesh:
    """A mesh with one ready control plane, in a cluster of its own."""
    where = Cluster.objects.filter(slug=slug).first() or rows.cluster(slug, environment=environment)
    made: dict[str, Any] = {"cluster": where, "content_hash": "", "read_at": clock.now()}
    found = Mesh.objects.create(**made, kind=kind, trust_domain="cluster.local", trust_root=root)
    named = {"namespace": f"{kind}-system", "name": kind, "revision": "default", "version": "1.31.0", "is_ready": True}
    ControlPlane.objects.create(**made, mesh=found, **named)
    return found


def tagging(tag: str, revision: str) -> Any:
    """The injection webhook by which Istio knows a tag of a revision."""
    labels = {"istio.io/tag": tag, "istio.io/rev": revision, "app": "sidecar-injector"}
    metadata = {"name": f"istio-revision-tag-{tag}", "labels": labels}
    api = "admissionregistration.k8s.io/v1"
    return {"apiVersion": api, "kind": "MutatingWebhookConfiguration", "metadata": metadata, "webhooks": []}


def test_mesh_list__two_products__label_versions_state_and_cluster(
    client: Client, viewer: User, eu_west: EmulatedCluster, ap_south: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    added(eu_west)
    added(ap_south)
    client.force_login(viewer)

    lines = client.get(LIST).context["lines"]

    assert [(line.mesh.cluster.slug, line.label, line.status) for line in lines] == [
        ("ap-south", "Linkerd", "ready"),
        ("eu-west", "Istio", "ready"),
    ]
    assert lines[1].versions == ("1.31.0",)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("kind=linkerd", ["ap-south"]), ("cluster=eu-west", ["eu-west"]), ("q=nothing", []), ("state=gone", ["us-east"])],
)
def test_mesh_list__filters__only_those_that_match(
    client: Client, viewer: User, query: str, expected: list[str]
) -> None:
    mesh("eu-west")
    mesh("ap-south", kind="linkerd")
    Mesh.objects.filter(pk=mesh("us-east").pk).update(gone_at=clock.now())
    client.force_login(viewer)

    response = client.get(f"{LIST}?{query}")

    assert [line.mesh.cluster.slug for line in response.context["lines"]] == expected
    assert expected or "No mesh matches these filters" in text_of(response)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"is_ready": False}, "A control plane is not ready"),
        ({"gone_at": clock.now()}, "No control plane"),
    ],
)
def test_mesh_list__control_plane_down_or_gone__said(
    client: Client, viewer: User, change: dict[str, Any], words: str
) -> None:
    mesh("eu-west")
    ControlPlane.objects.update(**change)
    client.force_login(viewer)

    assert words in text_of(client.get(LIST))


def test_mesh_list__half_removed__needs_a_look_though_no_mesh_is_there(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    eu_west.delete("Deployment", "istiod", "istio-system")
    added(eu_west)
    client.force_login(viewer)

    page = text_of(client.get(LIST))

    assert "no control plane was found: nothing acts on them" in page
    assert "No mesh found" in page


def test_mesh_list__nothing_read__says_what_is_looked_for(client: Client, viewer: User) -> None:
    client.force_login(viewer)

    page = text_of(client.get(LIST))

    assert "No mesh found" in page
    assert "See the clusters" in page


def test_mesh_list__removed_cluster__not_there_even_as_gone(client: Client, viewer: User, admin: User) -> None:
    found = mesh("eu-west")
    remove_cluster(actor=as_actor(admin), cluster_id=found.cluster.pk, reason="It was torn down.")
    client.force_login(viewer)

    assert client.get(f"{LIST}?state=all").context["lines"] == []
    assert client.get(f"{LIST}{found.pk}/").status_code == 404


def test_mesh_detail__emulated__revision_tags_and_who_gets_proxies(
    client: Client, viewer: User, eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    eu_west.load([tagging("prod", "default")])
    added(eu_west)
    client.force_login(viewer)

    page = text_of(client.get(f"{LIST}{Mesh.objects.get().pk}/"))

    assert ControlPlane.objects.get().tags == ["default", "prod"]
    assert "<code>prod</code>" in page
    assert "1.31.0" in page
    assert "with a proxy each" in page


def test_tags__tag_moved_to_another_revision__no_longer_called_so(
    eu_west: EmulatedCluster, added: Callable[..., Cluster]
) -> None:
    eu_west.load([tagging("prod", "default")])
    cluster = added(eu_west)
    before = ControlPlane.objects.get().tags

    eu_west.delete("MutatingWebhookConfiguration", "istio-revision-tag-prod")
    read(cluster)

    assert (before, ControlPlane.objects.get().tags) == (["default", "prod"], ["default"])


def test_mesh_detail__namespace_of_a_revision_that_is_not_there__said(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    made: dict[str, Any] = {"content_hash": "", "read_at": clock.now(), "injection": "injected", "injected_by": "istio"}
    Namespace.objects.create(cluster=found.cluster, name="old", uid="o", revision="1-20", **made)
    client.force_login(viewer)

    page = text_of(client.get(f"{LIST}{found.pk}/"))

    assert "revision 1-20" in page
    assert "no control plane goes by that name" in page


def test_mesh_detail__errors_problems_and_age__all_collected(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    moment = clock.now()
    told = [{"where": "istio-system/istio", "message": "It holds no mesh configuration."}]
    Sync.objects.create(cluster=found.cluster, resource="meshes", started_at=moment, problems=told)
    Sync.objects.create(cluster=found.cluster, resource="deployments", started_at=moment, error="It answered 403.")
    client.force_login(viewer)

    page = text_of(client.get(f"{LIST}{found.pk}/"))

    assert "It holds no mesh configuration." in page
    assert "It answered 403." in page
    assert "This is how it was when it could last be read" in page


def test_mesh_detail__control_plane_gone__stands_last_with_the_time(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    made: dict[str, Any] = {"cluster": found.cluster, "content_hash": "", "read_at": clock.now(), "is_ready": False}
    named = {"namespace": "istio-system", "name": "a-old", "revision": "1-20", "version": "1.20.0"}
    ControlPlane.objects.create(mesh=found, gone_at=clock.now(), **named, **made)
    client.force_login(viewer)

    response = client.get(f"{LIST}{found.pk}/")

    assert [plane.row.name for plane in response.context["found"].planes] == ["istio", "a-old"]
    assert "gone since" in text_of(response)


def test_mesh_detail__same_root_elsewhere__a_peer_unless_out_of_scope(
    client: Client, viewer: User, person: Callable[..., User]
) -> None:
    here = mesh("eu-west", root="a" * 64)
    mesh("us-east", root="a" * 64, environment="production")
    mesh("ap-south", root="b" * 64)

    client.force_login(viewer)
    all_peers = client.get(f"{LIST}{here.pk}/").context["found"].peers
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))
    own_peers = client.get(f"{LIST}{here.pk}/").context["found"].peers

    assert [peer.cluster.slug for peer in all_peers] == ["us-east"]
    assert own_peers == ()


def test_meshes__out_of_scope__as_if_they_were_not_there(client: Client, person: Callable[..., User]) -> None:
    found = mesh("eu-west", environment="production")
    told = [{"where": "Istio", "message": "Secret words."}]
    Sync.objects.create(cluster=found.cluster, resource="meshes", started_at=clock.now(), problems=told)
    client.force_login(person("maria", ["viewer"], scope={"environment": ["staging"]}))

    listed = client.get(LIST)

    assert listed.context["lines"] == []
    assert "Secret words." not in text_of(listed)
    assert [client.get(f"{LIST}{pk}/").status_code for pk in (found.pk, new_id())] == [404, 404]


def test_meshes__no_grant__forbidden(client: Client, stranger: User) -> None:
    found = mesh("eu-west")
    client.force_login(stranger)

    assert [client.get(url).status_code for url in (LIST, f"{LIST}{found.pk}/")] == [403, 403]


def test_meshes__stale__the_page_says_as_of_when(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    client.force_login(viewer)
    clock.shift_for_tests(timedelta(minutes=30))

    assert "This is how it was when it could last be read" in text_of(client.get(f"{LIST}{found.pk}/"))


def test_navigation__meshes__stands_after_clusters() -> None:
    urls = [entry.url for entry in ENTRIES]

    assert urls[urls.index("/clusters/") + 1] == LIST


def test_mesh_pages__one_or_thirty__as_many_queries(client: Client, viewer: User, count_queries: CountQueries) -> None:
    client.force_login(viewer)
    first = mesh("c-00", root="a" * 64)
    for count in (1, 30):
        for number in range(1, count):
            mesh(f"c-{number:02}", root="a" * 64)
        client.get(LIST)
        with count_queries("mesh-list"):
            listed = client.get(LIST)
        with count_queries("mesh-detail"):
            client.get(f"{LIST}{first.pk}/")
        assert len(listed.context["lines"]) == count


def made_workload(where: Cluster, namespace: str, name: str, pods: int, ready: int, injection: str = "") -> None:
    """A Deployment of so many pods."""
    Workload.objects.create(
        cluster=where,
        kind="Deployment",
        namespace=namespace,
        name=name,
        uid=f"{namespace}/{name}",
        injection=injection,
        replicas=pods,
        ready=ready,
        content_hash="",
        read_at=clock.now(),
    )


def made_namespace(where: Cluster, name: str, revision: str, by: str = "istio") -> None:
    """A namespace whose new pods this mesh takes."""
    Namespace.objects.create(
        cluster=where,
        name=name,
        uid=name,
        injection="injected",
        injected_by=by,
        revision=revision,
        content_hash="",
        read_at=clock.now(),
    )


def test_mesh_detail__two_revisions__pods_of_each_with_share_and_version(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    made_namespace(found.cluster, "shop", "default")
    made_namespace(found.cluster, "blog", "canary")
    made_namespace(found.cluster, "other", "", by="linkerd")
    made_workload(found.cluster, "shop", "web", pods=5, ready=4)
    made_workload(found.cluster, "shop", "cart", pods=1, ready=1)
    made_workload(found.cluster, "shop", "batch", pods=9, ready=9, injection="none")
    made_workload(found.cluster, "blog", "blog", pods=2, ready=0)
    made_workload(found.cluster, "other", "far", pods=7, ready=7)
    client.force_login(viewer)

    answer = client.get(f"{LIST}{found.pk}/")

    assert [
        (line.revision, line.versions, line.workloads, line.ready, line.pods, line.share_bp)
        for line in answer.context["proxies"]
    ] == [("default", ("1.31.0",), 2, 5, 6, 7500), ("canary", (), 1, 0, 2, 2500)]
    assert "none goes by that name" in text_of(answer)
    assert "after an upgrade old proxies stay until their pods start anew" in text_of(answer)


def test_mesh_detail__reader_of_one_namespace__counts_no_other(client: Client) -> None:
    found = mesh("eu-west")
    for name in ("shop", "blog"):
        made_namespace(found.cluster, name, "default")
        made_workload(found.cluster, name, "web", pods=3, ready=3)
    client.force_login(make_person("reader", ["viewer"], scope={"cluster": ["eu-west"]}))
    whole = client.get(f"{LIST}{found.pk}/").context["proxies"]
    narrow = make_person("narrow", ["viewer"], scope={"cluster": ["eu-west"], "namespace": ["shop"]})

    planes = list(ControlPlane.objects.all())
    seen = proxy_lines(narrow, found, planes, {"shop": "default", "blog": "default"})

    assert [line.pods for line in whole] == [6]
    assert [line.pods for line in seen] == [3]


def test_mesh_detail__nothing_injected__says_so_and_what_is_not_read(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    client.force_login(viewer)

    text = text_of(client.get(f"{LIST}{found.pk}/"))

    assert "No workload gets its proxy from it" in text
    assert "Nobody within your scope is in this mesh" in text
    assert "When issuers' and proxies' certificates end" in text


def test_mesh_detail__its_abilities__as_many_as_the_table_has(client: Client, viewer: User) -> None:
    found = mesh("eu-west")
    client.force_login(viewer)

    counts = client.get(f"{LIST}{found.pk}/").context["found"].abilities
    lines = client.get(f"{LIST}{found.pk}/capabilities/").context["lines"]

    answers = [line.answers[0].answer for line in lines]
    assert counts == {answer: answers.count(answer) for answer in ("can", "loses", "cannot")}
