"""The same good and bad routes to our own schemas and to the real definitions: the same verdict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.contract.objects import splitting

if TYPE_CHECKING:
    from tests.contract.api import Api
    from tests.contract.conftest import Server

FOLDER = Path(__file__).parent / "verdicts"
ISTIO = "networking.istio.io"
GATEWAY = "gateway.networking.k8s.io"
CODES = {"accepted": 201, "invalid": 422, "unreadable": 400, "denied": 400}


def _cases(kind: str) -> list[Any]:
    document = yaml.safe_load((FOLDER / f"{kind.lower()}.yaml").read_text())
    return [
        pytest.param(verdict, spec, id=f"{verdict}: {name}")
        for verdict, specs in document.items()
        for name, spec in specs.items()
    ]


def _verdict(api: Api, place: str, group: str, kind: str, spec: dict[str, Any]) -> tuple[int, Any]:
    path = f"/apis/{group}/v1/namespaces/{place}/{kind.lower()}s"
    obj = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "one"}, "spec": spec}
    answer = api.create(f"{path}?dryRun=All&fieldValidation=Strict", obj)
    return answer.status, answer.body


@pytest.fixture(scope="session")
def gateway_kinds(server: Server) -> None:
    """The server must know the Gateway API; a real one does if its definitions are at hand."""
    if not server.is_emulator and not os.environ.get("MESHUI_LAB_CRDS"):
        pytest.skip("the real Gateway API definitions are in the folder that MESHUI_LAB_CRDS names, and it names none")


@pytest.fixture(scope="module")
def room(api: Api) -> str:
    """A namespace for dry runs: nothing is ever kept in it."""
    return "default"


@pytest.mark.parametrize(("verdict", "spec"), _cases("VirtualService"))
def test_virtual_service__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, ISTIO, "VirtualService", spec)

    assert status == CODES[verdict], body


@pytest.mark.parametrize(("verdict", "spec"), _cases("DestinationRule"))
def test_destination_rule__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, ISTIO, "DestinationRule", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("gateway_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("HTTPRoute"))
def test_http_route__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, GATEWAY, "HTTPRoute", spec)

    assert status == CODES[verdict], body


@pytest.mark.usefixtures("gateway_kinds")
@pytest.mark.parametrize(("verdict", "spec"), _cases("GRPCRoute"))
def test_grpc_route__spec__verdict(api: Api, room: str, verdict: str, spec: dict[str, Any]) -> None:
    status, body = _verdict(api, room, GATEWAY, "GRPCRoute", spec)

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


@pytest.mark.usefixtures("gateway_kinds")
def test_http_route__fields_left_out__defaults_of_the_server(api: Api, room: str) -> None:
    spec = {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "a", "port": 80}]}]}

    status, body = _verdict(api, room, GATEWAY, "HTTPRoute", spec)

    assert status == 201
    backend = {"group": "", "kind": "Service", "name": "a", "port": 80, "weight": 1}
    matches = [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert body["spec"]["rules"] == [{"matches": matches, "backendRefs": [backend]}]
    assert body["spec"]["parentRefs"] == [{"group": GATEWAY, "kind": "Gateway", "name": "edge"}]


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
