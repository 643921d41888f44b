"""EmulatedCluster: kubeconfigs, rights, objects by hand."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from playground.apiserver.errors import ApiError
from tests.contract.objects import config_map, namespace, splitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from playground.cluster import EmulatedCluster
    from tests.contract.api import Api

READ = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


def _in(obj: dict[str, Any], place: str) -> dict[str, Any]:
    return {**obj, "metadata": {**obj["metadata"], "namespace": place}}


@pytest.mark.parametrize("certificate", [False, True])
def test_kubeconfig__token_or_certificate__holds_everything_itself(
    cluster: EmulatedCluster,
    sign_in: Callable[[str], Api],
    certificate: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    text = cluster.admin_kubeconfig(certificate=certificate)

    config = json.loads(text)
    assert "certificate-authority-data" in config["clusters"][0]["cluster"]
    assert ("token" in config["users"][0]["user"]) is not certificate
    assert sign_in(text).get("/api/v1/namespaces").status == 200


def test_grant__in_a_namespace__nowhere_else(cluster: EmulatedCluster, sign_in: Callable[[str], Api]) -> None:
    cluster.grant("alice", [READ], namespace="default")
    alice = sign_in(cluster.kubeconfig("alice"))

    assert alice.get(CONFIG_MAPS).status == 200
    assert alice.get("/api/v1/configmaps").status == 403


def test_grant__again__replaces(cluster: EmulatedCluster, sign_in: Callable[[str], Api]) -> None:
    cluster.grant("alice", [READ])
    cluster.grant("alice", [{**READ, "resources": ["services"]}])
    alice = sign_in(cluster.kubeconfig("alice"))

    assert alice.get(CONFIG_MAPS).status == 403
    assert alice.get("/api/v1/services").status == 200


def test_grant__group_in_certificate__bound_by_hand(cluster: EmulatedCluster, sign_in: Callable[[str], Api]) -> None:
    rbac = "rbac.authorization.k8s.io"
    subject = {"kind": "Group", "name": "team-a", "apiGroup": rbac}
    reference = {"kind": "ClusterRole", "name": "view", "apiGroup": rbac}
    binding = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "team-a-views"}}
    cluster.load([{**binding, "subjects": [subject], "roleRef": reference}])
    alice = sign_in(cluster.kubeconfig("alice", ["team-a"], certificate=True))

    assert alice.get(CONFIG_MAPS).status == 200
    assert alice.get("/api/v1/secrets").status == 403


def test_aggregated_role__rules_of_labelled_roles__count(
    cluster: EmulatedCluster, sign_in: Callable[[str], Api]
) -> None:
    rbac = "rbac.authorization.k8s.io"
    labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    rule = {"apiGroups": ["networking.istio.io"], "resources": ["*"], "verbs": ["list"]}
    role = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "istio-view", "labels": labels}}
    binding = {"apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "alice-views"}}
    reference = {"kind": "ClusterRole", "name": "view", "apiGroup": rbac}
    subject = {"kind": "User", "name": "alice", "apiGroup": rbac}
    cluster.load([{**role, "rules": [rule]}, {**binding, "subjects": [subject], "roleRef": reference}])

    alice = sign_in(cluster.kubeconfig("alice"))

    assert alice.get("/apis/networking.istio.io/v1/virtualservices").status == 200


def test_service_account_kubeconfig__account_is_made__and_its_rights_apply(
    cluster: EmulatedCluster, sign_in: Callable[[str], Api]
) -> None:
    robot = sign_in(cluster.service_account_kubeconfig("default", "robot"))
    before = robot.get(CONFIG_MAPS).status

    cluster.grant("robot", [READ], namespace="default", service_account_namespace="default")

    assert (before, robot.get(CONFIG_MAPS).status) == (403, 200)


def test_load__any_order__definitions_and_namespaces_first(cluster: EmulatedCluster) -> None:
    loaded = cluster.load([_in(config_map("one"), "shop"), namespace("shop")])

    assert [obj["kind"] for obj in loaded] == ["Namespace", "ConfigMap"]


def test_load__bad_object__refused(cluster: EmulatedCluster) -> None:
    bad = _in(splitting("checkout", v1=90), "default")
    bad["spec"]["http"][0]["route"][0]["weight"] = "ninety"

    with pytest.raises(ApiError, match="must be of type int"):
        cluster.load([bad])


def test_load__unknown_kind__key_error(cluster: EmulatedCluster) -> None:
    with pytest.raises(KeyError, match="no kind 'Gadget'"):
        cluster.load([{"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "one"}}])


def test_get__each_name_of_a_kind__same_object(cluster: EmulatedCluster) -> None:
    cluster.load([_in(splitting("checkout", v1=90, v2=10), "default")])

    names = ("VirtualService", "virtualservices.networking.istio.io", "VirtualService.networking.istio.io")
    found = [cluster.get(name, "checkout", "default") for name in names]

    assert found[0] == found[1] == found[2]
    with pytest.raises(KeyError):
        cluster.get("VirtualService", "absent", "default")


def test_get__changed_by_the_caller__store_is_untouched(cluster: EmulatedCluster) -> None:
    cluster.load([_in(config_map("one", a="1"), "default")])

    cluster.get("ConfigMap", "one", "default")["data"]["a"] = "2"

    assert cluster.get("ConfigMap", "one", "default")["data"] == {"a": "1"}


def test_edit__another_hand__new_version_generation_and_manager(cluster: EmulatedCluster) -> None:
    (made,) = cluster.load([_in(splitting("checkout", v1=90, v2=10), "default")])

    def change(obj: dict[str, Any]) -> None:
        obj["spec"]["http"][0]["route"][0]["weight"] = 50

    edited = cluster.edit("VirtualService", "checkout", "default", change, manager="argocd")

    assert edited["metadata"]["generation"] == made["metadata"]["generation"] + 1
    assert edited["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    managers = {entry["manager"]: entry["fieldsV1"] for entry in edited["metadata"]["managedFields"]}
    assert managers["argocd"] == {"f:spec": {"f:http": {}}}


def test_wait__condition__object_once_it_is_met_or_a_timeout(cluster: EmulatedCluster) -> None:
    timer = threading.Timer(0.05, lambda: cluster.load([_in(config_map("one", a="1"), "default")]))
    timer.start()

    found = cluster.wait("ConfigMap", "one", "default", lambda obj: obj["data"] == {"a": "1"})
    timer.join()

    assert found["metadata"]["name"] == "one"
    with pytest.raises(TimeoutError, match="was not as expected"):
        cluster.wait("ConfigMap", "one", "default", lambda obj: obj["data"] == {}, seconds=0.05)


def test_repr__cluster_and_server__no_token(cluster: EmulatedCluster) -> None:
    token = cluster.server.issue_token("alice")

    assert token not in repr(cluster) + repr(cluster.server)
