"""The kinds that the product makes, changes and deletes, from their first day to their last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.waiting import until
from tests.contract.kinds import GATEWAY, GRPC_ROUTE, HTTP_ROUTE, ISTIO, OTHERS, POLICY_ROUTE, VIRTUAL_SERVICE, Kind

if TYPE_CHECKING:
    from tests.contract.api import Answer, Api

EVERY = [pytest.param(kind, id=f"{kind.kind}.{kind.group}") for kind in (*ISTIO, *OTHERS)]
ROUTES = [pytest.param(k, id=f"{k.kind}.{k.group}") for k in (HTTP_ROUTE, GRPC_ROUTE, POLICY_ROUTE)]
every_kind = pytest.mark.parametrize("kind", EVERY)


@pytest.fixture(autouse=True)
def _is_known(request: pytest.FixtureRequest) -> None:
    """Kinds other than Istio's need their definitions."""
    callspec = getattr(request.node, "callspec", None)
    if callspec and callspec.params.get("kind") in OTHERS:
        request.getfixturevalue("other_kinds")


def _made(api: Api, kind: Kind, place: str) -> Answer:
    made = api.create(f"{kind.path(place)}?fieldManager=meshui&fieldValidation=Strict", kind.object())
    assert made.status == 201, made.body
    return made


def _settled(api: Api, kind: Kind, place: str) -> Answer:
    """Made, and as it is once istiod has had its word about it: it speaks of routes of the Gateway API."""
    _made(api, kind, place)
    path = f"{kind.path(place)}/{kind.name}"
    if kind.group == GATEWAY:
        until(lambda: "status" in api.get(path).body, seconds=30, what="istiod's word")
    return api.get(path)


def _guarded(kind: Kind, made: Answer, old: int = 90, new: int = 75) -> list[dict[str, Any]]:
    return [
        {"op": "test", "path": "/metadata/uid", "value": made.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": made.version},
        {"op": "test", "path": kind.weight, "value": old},
        {"op": "replace", "path": kind.weight, "value": new},
    ]


def _weight(kind: Kind, body: dict[str, Any]) -> int:
    found: Any = body
    for part in kind.weight.strip("/").split("/"):
        found = found[int(part)] if part.isdigit() else found[part]
    return int(found)


@every_kind
def test_create__new__identity_defaults_and_manager(api: Api, place: str, kind: Kind) -> None:
    made = _made(api, kind, place)

    metadata = made.body["metadata"]
    assert (metadata["namespace"], metadata["generation"], len(made.uid)) == (place, 1, 36)
    assert made.body["spec"] == kind.stored()
    assert "status" not in made.body
    (entry,) = metadata["managedFields"]
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("meshui", "Update", kind.api_version)
    assert "f:spec" in entry["fieldsV1"]


@every_kind
def test_create__dry_run__whole_answer_and_nothing_kept(api: Api, place: str, kind: Kind) -> None:
    tried = api.create(f"{kind.path(place)}?dryRun=All&fieldManager=meshui", kind.object())

    assert (tried.status, tried.body["spec"]) == (201, kind.stored())
    assert (len(tried.uid), tried.generation) == (36, 1)
    assert "resourceVersion" not in tried.body["metadata"]
    assert api.get(f"{kind.path(place)}/{kind.name}").status == 404


@every_kind
def test_create__there_already__conflict_for_real_and_dry(api: Api, place: str, kind: Kind) -> None:
    _made(api, kind, place)

    again = api.create(kind.path(place), kind.object())
    tried = api.create(f"{kind.path(place)}?dryRun=All", kind.object())

    message = f'{kind.plural}.{kind.group} "{kind.name}" already exists'
    assert again.refusal() == (409, "AlreadyExists", message)
    assert tried.refusal() == (409, "AlreadyExists", message)


@every_kind
@pytest.mark.parametrize("way", ["", "&dryRun=All"])
def test_create__unknown_field_and_strict__refused_by_name(api: Api, place: str, kind: Kind, way: str) -> None:
    obj = {**kind.object(), "spec": {**kind.spec, **kind.unknown}}

    status, reason, message = api.create(f"{kind.path(place)}?fieldValidation=Strict{way}", obj).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert f'strict decoding error: unknown field "spec.{next(iter(kind.unknown))}"' in message


@every_kind
def test_patch__guarded__new_weight_and_one_generation_more(api: Api, place: str, kind: Kind) -> None:
    made = _settled(api, kind, place)
    path = f"{kind.path(place)}/{kind.name}"

    tried = api.patch(f"{path}?dryRun=All&fieldManager=meshui", _guarded(kind, made))
    between = api.get(path)
    patched = api.patch(f"{path}?fieldManager=meshui", _guarded(kind, made))

    assert (tried.status, _weight(kind, tried.body), tried.generation) == (200, 75, 2)
    assert (_weight(kind, between.body), between.version) == (90, made.version)
    assert (patched.status, _weight(kind, patched.body), patched.generation) == (200, 75, 2)
    assert "meshui" in {entry["manager"] for entry in patched.body["metadata"]["managedFields"]}


@every_kind
def test_patch__weight_moved_meanwhile__invalid_and_nothing_written(api: Api, place: str, kind: Kind) -> None:
    made = _made(api, kind, place)
    path = f"{kind.path(place)}/{kind.name}"
    api.patch(path, [{"op": "replace", "path": kind.weight, "value": 80}])

    refused = api.patch(path, _guarded(kind, made))

    assert refused.refusal()[:2] == (422, "Invalid")
    assert _weight(kind, api.get(path).body) == 80


@every_kind
def test_delete__preconditions__only_this_very_object(api: Api, place: str, kind: Kind) -> None:
    made = _settled(api, kind, place)
    path = f"{kind.path(place)}/{kind.name}"
    other_uid = {"preconditions": {"uid": "6b1f4a9e-0000-4000-8000-000000000000"}}
    other_version = {"preconditions": {"uid": made.uid, "resourceVersion": "1"}}
    good = {"preconditions": {"uid": made.uid, "resourceVersion": made.version}}

    wrong = [api.delete(path, body) for body in (other_uid, other_version)]
    tried_wrong = api.delete(path, {**other_version, "dryRun": ["All"]})
    tried = api.delete(path, {**good, "dryRun": ["All"]})
    still = api.get(path)
    deleted = api.delete(path, good)

    assert [answer.refusal()[:2] for answer in (*wrong, tried_wrong)] == [(409, "Conflict")] * 3
    assert (tried.status, still.version) == (200, made.version)
    assert (deleted.status, deleted.body["status"], deleted.body["details"]["uid"]) == (200, "Success", made.uid)
    assert api.get(path).status == 404


@every_kind
def test_made_again__same_name__is_another_object(api: Api, place: str, kind: Kind) -> None:
    first = _made(api, kind, place)
    api.delete(f"{kind.path(place)}/{kind.name}")

    second = _made(api, kind, place)

    assert second.uid != first.uid
    refused = api.patch(f"{kind.path(place)}/{kind.name}", _guarded(kind, first))
    assert refused.refusal()[:2] == (422, "Invalid")


@pytest.mark.parametrize("kind", ROUTES)
@pytest.mark.parametrize("weight", [1_000_001, -1])
def test_patch__weight_out_of_bounds__cause_names_the_field(api: Api, place: str, kind: Kind, weight: int) -> None:
    made = _settled(api, kind, place)
    path = f"{kind.path(place)}/{kind.name}"

    refused = api.patch(f"{path}?dryRun=All", _guarded(kind, made, new=weight))

    assert refused.refusal()[:2] == (422, "Invalid")
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == ["spec.rules[0].backendRefs[0].weight"]


@pytest.mark.parametrize("kind", ROUTES)
def test_create__weights_left_out__are_one(api: Api, place: str, kind: Kind) -> None:
    bare = [{"name": backend["name"], "port": 80} for backend in kind.spec["rules"][0]["backendRefs"]]

    made = api.create(kind.path(place), {**kind.object(), "spec": {**kind.spec, "rules": [{"backendRefs": bare}]}})

    assert [backend["weight"] for backend in made.body["spec"]["rules"][0]["backendRefs"]] == [1, 1]


@pytest.mark.usefixtures("other_kinds")
def test_older_version__http_route__same_object(api: Api, place: str) -> None:
    made = _settled(api, HTTP_ROUTE, place)

    older = api.get(f"{HTTP_ROUTE.path(place).replace('/v1/', '/v1beta1/')}/checkout")

    assert older.body["apiVersion"] == "gateway.networking.k8s.io/v1beta1"
    assert (older.uid, older.version, older.body["spec"]) == (made.uid, made.version, made.body["spec"])


@pytest.mark.usefixtures("other_kinds")
def test_two_groups__same_plural_and_name__two_objects(api: Api, place: str) -> None:
    made = [_made(api, kind, place) for kind in (HTTP_ROUTE, POLICY_ROUTE)]

    api.delete(f"{HTTP_ROUTE.path(place)}/checkout")

    assert made[0].uid != made[1].uid
    assert api.get(f"{POLICY_ROUTE.path(place)}/checkout").uid == made[1].uid


@pytest.mark.parametrize("kind", [HTTP_ROUTE, GRPC_ROUTE], ids=["HTTPRoute", "GRPCRoute"])
def test_status__written_by_a_controller__spec_and_generation_stay(api: Api, place: str, kind: Kind) -> None:
    made = _made(api, kind, place)
    path = f"{kind.path(place)}/{kind.name}"

    written = api.merge(f"{path}/status?fieldManager=policy.linkerd.io", {"status": _status("example.com/mesh")})
    ignored = api.patch(path, [{"op": "add", "path": "/status", "value": _status("example.com/other")}])

    names = [parent["controllerName"] for parent in written.body["status"]["parents"]]
    assert (written.status, "example.com/mesh" in names, written.generation) == (200, True, 1)
    assert written.body["spec"] == made.body["spec"]
    managers = {entry["manager"]: entry.get("subresource") for entry in written.body["metadata"]["managedFields"]}
    assert managers["policy.linkerd.io"] == "status"
    assert "example.com/other" not in [parent["controllerName"] for parent in ignored.body["status"]["parents"]]


@pytest.mark.parametrize("kind", ROUTES)
@pytest.mark.parametrize("field", ["controllerName", "parentRef", "reason"])
def test_status__incomplete__invalid(api: Api, place: str, kind: Kind, field: str) -> None:
    _made(api, kind, place)
    status = _status("example.com/mesh")
    (parent,) = status["parents"]
    parent.pop(field, None)
    parent["conditions"][0].pop(field, None)

    refused = api.merge(f"{kind.path(place)}/{kind.name}/status", {"status": status})

    assert refused.refusal()[:2] == (422, "Invalid")


@pytest.mark.usefixtures("other_kinds")
def test_status__replaced_whole__put_too(api: Api, place: str) -> None:
    _made(api, POLICY_ROUTE, place)
    path = f"{POLICY_ROUTE.path(place)}/{POLICY_ROUTE.name}"

    written = api.replace(f"{path}/status", {**api.get(path).body, "status": _status("example.com/mesh")})

    assert (written.status, written.generation) == (200, 1)
    (parent,) = api.get(path).body["status"]["parents"]
    assert parent["conditions"][0]["reason"] == "Accepted"
    assert "observedGeneration" not in parent["conditions"][0]


@pytest.mark.usefixtures("other_kinds")
def test_status__kind_without_it__not_found(api: Api, place: str) -> None:
    kind = OTHERS[-1]
    _made(api, kind, place)

    assert api.get(f"{kind.path(place)}/{kind.name}/status").status == 404


def test_delete__dry_run_in_the_query_beside_a_body__is_not_heard(api: Api, place: str) -> None:
    made = _made(api, VIRTUAL_SERVICE, place)
    path = f"{VIRTUAL_SERVICE.path(place)}/{VIRTUAL_SERVICE.name}"

    deleted = api.delete(f"{path}?dryRun=All", {"preconditions": {"uid": made.uid}})

    assert deleted.status == 200
    assert api.get(path).status == 404


def test_delete__dry_run_of_what_is_absent__not_found(api: Api, place: str) -> None:
    gone = api.delete(f"{VIRTUAL_SERVICE.path(place)}/nobody?dryRun=All")

    assert gone.refusal()[:2] == (404, "NotFound")


def _status(controller: str) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}
    parent = {"group": "", "kind": "Service", "name": "checkout", "port": 80}
    dated = {**condition, "lastTransitionTime": "2026-01-15T08:30:00Z"}
    return {"parents": [{"controllerName": controller, "parentRef": parent, "conditions": [dated]}]}
