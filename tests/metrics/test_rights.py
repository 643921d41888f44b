"""The rights that reading metrics through the API server needs: on request, for the reader alone, only to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from zeal import zeal_ignore

from clusters.manifests import READER, Wish, rbac_manifest
from clusters.types import PROMETHEUS

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User


def roles(wish: Wish) -> dict[tuple[str, str, str], list[dict[str, Any]]]:
    """(kind, name, namespace) → rules, of what is there for metrics."""
    found = [item for item in yaml.safe_load_all(rbac_manifest(wish)) if item["kind"] in {"Role", "ClusterRole"}]
    names = {"meshui-read-metrics", "meshui-read-prometheus"}
    return {
        (item["kind"], item["metadata"]["name"], item["metadata"].get("namespace", "")): item["rules"]
        for item in found
        if item["metadata"]["name"] in names
    }


def test_manifest__not_asked_for__no_pods_and_no_proxies() -> None:
    for wish in (Wish(), Wish(writes=True), Wish(namespaces=("shop",))):
        assert roles(wish) == {}
        assert "pods" not in rbac_manifest(wish)
        assert "proxy" not in rbac_manifest(wish)


def test_manifest__with_metrics__lists_pods_and_gets_pages_and_nothing_else() -> None:
    found = roles(Wish(metrics=True))

    assert found["ClusterRole", "meshui-read-metrics", ""] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]},
    ]
    assert {namespace for _, name, namespace in found if name == "meshui-read-prometheus"} == {
        namespace for namespace, _, _ in PROMETHEUS
    }
    assert found["Role", "meshui-read-prometheus", "istio-system"] == [
        {
            "apiGroups": [""],
            "resources": ["services/proxy"],
            "resourceNames": ["http:prometheus:9090"],
            "verbs": ["get"],
        }
    ]


def test_manifest__some_namespaces__there_alone() -> None:
    found = roles(Wish(namespaces=("shop", "monitoring"), metrics=True))

    assert sorted(found) == [
        ("Role", "meshui-read-metrics", "monitoring"),
        ("Role", "meshui-read-metrics", "shop"),
        ("Role", "meshui-read-prometheus", "monitoring"),
    ]


def test_manifest__with_writes__writer_gets_none_of_it() -> None:
    items = yaml.safe_load_all(rbac_manifest(Wish(writes=True, metrics=True)))
    bound = [
        item
        for item in items
        if item["kind"].endswith("Binding")
        and item["roleRef"]["name"] in {"meshui-read-metrics", "meshui-read-prometheus"}
    ]

    assert len(bound) == 5
    assert {subject["name"] for item in bound for subject in item["subjects"]} == {READER}


@pytest.mark.django_db
def test_rights_page__metrics_ticked__in_the_manifest_and_in_its_file(client: Client, viewer: User) -> None:
    with zeal_ignore():  # one request after another
        client.force_login(viewer)
        page = client.get("/clusters/rights/?metrics=on").content.decode()
        file = client.get("/clusters/meshui-rbac.yaml?metrics=on").content.decode()
        other = client.get("/clusters/rights/").content.decode()

    assert "pods/proxy" in page
    assert "pods/proxy" in file
    assert "metrics=on" in page
    assert "pods/proxy" not in other
