"""What meshes can hold: as their adapters answer, for the versions that run, on the pages that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from meshes.abilities import FEATURES, abilities_of
from meshes.adapters.registry import adapter_for, all_adapters
from meshes.models import ControlPlane, Mesh
from meshes.types import Version
from meshui.lib.clock import now
from tests.api_client import Api
from tests.meshes import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.test import Client

    from accounts.models import User
    from clusters.models import Cluster


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks several times: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


def plane(cluster: Cluster, version: str, *, kind: str = "istio") -> Mesh:
    """A mesh of `kind` with one control plane."""
    read = {"content_hash": "", "read_at": now()}
    mesh = Mesh.objects.create(cluster=cluster, kind=kind, trust_domain="cluster.local", **read)
    ControlPlane.objects.create(
        cluster=cluster, mesh=mesh, namespace=kind, name=kind, revision="x", version=version, is_ready=True, **read
    )
    return mesh


def answers(kind: str) -> dict[str, str]:
    """Feature → answer."""
    return {ability.feature.id: ability.answer for ability in abilities_of(adapter_for(kind))}


def page(client: Client, user: User, url: str) -> str:
    """What `user` sees there."""
    client.force_login(user)
    response = client.get(url)
    assert response.status_code == 200
    return str(response.content.decode())


def test_abilities__two_meshes__differ_where_their_objects_do() -> None:
    istio, linkerd = answers("istio"), answers("linkerd")

    assert istio["split-services"] == linkerd["split-services"] == "can"
    assert (istio["split-subsets"], linkerd["split-subsets"]) == ("can", "cannot")
    assert (istio["path-segments"], linkerd["path-segments"]) == ("cannot", "can")
    assert (istio["path-prefix"], linkerd["path-prefix"]) == ("can", "cannot")
    assert (istio["header-not"], linkerd["header-not"]) == ("can", "cannot")


def test_abilities__whatever_is_refused__has_its_reason() -> None:
    found = [ability for adapter in all_adapters() for ability in abilities_of(adapter)]

    assert len(found) == len(FEATURES) * len(all_adapters())
    assert all(ability.reasons for ability in found if ability.answer != "can")


@pytest.mark.parametrize(
    ("kind", "version", "is_known", "nearest"),
    [
        ("istio", "1.31.0", True, "1.31"),
        ("istio", "1.12.3", False, "1.18"),
        ("istio", "1.99.0", False, "1.31"),
        ("istio", "latest", False, "1.31"),
        ("linkerd", "2.11.0", False, "2.14"),
        ("linkerd", "2.99.0", False, "2.20"),
    ],
)
def test_capabilities__version__known_or_the_nearest_that_is(
    kind: str, version: str, nearest: str, *, is_known: bool
) -> None:
    can = adapter_for(kind).capabilities(Version.parse(version))

    assert can.is_known is is_known
    assert is_known or can.nearest == nearest


@pytest.mark.parametrize("kind", ["istio", "linkerd"])
def test_capabilities__ends_of_what_is_known__are_known(kind: str) -> None:
    adapter = adapter_for(kind)

    assert all(adapter.capabilities(Version.parse(text)).is_known for text in adapter.known)


@pytest.mark.django_db
def test_capabilities_page__no_cluster__all_that_is_known(client: Client, viewer: User) -> None:
    text = page(client, viewer, "/capabilities/")

    assert "Split between subsets of one Service" in text
    assert "in none of your clusters" in text
    assert "make a Service for each version" in text


@pytest.mark.django_db
def test_capabilities_page__unknown_version__nearest_said(client: Client, viewer: User) -> None:
    plane(rows.cluster("eu-west"), "1.99.0")

    text = page(client, viewer, "/capabilities/")

    assert "not known, answers as 1.31" in text
    assert "eu-west" in text


@pytest.mark.django_db
def test_capabilities_page__filter__only_those_features_or_a_way_back(client: Client, viewer: User) -> None:
    some, none = (page(client, viewer, f"/capabilities/?q={text}") for text in ("subsets", "nothing-like-it"))

    assert "Split between subsets" in some
    assert "By method" not in some
    assert "No feature matches" in none


@pytest.mark.django_db
def test_capabilities__cluster_and_mesh__their_own_versions_alone(client: Client, viewer: User) -> None:
    mesh = plane(rows.cluster("eu-west"), "1.31.0")
    rows.cluster("us-east")

    for url in ("/clusters/eu-west/capabilities/", f"/meshes/{mesh.pk}/capabilities/"):
        text = page(client, viewer, url)
        assert "1.31.0" in text
        assert "Linkerd</b>" not in text
    assert "No mesh found" in page(client, viewer, "/clusters/us-east/capabilities/")


@pytest.mark.django_db
def test_capabilities__other_scope__nothing_of_it(client: Client, person: Callable[..., Any]) -> None:
    mesh = plane(rows.cluster("eu-west"), "1.31.7")
    maria = person("maria", ["viewer"], scope={"environment": ["production"]})

    assert "1.31.7" not in page(client, maria, "/capabilities/")
    for url in ("/clusters/eu-west/capabilities/", f"/meshes/{mesh.pk}/capabilities/"):
        assert client.get(url).status_code == 404


def test_api__versions_of_ones_own_clusters_first__with_every_feature(
    client: Client, person: Callable[..., User]
) -> None:
    plane(rows.cluster("eu-west"), "1.31.0")
    plane(rows.cluster("us-east"), "1.30.2")

    api = Api(client, person("reader", ["viewer"], scope={"cluster": ["eu-west"]}))
    first, *others = api.get("capabilities/")["meshes"]

    assert (first["kind"], [(each["version"], each["clusters"]) for each in first["versions"]]) == (
        "istio",
        [("1.31.0", ["eu-west"])],
    )
    assert [each["feature"] for each in first["features"]] == [feature.id for feature in FEATURES]
    assert {each["feature"]: each["answer"] for each in first["features"]} == answers("istio")
    assert {each["kind"] for each in others} == {adapter.kind for adapter in all_adapters()} - {"istio"}
    assert all(version["clusters"] == [] for each in others for version in each["versions"])
