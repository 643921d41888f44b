"""Thin lists against an emulated API server: how many requests, in which form, and what is kept of an item."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from clusters import clients, kube_lists, slims, watch
from clusters.clients import BadAnswerError, ExpiredError, Head, Resource
from clusters.kube_lists import KubeReader
from clusters.slims import slim_of
from tests.clusters.test_hostile import authority as authority  # noqa: PLC0414 - a fixture
from tests.clusters.test_hostile import http, reader, says  # noqa: F401 - a fixture and its answers
from tests.clusters.test_kube import transport_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playground.cluster import EmulatedCluster

SERVICES = Resource("", "v1", "services", "Service")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
ROUTES = Resource("networking.istio.io", "v1", "virtualservices", "VirtualService")


@pytest.fixture
def lister(eu_west: EmulatedCluster) -> Iterator[KubeReader]:
    """A reader of the first cluster of the playground."""
    made = KubeReader(transport_of(eu_west))
    yield made
    made.close()


def asked(cluster: EmulatedCluster, plural: str) -> list[dict[str, str]]:
    """The queries of all lists of a kind."""
    return [r.query for r in cluster.server.requests if r.path.endswith(f"/{plural}")]


@pytest.mark.parametrize("module", [clients, kube_lists, slims, watch])
def test_structs__of_lists__invisible_to_the_collector(module: Any) -> None:
    found = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, msgspec.Struct)]

    assert found
    assert [kind.__name__ for kind in found if kind.__struct_config__.gc] == []


def test_list_pages__seven_services_by_three__three_requests_and_each_once(
    lister: KubeReader, eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    there = {(b["metadata"]["namespace"], b["metadata"]["name"]) for b in eu_west.list("Service")}

    pages = list(lister.list_pages(SERVICES))

    found = [(slim.head.namespace, slim.head.name) for page in pages for slim in page.items]
    assert sorted(found) == sorted(there)
    assert len(asked(eu_west, "services")) == -(-len(there) // 3)
    assert len({page.resource_version for page in pages}) == 1


def test_list_pages__first_page_in_use__second_already_asked_for(
    lister: KubeReader, eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    pages = lister.list_pages(SERVICES)

    next(pages)
    pages.close()  # type: ignore[attr-defined]  # a generator: it waits for what is on its way

    assert len(asked(eu_west, "services")) == 2


def test_list_pages__a_page_expires__told_and_not_begun_again(
    lister: KubeReader, eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    eu_west.server.faults.answer(410, path=lambda request: "continue" in request.query)

    with pytest.raises(ExpiredError):
        list(lister.list_pages(SERVICES))


def test_list_metadata__a_page_expires__begins_again_once(
    lister: KubeReader, eu_west: EmulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clusters.kube_lists.PAGE", 3)
    eu_west.server.faults.answer(410, path=lambda request: "continue" in request.query)

    heads = lister.list_metadata(SERVICES)

    assert len(heads.items) == len(eu_west.list("Service"))
    assert sum("continue" not in query for query in asked(eu_west, "services")) == 2


def test_list_metadata__emulated__names_and_versions_without_specs(
    lister: KubeReader, eu_west: EmulatedCluster
) -> None:
    (page,) = lister.list_pages(ROUTES)

    heads = lister.list_metadata(ROUTES)

    assert heads.items == [slim.head for slim in page.items]
    assert heads.resource_version == page.resource_version
    body = eu_west.get("VirtualService", "checkout", "shop")["metadata"]
    assert Head(body["uid"], "shop", "checkout", body["resourceVersion"]) in heads.items


def test_list_metadata__sent_form__asks_for_metadata_alone(lister: KubeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    get = lister.transport.get

    def noted(path: str, *, limit: int, accept: str = "") -> bytes:
        sent.append(accept)
        return get(path, limit=limit, accept=accept)

    monkeypatch.setattr(lister.transport, "get", noted)

    lister.list_metadata(SERVICES)

    assert [accept.split(";")[1] for accept in sent] == ["as=PartialObjectMetadataList"]


def test_get_slims__some_gone__the_others_as_they_are(lister: KubeReader, eu_west: EmulatedCluster) -> None:
    heads = [head for head in lister.list_metadata(ROUTES).items if head.namespace == "shop"]
    eu_west.delete("VirtualService", "checkout", "shop")

    found = list(lister.get_slims(ROUTES, heads))

    assert {slim.head.name for slim in found} == {head.name for head in heads} - {"checkout"}
    assert [slim.body()["kind"] for slim in found] == ["VirtualService"] * len(found)


def test_slim_of__an_item_of_a_list__without_what_others_keep_in_it() -> None:
    metadata = {
        "name": "web",
        "namespace": "shop",
        "uid": "u",
        "resourceVersion": "7",
        "managedFields": [{"manager": "x"}],
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "kept"},
    }
    raw = msgspec.json.encode({"metadata": metadata, "spec": {"a": [1, 2]}})

    slim = slim_of(raw, SERVICES)

    assert slim.head == Head("u", "shop", "web", "7")
    assert slim.body() == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "7",
            "annotations": {"mine": "kept"},
        },
        "spec": {"a": [1, 2]},
    }


@pytest.mark.parametrize("spec", ["NaN", '"\\ud800"', "[" * 50_000 + "]" * 50_000])
def test_slim__what_is_wrong_deep_inside__told_when_it_is_looked_at(spec: str) -> None:
    raw = b'{"metadata":{"name":"web"},"spec":' + spec.encode() + b"}"

    with pytest.raises(BadAnswerError):
        slim_of(raw, SERVICES).body()


def test_list_pages__takes_too_long_as_a_whole__given_up(
    reader: Callable[..., KubeReader],  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("clusters.kube_lists.LIST_SECONDS", 0.0)
    page = b'{"metadata":{"continue":"again","resourceVersion":"1"},"items":[]}'

    with pytest.raises(clients.OutcomeUnknownError, match="took longer"):
        list(reader(says(http(page))).list_pages(SERVICES))


def workload(name: str, **spec: Any) -> Any:
    """An item of a list of Deployments."""
    pod = {"containers": [{"name": "web", "image": "web:1", "env": [{"name": "A", "value": "B"}]}], "volumes": []}
    metadata = {"name": name, "namespace": "shop", "uid": name, "resourceVersion": "7", "managedFields": [{}]}
    return {"metadata": metadata, "spec": {"replicas": 2, "template": {"spec": pod}, **spec}}


def listed(made: Callable[..., KubeReader], *items: Any) -> list[clients.Slim]:
    """What a list of these brings."""
    page = msgspec.json.encode({"metadata": {"resourceVersion": "9"}, "items": items})
    (found,) = made(says(http(page))).list_pages(DEPLOYMENTS)
    return found.items


def test_list_pages__workloads__what_decides_something_alone(
    reader: Callable[..., KubeReader],  # noqa: F811 - the fixture
) -> None:
    (slim,) = listed(reader, workload("web"))

    assert slim.head == Head("web", "shop", "web", "7")
    assert slim.body() == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "web", "resourceVersion": "7"},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}},
    }


def test_list_pages__one_workload_is_odd__the_others_come_and_it_is_told_apart(
    reader: Callable[..., KubeReader],  # noqa: F811 - the fixture
) -> None:
    found = listed(reader, workload("good"), workload("bad", replicas="many"))

    assert [slim.head.name for slim in found] == ["good", "bad"]
    assert found[1].body()["spec"]["replicas"] == "many"  # type: ignore[index,call-overload]  # as it was sent


@pytest.mark.parametrize(
    "page",
    [
        b'{"kind":"List","metadata":{"continue":"two","resourceVersion":"1"},"items":[]}',
        b'{"kind":"List","items":[{"metadata":{"continue":"no"}}],"metadata":{"continue":"two"}}',
        b'{"metadata":{"note":",\\"items\\":[","continue":"two"},"items":[]}',
        b'{"metadata": {"continue": "two"}, "items": []}',
    ],
)
def test_token__wherever_the_metadata_stands__that_of_the_list(page: bytes) -> None:
    assert kube_lists._token(page) == "two"
