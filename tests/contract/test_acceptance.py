"""What istiod writes into the status of routes whose parent is a Service: the emulator's controller says the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.waiting import until
from tests.contract.kinds import GRPC_ROUTE, HTTP_ROUTE, Kind

if TYPE_CHECKING:
    from tests.contract.api import Api

ISTIO = "istio.io/gateway-controller"
pytestmark = pytest.mark.usefixtures("other_kinds")
GOOD = {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}
both = pytest.mark.parametrize("kind", [HTTP_ROUTE, GRPC_ROUTE], ids=["HTTPRoute", "GRPCRoute"])


def _serve(api: Api, place: str, *names: str) -> None:
    for name in names:
        spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": 80}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        assert api.create(f"/api/v1/namespaces/{place}/services", service).status == 201


def _answer(api: Api, kind: Kind, place: str) -> dict[str, Any]:
    parents = (api.get(f"{kind.path(place)}/{kind.name}").body.get("status") or {}).get("parents") or []
    return next((each for each in parents if each["controllerName"] == ISTIO), {})


def _verdict(api: Api, kind: Kind, place: str) -> dict[str, tuple[str, str]]:
    conditions = _answer(api, kind, place).get("conditions") or []
    return {each["type"]: (each["status"], each["reason"]) for each in conditions}


def _wait_for(api: Api, kind: Kind, place: str, verdict: dict[str, tuple[str, str]]) -> None:
    until(
        lambda: _verdict(api, kind, place) == verdict, seconds=30, what=f"{verdict}, not {_verdict(api, kind, place)}"
    )


@both
def test_route__all_services_there__accepted_with_its_generation(api: Api, place: str, kind: Kind) -> None:
    _serve(api, place, "checkout", "checkout-v1", "checkout-v2")

    api.create(kind.path(place), kind.object())
    _wait_for(api, kind, place, GOOD)

    answer = _answer(api, kind, place)
    assert answer["parentRef"] == {"group": "", "kind": "Service", "name": "checkout", "port": 80}
    assert {each["observedGeneration"] for each in answer["conditions"]} == {1}
    assert {each["type"]: each["message"] for each in answer["conditions"]} == {
        "Accepted": "Route was valid",
        "ResolvedRefs": "All references resolved",
    }


@both
def test_route__changed__generation_is_seen_again(api: Api, place: str, kind: Kind) -> None:
    _serve(api, place, "checkout", "checkout-v1", "checkout-v2")
    api.create(kind.path(place), kind.object())
    _wait_for(api, kind, place, GOOD)

    api.patch(f"{kind.path(place)}/{kind.name}", [{"op": "replace", "path": kind.weight, "value": 50}])

    def seen() -> set[int]:
        return {each["observedGeneration"] for each in _answer(api, kind, place)["conditions"]}

    until(lambda: seen() == {2}, seconds=30, what="the second generation to be seen")
    assert _verdict(api, kind, place) == GOOD


@both
def test_route__backend_absent__not_resolved_until_it_is_there(api: Api, place: str, kind: Kind) -> None:
    _serve(api, place, "checkout", "checkout-v1")

    api.create(kind.path(place), kind.object())
    _wait_for(api, kind, place, {**GOOD, "ResolvedRefs": ("False", "BackendNotFound")})
    (text,) = [c["message"] for c in _answer(api, kind, place)["conditions"] if c["type"] == "ResolvedRefs"]
    _serve(api, place, "checkout-v2")
    _wait_for(api, kind, place, GOOD)

    assert text == f"backend(checkout-v2.{place}.svc.cluster.local) not found"


def test_route__parent_absent__not_accepted(api: Api, place: str) -> None:
    _serve(api, place, "checkout-v1", "checkout-v2")

    api.create(HTTP_ROUTE.path(place), HTTP_ROUTE.object())
    _wait_for(api, HTTP_ROUTE, place, {**GOOD, "Accepted": ("False", "NoMatchingParent")})

    (text,) = [c["message"] for c in _answer(api, HTTP_ROUTE, place)["conditions"] if c["type"] == "Accepted"]
    assert text == 'parent service: "checkout" not found'


def test_route__group_core__istio_does_not_answer(api: Api, place: str) -> None:
    _serve(api, place, "checkout", "checkout-v1", "checkout-v2")
    core = HTTP_ROUTE.object()
    core["spec"] = {
        **core["spec"],
        "parentRefs": [{"group": "core", "kind": "Service", "name": "checkout", "port": 80}],
    }
    core["metadata"] = {"name": "unheard"}

    api.create(HTTP_ROUTE.path(place), core)
    api.create(HTTP_ROUTE.path(place), HTTP_ROUTE.object())
    _wait_for(api, HTTP_ROUTE, place, GOOD)

    unheard = api.get(f"{HTTP_ROUTE.path(place)}/unheard").body
    assert [each for each in (unheard.get("status") or {}).get("parents", ()) if each["controllerName"] == ISTIO] == []
