"""Objects one by one: made, read, replaced, deleted; who may overwrite whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.contract.objects import GROUP, config_map, widget

if TYPE_CHECKING:
    from tests.contract.api import Api

KEY = f"widgets.{GROUP}"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def test_create__new_object__has_identity_and_generation(api: Api, widgets: str, place: str) -> None:
    made = api.create(widgets, widget("one"))

    metadata = made.body["metadata"]
    assert made.status == 201
    assert (metadata["namespace"], metadata["generation"]) == (place, 1)
    assert made.version.isdigit()
    assert len(made.uid) == 36
    assert metadata["creationTimestamp"].endswith("Z")
    assert api.get(f"{widgets}/one").body == made.body


def test_create__name_taken__already_exists(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    again = api.create(widgets, widget("one"))

    assert again.refusal() == (409, "AlreadyExists", f'{KEY} "one" already exists')
    assert again.body["details"] == {"name": "one", "group": GROUP, "kind": "widgets"}


def test_create__generate_name__suffix_is_added(api: Api, config_maps: str) -> None:
    obj = config_map("ignored")
    obj["metadata"] = {"generateName": "made-"}

    made = api.create(config_maps, obj)

    assert made.status == 201
    assert made.body["metadata"]["name"].startswith("made-")
    assert len(made.body["metadata"]["name"]) == len("made-") + 5


def test_create__no_name__invalid(api: Api, config_maps: str) -> None:
    refused = api.create(config_maps, {**config_map("x"), "metadata": {}})

    status, reason, message = refused.refusal()
    assert (status, reason) == (422, "Invalid")
    assert "name or generateName is required" in message


def test_create__bad_name__invalid_with_cause(api: Api, widgets: str) -> None:
    refused = api.create(widgets, widget("Not_a_name"))

    status, reason, message = refused.refusal()
    assert (status, reason) == (422, "Invalid")
    assert message.startswith(
        f'Widget.{GROUP} "Not_a_name" is invalid: metadata.name: Invalid value: "Not_a_name": a lowercase RFC 1123'
    )
    details = refused.body["details"]
    assert (details["name"], details["group"], details["kind"]) == ("Not_a_name", GROUP, "Widget")
    assert [(cause["reason"], cause["field"]) for cause in details["causes"]] == [
        ("FieldValueInvalid", "metadata.name")
    ]


def test_create__namespace_absent__not_found(api: Api) -> None:
    refused = api.create(f"/apis/{GROUP}/v1/namespaces/nowhere/widgets", widget("one"))

    assert refused.refusal() == (404, "NotFound", 'namespaces "nowhere" not found')
    assert refused.body["details"] == {"name": "nowhere", "kind": "namespaces"}


def test_create__other_namespace_in_body__bad_request(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["namespace"] = "default"

    status, reason, message = api.create(widgets, obj).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert message == "the namespace of the provided object does not match the namespace sent on the request"


def test_create__wrong_api_version__bad_request(api: Api, widgets: str) -> None:
    status, reason, message = api.create(widgets, {**widget("one"), "apiVersion": f"{GROUP}/v2"}).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert f"({GROUP}/v2)" in message
    assert f"({GROUP}/v1)" in message


def test_create__body_is_no_json__bad_request(api: Api, widgets: str) -> None:
    refused = api.call("POST", widgets, b"{not json")

    assert refused.refusal()[:2] == (400, "BadRequest")


def test_create__unknown_media_type__unsupported(api: Api, widgets: str) -> None:
    refused = api.call("POST", widgets, widget("one"), content_type="text/plain")

    status, reason, message = refused.refusal()
    assert (status, reason) == (415, "UnsupportedMediaType")
    assert message.startswith("the body of the request was in an unknown format - accepted media types include: ")


def test_create__with_resource_version__internal_error(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["resourceVersion"] = "1"

    status, _, message = api.create(widgets, obj).refusal()

    assert status == 500
    assert "resourceVersion should not be set on objects to be created" in message


def test_get__absent_object__not_found(api: Api, widgets: str, config_maps: str) -> None:
    custom, core = api.get(f"{widgets}/no"), api.get(f"{config_maps}/no")

    assert custom.refusal() == (404, "NotFound", f'{KEY} "no" not found')
    assert custom.body["details"] == {"name": "no", "group": GROUP, "kind": "widgets"}
    assert core.refusal() == (404, "NotFound", 'configmaps "no" not found')
    assert core.body["details"] == {"name": "no", "kind": "configmaps"}


def test_get__unknown_kind__not_found(api: Api) -> None:
    refused = api.get("/api/v1/namespaces/default/gadgets")

    assert refused.refusal() == (404, "NotFound", "the server could not find the requested resource")
    assert refused.body["details"] == {}


def test_get__unknown_group_or_kind_of_it__plain_text(api: Api) -> None:
    for path in (
        "nothing.example.com/v1/things",
        f"{GROUP}/v1/things",
        f"{GROUP}/v7/widgets",
        "nothing.example.com/v1",
    ):
        refused = api.get(f"/apis/{path}")

        assert (refused.status, refused.body) == (404, "404 page not found\n")


def test_create__kind_left_out__core_knows_and_custom_does_not(api: Api, widgets: str, config_maps: str) -> None:
    core = api.create(config_maps, {"metadata": {"name": "one"}})
    custom = api.create(widgets, {"metadata": {"name": "one"}, "spec": {"size": 1}})

    assert (core.status, core.body["kind"]) == (201, "ConfigMap")
    status, reason, message = custom.refusal()
    assert (status, reason) == (400, "BadRequest")
    assert message.startswith(
        "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in "
    )


def test_create__other_kind__refused(api: Api, widgets: str, config_maps: str) -> None:
    custom = api.create(widgets, {**widget("one"), "kind": "Gadget"})
    core = api.create(config_maps, {**config_map("one"), "kind": "Gadget"})

    message = f'Gadget.{GROUP} "one" is invalid: kind: Invalid value: "Gadget": must be Widget'
    assert custom.refusal() == (422, "Invalid", message)
    assert core.refusal()[:2] == (400, "BadRequest")
    assert core.body["message"].startswith('Gadget in version "v1" cannot be handled as a ConfigMap: no kind "Gadget"')


def test_create__label_is_a_number__bad_request(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["labels"] = {"a": 1}

    status, reason, message = api.create(widgets, obj).refusal()

    why = "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"
    assert (status, reason) == (400, "BadRequest")
    assert message == f'Widget in version "v1" cannot be handled as a Widget: {why}'


def test_replace__stale_version__conflict(api: Api, widgets: str) -> None:
    old = api.create(widgets, widget("one")).body
    api.replace(f"{widgets}/one", {**old, "spec": {"size": 2}})

    refused = api.replace(f"{widgets}/one", {**old, "spec": {"size": 3}})

    assert refused.refusal() == (409, "Conflict", f'Operation cannot be fulfilled on {KEY} "one": {MODIFIED}')
    assert refused.body["details"] == {"name": "one", "group": GROUP, "kind": "widgets"}
    assert api.get(f"{widgets}/one").body["spec"]["size"] == 2


def test_replace__fields_left_out__are_gone(api: Api, widgets: str) -> None:
    obj = widget("one", colour="red")
    obj["metadata"]["labels"] = {"a": "b"}
    made = api.create(widgets, obj).body

    bare = {**widget("one", 2), "metadata": {"name": "one", "resourceVersion": made["metadata"]["resourceVersion"]}}
    replaced = api.replace(f"{widgets}/one", bare)

    assert replaced.status == 200
    assert replaced.body["spec"] == {"size": 2, "mode": "plain"}
    assert "labels" not in replaced.body["metadata"]
    assert replaced.uid == made["metadata"]["uid"]


def test_replace__no_version__custom_refused_and_core_taken(api: Api, widgets: str, config_maps: str) -> None:
    api.create(widgets, widget("one"))
    api.create(config_maps, config_map("one", a="1"))

    custom = api.replace(f"{widgets}/one", widget("one", 2))
    core = api.replace(f"{config_maps}/one", config_map("one", a="2"))

    status, reason, message = custom.refusal()
    assert (status, reason) == (422, "Invalid")
    assert "metadata.resourceVersion: Invalid value: 0" in message
    assert "must be specified for an update" in message
    assert (core.status, core.body["data"]) == (200, {"a": "2"})


def test_replace__other_uid__conflict(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one")).body
    made["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"

    status, reason, message = api.replace(f"{widgets}/one", made).refusal()

    assert (status, reason) == (409, "Conflict")
    assert "UID in precondition: 00000000-0000-0000-0000-000000000000, UID in object meta: " in message


def test_replace__name_differs_from_url__bad_request(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one")).body
    made["metadata"]["name"] = "two"

    status, reason, message = api.replace(f"{widgets}/one", made).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert message == "the name of the object (two) does not match the name on the URL (one)"


def test_replace__absent__not_found(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["resourceVersion"] = "1"

    assert api.replace(f"{widgets}/one", obj).refusal()[:2] == (404, "NotFound")


def test_replace__nothing_changed__same_version(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    same = api.replace(f"{widgets}/one", made.body)

    assert same.status == 200
    assert same.version == made.version


def test_generation__spec_or_metadata_changes__only_spec_counts(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one")).body

    made["metadata"]["annotations"] = {"a": "b"}
    annotated = api.replace(f"{widgets}/one", made)
    changed = api.replace(f"{widgets}/one", {**annotated.body, "spec": {"size": 2}})

    assert (annotated.generation, changed.generation) == (1, 2)
    assert int(changed.version) > int(annotated.version)


def test_generation__config_map__has_none(api: Api, config_maps: str) -> None:
    made = api.create(config_maps, config_map("one"))

    assert "generation" not in made.body["metadata"]


def test_status__written_through_main_resource__ignored(api: Api, widgets: str) -> None:
    made = api.create(widgets, {**widget("one"), "status": {"phase": "early"}})

    replaced = api.replace(f"{widgets}/one", {**made.body, "status": {"phase": "late"}})

    assert "status" not in made.body
    assert "status" not in replaced.body
    assert replaced.version == made.version


def test_status__written_through_subresource__spec_and_generation_stay(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one")).body

    written = api.replace(f"{widgets}/one/status", {**made, "spec": {"size": 9}, "status": {"phase": "ready"}})
    patched = api.patch(f"{widgets}/one/status", [{"op": "replace", "path": "/status/phase", "value": "done"}])

    assert written.status == 200
    assert written.body["status"] == {"phase": "ready"}
    assert written.body["spec"]["size"] == 1
    assert patched.body["status"] == {"phase": "done"}
    assert patched.generation == 1


def test_status__kind_without_it__not_found(api: Api, config_maps: str) -> None:
    api.create(config_maps, config_map("one"))

    assert api.get(f"{config_maps}/one/status").status == 404


def test_uid__deleted_and_made_again__is_new(api: Api, widgets: str) -> None:
    first = api.create(widgets, widget("one"))
    api.delete(f"{widgets}/one")

    second = api.create(widgets, widget("one"))

    assert second.uid != first.uid
    assert second.generation == 1
    assert int(second.version) > int(first.version)


def test_method__not_for_this_url__not_allowed(api: Api, config_maps: str) -> None:
    refused = api.call("POST", f"{config_maps}/one", config_map("one"))

    assert refused.refusal()[:2] == (405, "MethodNotAllowed")
    assert refused.body["message"] == "the server does not allow this method on the requested resource"


def test_annotations__more_than_a_quarter_megabyte__invalid(api: Api, config_maps: str) -> None:
    obj = config_map("one")
    obj["metadata"]["annotations"] = {"big": "x" * 262_145}

    status, reason, message = api.create(config_maps, obj).refusal()

    assert (status, reason) == (422, "Invalid")
    assert "metadata.annotations: Too long: may not be more than 262144 bytes" in message


def test_labels__bad_value__invalid(api: Api, config_maps: str) -> None:
    obj = config_map("one")
    obj["metadata"]["labels"] = {"team": "not good"}

    status, reason, message = api.create(config_maps, obj).refusal()

    assert (status, reason) == (422, "Invalid")
    assert 'metadata.labels: Invalid value: "not good": a valid label must be an empty string or consist of' in message


def test_lease__made_renewed_and_stale__behaves_as_an_object(api: Api, place: str) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{place}/leases"
    head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "watcher"}}
    made = api.create(leases, {**head, "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}}).body

    made["spec"]["holderIdentity"] = "b"
    renewed = api.replace(f"{leases}/watcher", made)
    stale = api.replace(f"{leases}/watcher", {**made, "spec": {"holderIdentity": "c"}})

    assert renewed.status == 200
    assert renewed.body["spec"]["holderIdentity"] == "b"
    assert stale.refusal()[:2] == (409, "Conflict")
