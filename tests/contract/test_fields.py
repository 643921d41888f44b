"""Who wrote which field (managedFields), and dry runs that keep nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.contract.objects import splitting, widget

if TYPE_CHECKING:
    from tests.contract.api import Answer, Api


def _entry(answer: Answer, manager: str, subresource: str = "") -> dict[str, Any]:
    entries = [
        entry
        for entry in answer.body["metadata"]["managedFields"]
        if (entry["manager"], entry.get("subresource", "")) == (manager, subresource)
    ]
    assert len(entries) == 1, answer.body["metadata"]["managedFields"]
    return dict(entries[0])


def _managers(answer: Answer) -> set[str]:
    return {entry["manager"] for entry in answer.body["metadata"]["managedFields"]}


def test_managed_fields__object_made__all_fields_are_the_makers(api: Api, widgets: str) -> None:
    obj = widget("one", tags={"a": "b"}, parts=[{"name": "x"}])
    obj["metadata"]["labels"] = {"team": "a"}

    made = api.create(f"{widgets}?fieldManager=maker", obj)

    entry = _entry(made, "maker")
    assert (entry["operation"], entry["apiVersion"], entry["fieldsType"]) == (
        "Update",
        "contract.meshui.io/v1",
        "FieldsV1",
    )
    assert entry["time"].endswith("Z")
    assert entry["fieldsV1"] == {
        "f:metadata": {"f:labels": {".": {}, "f:team": {}}},
        "f:spec": {
            ".": {},
            "f:mode": {},
            "f:parts": {},
            "f:size": {},
            "f:tags": {".": {}, "f:a": {}},
        },
    }


def test_managed_fields__no_manager_named__client_names_itself(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    assert _managers(made) == {"contract"}


def test_managed_fields__another_hand_patches__takes_what_it_changed(api: Api, virtual_services: str) -> None:
    api.create(f"{virtual_services}?fieldManager=argocd", splitting("checkout", v1=90, v2=10))

    patched = api.patch(
        f"{virtual_services}/checkout?fieldManager=meshui",
        [
            {"op": "replace", "path": "/spec/http/0/route/0/weight", "value": 75},
            {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 25},
            {"op": "add", "path": "/metadata/annotations", "value": {"meshui.io/change": "1"}},
        ],
    )

    assert _managers(patched) == {"argocd", "meshui"}
    assert _entry(patched, "meshui")["fieldsV1"] == {
        "f:metadata": {"f:annotations": {".": {}, "f:meshui.io/change": {}}},
        "f:spec": {"f:http": {}},
    }
    assert _entry(patched, "argocd")["fieldsV1"] == {"f:spec": {".": {}, "f:hosts": {}}}


def test_managed_fields__status_written__entry_of_its_own(api: Api, widgets: str) -> None:
    made = api.create(f"{widgets}?fieldManager=maker", widget("one")).body

    written = api.replace(f"{widgets}/one/status?fieldManager=controller", {**made, "status": {"phase": "ready"}})

    entry = _entry(written, "controller", "status")
    assert entry["fieldsV1"] == {"f:status": {".": {}, "f:phase": {}}}
    assert "f:status" not in _entry(written, "maker")["fieldsV1"]


def test_managed_fields__field_removed__nobody_owns_it(api: Api, widgets: str) -> None:
    api.create(f"{widgets}?fieldManager=maker", widget("one", code="abc"))

    patched = api.patch(f"{widgets}/one?fieldManager=other", [{"op": "remove", "path": "/spec/code"}])

    assert _entry(patched, "maker")["fieldsV1"]["f:spec"] == {".": {}, "f:mode": {}, "f:size": {}}
    assert _managers(patched) == {"maker"}


def test_managed_fields__sent_by_the_client__not_believed(api: Api, widgets: str) -> None:
    made = api.create(f"{widgets}?fieldManager=maker", widget("one", code="abc")).body
    body = {**made, "spec": {"size": 5, "code": "abc"}}

    replaced = api.replace(f"{widgets}/one?fieldManager=other", body)

    assert _entry(replaced, "other")["fieldsV1"] == {"f:spec": {"f:size": {}}}
    assert "f:size" not in _entry(replaced, "maker")["fieldsV1"]["f:spec"]


def test_field_manager__longer_than_128__invalid(api: Api, widgets: str) -> None:
    status, reason, message = api.create(f"{widgets}?fieldManager={'m' * 129}", widget("one")).refusal()

    assert (status, reason) == (422, "Invalid")
    assert "fieldManager: Too long: may not be more than 128 bytes" in message


def test_dry_run__create__complete_answer_and_nothing_kept(api: Api, widgets: str) -> None:
    made = api.create(f"{widgets}?dryRun=All&fieldManager=meshui", widget("one"))

    assert made.status == 201
    assert made.body["spec"] == {"size": 1, "mode": "plain"}
    assert len(made.uid) == 36
    assert _managers(made) == {"meshui"}
    assert "resourceVersion" not in made.body["metadata"]
    assert api.get(f"{widgets}/one").status == 404


def test_dry_run__patch__shows_the_result_and_keeps_nothing(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))
    operations = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": made.version},
        {"op": "replace", "path": "/spec/size", "value": 7},
    ]

    shown = api.patch(f"{widgets}/one?dryRun=All&fieldManager=meshui&fieldValidation=Strict", operations)

    assert shown.status == 200
    assert shown.body["spec"]["size"] == 7
    assert shown.generation == 2
    assert shown.version == made.version
    assert api.get(f"{widgets}/one").body == made.body


def test_dry_run__patch_that_is_refused__same_refusal_as_for_real(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))
    for operation in (
        {"op": "test", "path": "/spec/size", "value": 9},
        {"op": "replace", "path": "/spec/size", "value": 101},
    ):
        dry = api.patch(f"{widgets}/one?dryRun=All", [operation])
        wet = api.patch(f"{widgets}/one", [operation])

        assert dry.refusal() == wet.refusal()
        assert dry.status == 422


def test_dry_run__name_taken__already_exists(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    assert api.create(f"{widgets}?dryRun=All", widget("one")).refusal()[:2] == (409, "AlreadyExists")


def test_dry_run__unknown_word__invalid(api: Api, widgets: str) -> None:
    status, reason, message = api.create(f"{widgets}?dryRun=Maybe", widget("one")).refusal()

    assert (status, reason) == (422, "Invalid")
    assert 'dryRun: Unsupported value: ["Maybe"]: supported values: "All"' in message
