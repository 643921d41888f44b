"""The same good and bad routes to our own schemas and to the real definitions: the same verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.contract.objects import splitting

if TYPE_CHECKING:
    from tests.contract.api import Api

FOLDER = Path(__file__).parent / "verdicts"
ISTIO, ISTIO_SECURITY = "networking.istio.io", "security.istio.io"
GATEWAY = "gateway.networking.k8s.io"
POLICY, LINKERD = "policy.linkerd.io", "linkerd.io"
VERSIONS = {
    (POLICY, "HTTPRoute"): f"{POLICY}/v1beta3",
    (POLICY, "Server"): f"{POLICY}/v1beta3",
    (POLICY, "AuthorizationPolicy"): f"{POLICY}/v1alpha1",
    (POLICY, "ServerAuthorization"): f"{POLICY}/v1beta1",
    (LINKERD, "ServiceProfile"): f"{LINKERD}/v1alpha2",
}
ROUTES = ((GATEWAY, "HTTPRoute"), (GATEWAY, "GRPCRoute"), (POLICY, "HTTPRoute"))
CODES = {"accepted": 201, "invalid": 422, "unreadable": 400, "denied": 400}


def _cases(file: str) -> list[Any]:
    document = yaml.safe_load((FOLDER / f"{file}.yaml").read_text())
    return [
        pytest.param(verdict, spec, id=f"{verdict}: {name}")
        for verdict, specs in document.items()
        for name, spec in specs.items()
    ]


def _verdict(api: Api, place: str, group: str, kind: str, spec: dict[str, Any]) -> tuple[int, Any]:
    api_version = VERSIONS.get((group, kind), f"{group}/v1")
    plural = f"{kind.lower().removesuffix('y')}{'ies' if kind.endswith('y') else 's'}"
    path = f"/apis/{api_version}/namespaces/{place}/{plural}"
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "one"}, "spec": spec}
    answer = api.create(f"{path}?dryRun=All&fieldValidation=Strict", obj)
    return answer.status, answer.body


@pytest.fixture(scope="module")
def room(api: Api) -> str:
    """A namespace for dry runs: nothing is ever kept in it."""
    return "default"


@pytest.mark.parametrize(("verdict", "spec"), _cases("virtualservice"))
def test_virtual_service__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, ISTIO, "VirtualService", spec)

    assert status == CODES[verdict], body


@pytest.mark.parametrize(("verdict", "spec"), _cases("destinationrule"))
def test_destination_rule__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, ISTIO, "DestinationRule", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("httproute"))
def test_http_route__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, GATEWAY, "HTTPRoute", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("grpcroute"))
def test_grpc_route__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, GATEWAY, "GRPCRoute", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("policy-httproute"))
def test_policy_http_route__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, POLICY, "HTTPRoute", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("serviceprofile"))
def test_service_profile__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, LINKERD, "ServiceProfile", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("server"))
def test_server__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, POLICY, "Server", spec)

    assert status == CODES[verdict], body


@pytest.mark.parametrize(("verdict", "spec"), _cases("peerauthentication"))
def test_peer_authentication__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, ISTIO_SECURITY, "PeerAuthentication", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("authorizationpolicy"))
def test_authorization_policy__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, POLICY, "AuthorizationPolicy", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("serverauthorization"))
def test_server_authorization__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, POLICY, "ServerAuthorization", spec)

    assert status == CODES[verdict], body


@pytest.mark.parametrize(
    ("kind", "spec", "field"),
    [
        (
            "VirtualService",
            {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}, "share": 1}]}]},
            "share",
        ),
        ("VirtualService", {"hosts": ["a"], "zzz": 1, "http": [{"route": [{"destination": {"host": "a"}}]}]}, "zzz"),
        ("DestinationRule", {"host": "a", "subset": []}, "subset"),
        ("DestinationRule", {"host": "a", "trafficPolicy": {"loadBalance": {"simple": "RANDOM"}}}, "loadBalance"),
    ],
)
def test_unknown_field__strict__named_and_refused(
    api: Api, room: str, kind: str, spec: dict[str, Any], field: str
) -> None:
    status, body = _verdict(api, room, ISTIO, kind, spec)

    assert status == 400
    assert body["message"].startswith(f'{kind} in version "v1" cannot be handled as a {kind}: strict decoding error: ')
    assert f'{field}"' in body["message"]


@pytest.mark.usefixtures("other_kinds")
def test_http_route__fields_left_out__defaults_of_the_server(api: Api, room: str) -> None:
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}

    status, body = _verdict(api, room, GATEWAY, "HTTPRoute", spec)

    assert status == 201
    backend = {"group": "", "kind": "Service", "name": "a", "port": 80, "weight": 1}
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert body["spec"]["rules"] == [{"matches": matches, "backendRefs": [backend]}]
    assert body["spec"]["parentRefs"] == [{"group": GATEWAY, "kind": "Gateway", "name": "edge"}]


@pytest.mark.usefixtures("other_kinds")
def test_policy_http_route__fields_left_out__defaults_of_the_server(api: Api, room: str) -> None:
    spec = {"parentRefs": [{"name": "shop"}], "rules": [{"backendRefs": [{"name": "a"}]}]}

    status, body = _verdict(api, room, POLICY, "HTTPRoute", spec)

    assert status == 201
    backend = {"group": "", "kind": "Service", "name": "a", "weight": 1}
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert body["spec"]["rules"] == [{"matches": matches, "backendRefs": [backend]}]
    assert body["spec"]["parentRefs"] == [{"group": POLICY, "kind": "Gateway", "name": "shop"}]


@pytest.mark.usefixtures("other_kinds")
def test_routes__no_rules_at_all__only_http_routes_get_one(api: Api, room: str) -> None:
    spec = {"parentRefs": [{"group": "", "kind": "Service", "name": "shop", "port": 80}]}

    bodies = [_verdict(api, room, group, kind, spec)[1]["spec"] for group, kind in ROUTES]

    every_path = [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}]
    assert [body.get("rules") for body in bodies] == [every_path, None, every_path]


@pytest.mark.usefixtures("other_kinds")
def test_grpc_route__fields_left_out__defaults_of_the_server(api: Api, room: str) -> None:
    match = {"method": {"service": "shop.Cart"}, "headers": [{"name": "a", "value": "b"}]}
    spec = {
        "parentRefs": [{"name": "edge"}],
        "rules": [{"matches": [match], "backendRefs": [{"name": "a", "port": 80}]}],
    }

    status, body = _verdict(api, room, GATEWAY, "GRPCRoute", spec)

    assert status == 201
    (made,) = body["spec"]["rules"]
    assert made["backendRefs"] == [{"group": "", "kind": "Service", "name": "a", "port": 80, "weight": 1}]
    assert made["matches"] == [
        {"method": {"type": "Exact", "service": "shop.Cart"}, "headers": [{"type": "Exact", "name": "a", "value": "b"}]}
    ]


@pytest.mark.usefixtures("other_kinds")
@pytest.mark.parametrize(
    ("group", "kind", "spec", "field"),
    [
        (GATEWAY, "HTTPRoute", {"rules": [{"backendRefs": [{"name": "a", "port": 80, "share": 1}]}]}, "share"),
        (GATEWAY, "HTTPRoute", {"rules": [{"retry": {"attempts": 2}}]}, "retry"),
        (GATEWAY, "GRPCRoute", {"rules": [{"timeouts": {"request": "1s"}}]}, "timeouts"),
        (POLICY, "HTTPRoute", {"rules": [{"name": "main"}]}, "name"),
        (LINKERD, "ServiceProfile", {"dstOverride": []}, "dstOverride"),
    ],
)
def test_unknown_field__strict_and_other_kinds__named_and_refused(
    api: Api, room: str, group: str, kind: str, spec: dict[str, Any], field: str
) -> None:
    status, body = _verdict(api, room, group, kind, spec)

    assert status == 400
    assert f'{field}"' in body["message"]


def test_virtual_service__fields_left_out__server_adds_nothing(api: Api, room: str) -> None:
    spec = {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}

    assert _verdict(api, room, ISTIO, "VirtualService", spec)[1]["spec"] == spec


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"v1": -5, "v2": 105}, "weight -5 < 0"),
        ({"v1": 0, "v2": 0}, "total destination weight = 0"),
    ],
)
def test_denial__weights__istiod_says_why(api: Api, room: str, weights: dict[str, int], words: str) -> None:
    path = f"/apis/{ISTIO}/v1/namespaces/{room}/virtualservices?dryRun=All"

    status, reason, message = api.create(path, splitting("checkout", **weights)).refusal()

    assert (status, reason) == (400, "")
    assert message.startswith('admission webhook "')
    assert "denied the request: configuration is invalid: " in message
    assert words in message


def test_older_versions__same_object__each_in_its_own_words(api: Api, virtual_services: str) -> None:
    made = api.create(virtual_services, splitting("checkout", v1=90, v2=10))
    older = api.get(f"{virtual_services.replace('/v1/', '/v1beta1/')}/checkout")

    assert older.body["apiVersion"] == f"{ISTIO}/v1beta1"
    assert (older.uid, older.version, older.body["spec"]) == (made.uid, made.version, made.body["spec"])
