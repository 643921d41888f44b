"""Deleting: preconditions, finalizers, collections, namespaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.waiting import until
from tests.contract.objects import GROUP, config_map, namespace, widget

if TYPE_CHECKING:
    from tests.contract.api import Api

KEY = f"widgets.{GROUP}"


def _options(**preconditions: str) -> dict[str, object]:
    return {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": preconditions}


def test_delete__object__success_says_what_is_gone(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    gone = api.delete(f"{widgets}/one")

    assert (gone.status, gone.body["kind"], gone.body["status"]) == (200, "Status", "Success")
    assert gone.body["details"] == {"name": "one", "group": GROUP, "kind": "widgets", "uid": made.uid}
    assert api.get(f"{widgets}/one").status == 404


def test_delete__absent__not_found(api: Api, widgets: str) -> None:
    assert api.delete(f"{widgets}/one").refusal() == (404, "NotFound", f'{KEY} "one" not found')


def test_delete__other_uid__conflict_and_stays(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    refused = api.delete(f"{widgets}/one", _options(uid="other"))

    message = (
        f'Operation cannot be fulfilled on Widget.{GROUP} "one": the UID in the precondition (other) does not match '
        f"the UID in record ({made.uid}). The object might have been deleted and then recreated"
    )
    assert refused.refusal() == (409, "Conflict", message)
    assert refused.body["details"] == {"name": "one", "group": GROUP, "kind": "Widget"}
    assert api.get(f"{widgets}/one").status == 200


def test_delete__stale_version__conflict_and_stays(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one")).body
    now = api.replace(f"{widgets}/one", {**made, "spec": {"size": 2}})
    before = made["metadata"]["resourceVersion"]

    refused = api.delete(f"{widgets}/one", _options(resourceVersion=before))

    message = (
        f'Operation cannot be fulfilled on Widget.{GROUP} "one": the ResourceVersion in the precondition ({before}) '
        f"does not match the ResourceVersion in record ({now.version}). The object might have been modified"
    )
    assert refused.refusal() == (409, "Conflict", message)
    assert api.get(f"{widgets}/one").status == 200


def test_delete__preconditions_met__gone(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    gone = api.delete(f"{widgets}/one", _options(uid=made.uid, resourceVersion=made.version))

    assert gone.status == 200
    assert api.get(f"{widgets}/one").status == 404


def test_delete__propagation_policy__accepted(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    gone = api.delete(
        f"{widgets}/one", {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    )

    assert gone.status == 200
    assert api.get(f"{widgets}/one").status == 404


def test_delete__dry_run__stays(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    gone = api.delete(f"{widgets}/one?dryRun=All")

    assert gone.status == 200
    assert api.get(f"{widgets}/one").status == 200


def test_finalizer__object_deleted__stays_until_it_is_removed(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["finalizers"] = ["contract.meshui.io/hold"]
    made = api.create(widgets, obj)

    marked = api.delete(f"{widgets}/one")
    held = api.get(f"{widgets}/one")
    released = api.patch(f"{widgets}/one", [{"op": "remove", "path": "/metadata/finalizers"}])

    assert marked.status == 200
    assert held.uid == made.uid
    assert held.body["metadata"]["deletionTimestamp"].endswith("Z")
    assert held.body["metadata"]["deletionGracePeriodSeconds"] == 0
    assert held.generation == 2
    assert released.status == 200
    assert api.get(f"{widgets}/one").status == 404


def test_finalizer__deleted_twice__still_one_mark(api: Api, widgets: str) -> None:
    obj = widget("one")
    obj["metadata"]["finalizers"] = ["contract.meshui.io/hold"]
    api.create(widgets, obj)

    first, second = api.delete(f"{widgets}/one"), api.delete(f"{widgets}/one")

    assert (first.status, second.status) == (200, 200)
    assert api.get(f"{widgets}/one").body["metadata"]["finalizers"] == ["contract.meshui.io/hold"]
    api.patch(f"{widgets}/one", [{"op": "remove", "path": "/metadata/finalizers"}])


def test_delete_collection__by_label__others_stay(api: Api, widgets: str) -> None:
    for name, team in (("one", "a"), ("two", "b"), ("three", "a")):
        obj = widget(name)
        obj["metadata"]["labels"] = {"team": team}
        api.create(widgets, obj)

    gone = api.delete(f"{widgets}?labelSelector=team%3Da")

    assert gone.status == 200
    assert sorted(gone.names) == ["one", "three"]
    assert api.get(widgets).names == ["two"]


def test_namespace__deleted__empties_itself_and_goes(api: Api) -> None:
    api.create("/api/v1/namespaces", namespace("passing"))
    api.create("/api/v1/namespaces/passing/configmaps", config_map("one"))

    marked = api.delete("/api/v1/namespaces/passing")

    assert marked.status == 200
    assert marked.body["kind"] == "Namespace"
    assert marked.body["status"]["phase"] == "Terminating"
    until(lambda: api.get("/api/v1/namespaces/passing").status == 404, seconds=60, what="the namespace to be gone")


def test_namespace__the_servers_own__may_not_be_deleted(api: Api) -> None:
    refused = api.delete("/api/v1/namespaces/kube-system?dryRun=All")

    message = 'namespaces "kube-system" is forbidden: this namespace may not be deleted'
    assert refused.refusal() == (403, "Forbidden", message)


def test_namespace__terminating__nothing_new_in_it(api: Api, place: str, widgets: str) -> None:
    obj = widget("held")
    obj["metadata"]["finalizers"] = ["contract.meshui.io/hold"]
    api.create(widgets, obj)
    api.delete(f"/api/v1/namespaces/{place}")

    refused = api.create(widgets, widget("late"))

    status, reason, message = refused.refusal()
    assert (status, reason) == (403, "Forbidden")
    assert message.endswith(f"unable to create new content in namespace {place} because it is being terminated")
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    api.patch(f"{widgets}/held", [{"op": "remove", "path": "/metadata/finalizers"}])
