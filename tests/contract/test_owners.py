"""ownerReferences: what dies with its owner, what is orphaned, what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.waiting import until
from tests.contract.kinds import VIRTUAL_SERVICE
from tests.contract.objects import GROUP, config_map, widget

if TYPE_CHECKING:
    from tests.contract.api import Answer, Api


def _owned(obj: dict[str, Any], *owners: Answer, **more: bool) -> dict[str, Any]:
    references = [
        {
            "apiVersion": owner.body["apiVersion"],
            "kind": owner.body["kind"],
            "name": owner.body["metadata"]["name"],
            "uid": owner.uid,
            **more,
        }
        for owner in owners
    ]
    obj["metadata"]["ownerReferences"] = references
    return obj


def _wait_until_gone(api: Api, path: str) -> None:
    until(lambda: api.get(path).status == 404, seconds=30, what=f"{path} to be gone")


def test_owner__deleted__its_objects_go_too_and_others_stay(
    api: Api, widgets: str, config_maps: str, virtual_services: str
) -> None:
    owner = api.create(widgets, widget("canary"))
    api.create(config_maps, _owned(config_map("owned"), owner))
    api.create(virtual_services, _owned(VIRTUAL_SERVICE.object(), owner, controller=True))
    api.create(config_maps, config_map("free"))

    api.delete(f"{widgets}/canary")

    _wait_until_gone(api, f"{config_maps}/owned")
    _wait_until_gone(api, f"{virtual_services}/checkout")
    assert api.get(f"{config_maps}/free").status == 200


def test_owner__one_of_two_deleted__object_stays_until_the_other_goes(api: Api, widgets: str, config_maps: str) -> None:
    first, second = (api.create(widgets, widget(name)) for name in ("first", "second"))
    api.create(config_maps, _owned(config_map("shared"), first, second))
    api.create(config_maps, _owned(config_map("witness"), first))

    api.delete(f"{widgets}/first")
    _wait_until_gone(api, f"{config_maps}/witness")
    kept = api.get(f"{config_maps}/shared").status
    api.delete(f"{widgets}/second")

    assert kept == 200
    _wait_until_gone(api, f"{config_maps}/shared")


def test_owner__deleted_and_made_again__new_uid_owns_nothing(api: Api, widgets: str, config_maps: str) -> None:
    owner = api.create(widgets, widget("canary"))
    api.create(config_maps, _owned(config_map("owned"), owner))

    api.delete(f"{widgets}/canary")
    api.create(widgets, widget("canary"))

    _wait_until_gone(api, f"{config_maps}/owned")


def test_owner__orphan_policy__objects_stay_without_owner(api: Api, widgets: str, config_maps: str) -> None:
    owner = api.create(widgets, widget("canary"))
    api.create(config_maps, _owned(config_map("owned"), owner))

    api.delete(f"{widgets}/canary", {"propagationPolicy": "Orphan"})
    _wait_until_gone(api, f"{widgets}/canary")

    left = api.get(f"{config_maps}/owned")
    assert left.status == 200
    assert "ownerReferences" not in left.body["metadata"]


def test_owner__grandchildren__go_too(api: Api, widgets: str, config_maps: str) -> None:
    grandparent = api.create(widgets, widget("top"))
    parent = api.create(widgets, _owned(widget("middle"), grandparent))
    api.create(config_maps, _owned(config_map("bottom"), parent))

    api.delete(f"{widgets}/top")

    _wait_until_gone(api, f"{config_maps}/bottom")
    assert api.get(f"{widgets}/middle").status == 404


@pytest.mark.parametrize("field", ["uid", "name", "kind", "apiVersion"])
def test_owner__reference_incomplete__invalid(api: Api, widgets: str, config_maps: str, field: str) -> None:
    owner = api.create(widgets, widget("canary"))
    obj = _owned(config_map("owned"), owner)
    obj["metadata"]["ownerReferences"][0][field] = ""

    refused = api.create(config_maps, obj)

    assert refused.refusal()[:2] == (422, "Invalid")
    assert "metadata.ownerReferences" in refused.body["message"]


def test_owner__two_controllers__invalid(api: Api, widgets: str, config_maps: str) -> None:
    owners = [api.create(widgets, widget(name)) for name in ("first", "second")]

    refused = api.create(config_maps, _owned(config_map("owned"), *owners, controller=True))

    assert refused.refusal()[:2] == (422, "Invalid")
    assert "Only one reference can have Controller set to true" in refused.body["message"]


def test_owner__kind_that_nobody_serves__object_stays(api: Api, config_maps: str) -> None:
    canary = {"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "captions"}
    obj = config_map("owned")
    obj["metadata"]["ownerReferences"] = [{**canary, "uid": "7f1f6f2e-5a0e-4f6e-9d0b-0d4a6c1d2b3c", "controller": True}]

    made = api.create(config_maps, obj)

    assert made.status == 201
    assert made.body["metadata"]["ownerReferences"][0]["kind"] == "Canary"
    assert GROUP not in made.body["metadata"]["ownerReferences"][0]["apiVersion"]
