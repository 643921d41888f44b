"""What MeshUI must never send is noticed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.objects import splitting

if TYPE_CHECKING:
    from playground.cluster import EmulatedCluster
    from tests.contract.api import Api

ROUTES = "/apis/networking.istio.io/v1/namespaces/default/virtualservices"
OPERATIONS = [{"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 80}]


def _seen(cluster: EmulatedCluster) -> list[str]:
    return [violation.what for violation in cluster.server.violations]


def test_violations__guarded_writes__none(cluster: EmulatedCluster, api: Api) -> None:
    api.create(ROUTES, splitting("checkout", v1=90, v2=10))
    api.patch(f"{ROUTES}/checkout?fieldManager=meshui", OPERATIONS)
    api.delete(f"{ROUTES}/checkout")

    assert _seen(cluster) == []


def test_violations__merge_patch__works_and_is_noticed(cluster: EmulatedCluster, api: Api) -> None:
    api.create(ROUTES, splitting("checkout", v1=90, v2=10))

    merged = api.merge(f"{ROUTES}/checkout", {"metadata": {"labels": {"a": "b"}}})

    violation = cluster.server.violations[0]
    assert merged.status == 200
    assert (violation.what, violation.method, violation.user) == ("merge-patch", "PATCH", "admin")
    assert violation.path.endswith("/checkout")
    assert violation.user_agent == "contract/1.0 (suite)"


def test_violations__apply_with_force__refused_and_noticed_twice(cluster: EmulatedCluster, api: Api) -> None:
    applied = api.call(
        "PATCH", f"{ROUTES}/checkout?force=true&fieldManager=x", {}, content_type="application/apply-patch+yaml"
    )

    assert applied.status == 415
    assert _seen(cluster) == ["server-side-apply", "force"]


def test_violations__put_of_a_route__noticed(cluster: EmulatedCluster, api: Api) -> None:
    made = api.create(ROUTES, splitting("checkout", v1=90, v2=10)).body

    api.replace(f"{ROUTES}/checkout", made)

    assert _seen(cluster) == ["put"]
