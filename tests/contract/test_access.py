"""Who may do what: 401, 403, access reviews, tokens of service accounts."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import urllib3

from lab.waiting import until
from tests.contract.objects import GROUP, config_map, widget

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.api import Answer, Api
    from tests.contract.conftest import Server

REVIEWS = "/apis/authorization.k8s.io/v1"
READ = {"apiGroups": [GROUP], "resources": ["widgets"], "verbs": ["get", "list", "watch"]}


def _reader(server: Server, name: str, namespace: str, *rules: dict[str, Any]) -> Api:
    granted = list(rules or [READ])
    server.cluster.grant(name, granted, namespace=namespace)
    reader = server.api(name, ())
    question = {"namespace": namespace, "group": GROUP, "resource": "widgets", "verb": granted[0]["verbs"][0]}
    question |= {"name": granted[0].get("resourceNames", [""])[0]}
    until(lambda: _may(reader, **question), seconds=10, what="the rights to be known")
    return reader


def _may(api: Api, **attributes: str) -> bool:
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    made = api.create(f"{REVIEWS}/selfsubjectaccessreviews", {**review, "spec": {"resourceAttributes": attributes}})
    assert made.status == 201, made.body
    return bool(made.body["status"]["allowed"])


def _plain(server: Server, tmp_path: Path, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(server.cluster.ca_pem)
    with urllib3.PoolManager(ca_certs=str(ca)) as pool:
        return pool.request("GET", f"{server.cluster.url}/api/v1/namespaces", headers=headers, retries=False)


def test_sign_in__unknown_token_or_none__unauthorized(server: Server, tmp_path: Path) -> None:
    for headers in ({"Authorization": "Bearer nobody"}, {}):
        response = _plain(server, tmp_path, headers)

        body = response.json()
        assert response.status == 401
        assert (body["kind"], body["status"], body["code"]) == ("Status", "Failure", 401)
        assert (body["reason"], body["message"]) == ("Unauthorized", "Unauthorized")


def test_rbac__no_rights__forbidden_says_what_and_where(server: Server, widgets: str, place: str) -> None:
    alice = server.api("alice", ())

    listed, named = alice.get(widgets), alice.get(f"{widgets}/one")

    where = f'in API group "{GROUP}" in the namespace "{place}"'
    who = f'User "alice" cannot list resource "widgets" {where}'
    assert listed.refusal() == (403, "Forbidden", f"widgets.{GROUP} is forbidden: {who}")
    assert listed.body["details"] == {"group": GROUP, "kind": "widgets"}
    who = f'User "alice" cannot get resource "widgets" {where}'
    assert named.refusal() == (403, "Forbidden", f'widgets.{GROUP} "one" is forbidden: {who}')
    assert named.body["details"] == {"name": "one", "group": GROUP, "kind": "widgets"}


def test_rbac__cluster_scope__forbidden_says_so(server: Server) -> None:
    alice = server.api("alice", ())

    nodes = alice.get("/api/v1/nodes")
    namespace = alice.get("/api/v1/namespaces/default")

    assert nodes.refusal()[2] == (
        'nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope'
    )
    assert namespace.refusal()[2] == (
        'namespaces "default" is forbidden: User "alice" cannot get resource "namespaces" in API group "" '
        'in the namespace "default"'
    )


def test_rbac__path_without_resource__forbidden_says_the_path(server: Server) -> None:
    refused = server.api("alice", ()).get("/metrics")

    assert refused.refusal() == (403, "Forbidden", 'forbidden: User "alice" cannot get path "/metrics"')
    assert refused.body["details"] == {}


def test_rbac__discovery__open_to_everybody_signed_in(server: Server) -> None:
    alice = server.api("alice", ())

    assert alice.get("/version").status == 200
    assert alice.get("/apis").status == 200
    assert alice.get("/api/v1").status == 200


def test_rbac__role_in_a_namespace__reads_there_and_nowhere_else(
    api: Api, server: Server, widgets: str, place: str
) -> None:
    api.create(widgets, widget("one"))
    reader = _reader(server, f"reader-{place}", place)

    here, there = reader.get(widgets), reader.get(f"/apis/{GROUP}/v1/widgets")
    written = reader.create(widgets, widget("two"))

    assert (here.status, here.names) == (200, ["one"])
    assert there.status == 403
    assert written.refusal()[:2] == (403, "Forbidden")
    assert f'cannot create resource "widgets" in API group "{GROUP}"' in written.body["message"]


def test_rbac__patch_right_alone__patches_and_cannot_update(api: Api, server: Server, widgets: str, place: str) -> None:
    made = api.create(widgets, widget("one")).body
    rule = {"apiGroups": [GROUP], "resources": ["widgets"], "resourceNames": ["one"], "verbs": ["get", "patch"]}
    writer = _reader(server, f"writer-{place}", place, rule)

    patched = writer.patch(f"{widgets}/one", [{"op": "replace", "path": "/spec/size", "value": 2}])

    assert patched.status == 200
    assert writer.replace(f"{widgets}/one", made).status == 403
    assert writer.patch(f"{widgets}/two", []).status == 403
    assert writer.patch(f"{widgets}/one/status", []).refusal()[2].startswith(f'widgets.{GROUP} "one" is forbidden: ')
    assert 'cannot patch resource "widgets/status"' in writer.patch(f"{widgets}/one/status", []).body["message"]


def test_rbac__one_name_by_field_selector__rule_for_that_name_applies(
    api: Api, server: Server, widgets: str, place: str
) -> None:
    api.create(widgets, widget("one"))
    rule = {"apiGroups": [GROUP], "resources": ["widgets"], "resourceNames": ["one"], "verbs": ["list", "watch"]}
    reader = _reader(server, f"named-{place}", place, rule)

    assert reader.get(f"{widgets}?fieldSelector=metadata.name%3Done").names == ["one"]
    assert reader.get(widgets).status == 403


def test_access_review__each_question__answered_by_the_same_rules(server: Server, widgets: str, place: str) -> None:
    reader = _reader(server, f"asker-{place}", place)
    attributes = {"group": GROUP, "resource": "widgets"}

    assert widgets
    assert _may(reader, verb="list", namespace=place, **attributes)
    assert not _may(reader, verb="patch", namespace=place, **attributes)
    assert not _may(reader, verb="list", **attributes)
    assert not _may(reader, verb="get", namespace=place, resource="secrets")
    assert _may(server.api(), verb="delete", resource="nodes")


def test_rules_review__reader__lists_its_rules(server: Server, place: str) -> None:
    reader = _reader(server, f"lister-{place}", place)
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": place}}

    made = reader.create(f"{REVIEWS}/selfsubjectrulesreviews", review)

    assert made.status == 201
    status = made.body["status"]
    mine = [rule for rule in status["resourceRules"] if rule.get("resources") == ["widgets"]]
    assert [sorted(rule["verbs"]) for rule in mine] == [["get", "list", "watch"]]
    assert status["incomplete"] is False
    assert any("/version" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])


def test_who_am_i__client_certificate__name_and_groups(server: Server) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

    made = server.api("carol", ("team-a", "team-b")).create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)

    info = made.body["status"]["userInfo"]
    assert made.status == 201
    assert info["username"] == "carol"
    assert set(info["groups"]) == {"team-a", "team-b", "system:authenticated"}


def _token(api: Api, place: str, name: str = "robot", **spec: Any) -> Answer:
    accounts = f"/api/v1/namespaces/{place}/serviceaccounts"
    head = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    api.create(accounts, head)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return api.create(f"{accounts}/{name}/token", request)


def _with_token(server: Server, api: Api, token: str) -> Api:
    return server.api_with(server.cluster.token_kubeconfig(token))


def test_token_request__service_account__signs_in_with_its_groups(api: Api, server: Server, place: str) -> None:
    made = _token(api, place, expirationSeconds=3600)

    robot = _with_token(server, api, made.body["status"]["token"])
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    info = robot.create("/apis/authentication.k8s.io/v1/selfsubjectreviews", review).body["status"]["userInfo"]

    assert made.status == 201
    assert made.body["status"]["expirationTimestamp"].endswith("Z")
    assert info["username"] == f"system:serviceaccount:{place}:robot"
    assert {"system:serviceaccounts", f"system:serviceaccounts:{place}", "system:authenticated"} <= set(info["groups"])


def test_token_request__token__names_account_and_end(api: Api, place: str) -> None:
    token = _token(api, place, expirationSeconds=3600).body["status"]["token"]

    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    assert claims["sub"] == f"system:serviceaccount:{place}:robot"
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["kubernetes.io"]["serviceaccount"]["name"] == "robot"


def test_token_request__rights_of_the_account__apply(api: Api, server: Server, widgets: str, place: str) -> None:
    api.create(widgets, widget("one"))
    robot = _with_token(server, api, _token(api, place).body["status"]["token"])

    before = robot.get(widgets)
    server.cluster.grant("robot", [READ], namespace=place, service_account_namespace=place)
    until(lambda: robot.get(widgets).status == 200, seconds=10, what="the rights to be known")
    after = robot.get(widgets)

    assert f'User "system:serviceaccount:{place}:robot" cannot list' in before.refusal()[2]
    assert after.names == ["one"]


def test_token_request__account_deleted__token_is_worth_nothing(api: Api, server: Server, place: str) -> None:
    robot = _with_token(server, api, _token(api, place).body["status"]["token"])
    assert robot.get("/version").status == 200

    api.delete(f"/api/v1/namespaces/{place}/serviceaccounts/robot")

    assert server.eventually_unauthorized(robot)


def test_token_request__under_ten_minutes__invalid(api: Api, place: str) -> None:
    status, reason, message = _token(api, place, expirationSeconds=60).refusal()

    assert (status, reason) == (422, "Invalid")
    assert "spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes" in message


def test_token_request__account_absent__not_found(api: Api, place: str) -> None:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}

    refused = api.create(f"/api/v1/namespaces/{place}/serviceaccounts/nobody/token", request)

    assert refused.refusal()[:2] == (404, "NotFound")


def test_group_binding__masters__may_everything(server: Server, config_maps: str) -> None:
    master = server.api("dave", ("system:masters",))

    assert master.create(config_maps, config_map("one")).status == 201
