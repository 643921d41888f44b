"""Lists: pages of one snapshot, tokens that expire, selectors, metadata alone."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.contract.api import PARTIAL, PARTIAL_LIST
from tests.contract.objects import config_map, widget

if TYPE_CHECKING:
    from tests.contract.api import Api
    from tests.contract.conftest import Server

EXPIRED = "The provided continue parameter is too old to display a consistent list result."


def _make(api: Api, path: str, count: int) -> list[str]:
    names = [f"w{number}" for number in range(count)]
    for name in names:
        obj = widget(name)
        obj["metadata"]["labels"] = {"parity": "even" if int(name[1:]) % 2 == 0 else "odd", "number": name}
        assert api.create(path, obj).status == 201
    return names


def _next(path: str, token: str, limit: int = 2) -> str:
    return f"{path}?limit={limit}&continue={quote(token)}"


def test_list__whole__has_kind_and_version(api: Api, widgets: str) -> None:
    names = _make(api, widgets, 3)

    found = api.get(widgets)

    assert (found.body["kind"], found.body["apiVersion"]) == ("WidgetList", "contract.meshui.io/v1")
    assert found.names == names
    assert found.version.isdigit()
    assert all(item["kind"] == "Widget" for item in found.body["items"])
    assert not found.body["metadata"].get("continue")


def test_list__core_kind__items_do_not_repeat_their_kind(api: Api, config_maps: str) -> None:
    api.create(config_maps, config_map("one"))

    found = api.get(f"{config_maps}?fieldSelector=metadata.name%3Done")

    assert found.body["kind"] == "ConfigMapList"
    assert [set(item) & {"kind", "apiVersion"} for item in found.body["items"]] == [set()]


def test_list__empty__items_are_a_list(api: Api, widgets: str) -> None:
    assert api.get(widgets).body["items"] == []


def test_pages__followed_to_the_end__give_each_object_once(api: Api, widgets: str) -> None:
    names = _make(api, widgets, 5)

    first = api.get(f"{widgets}?limit=2")
    second = api.get(_next(widgets, first.body["metadata"]["continue"]))
    third = api.get(_next(widgets, second.body["metadata"]["continue"]))

    assert first.names + second.names + third.names == names
    remaining = [page.body["metadata"].get("remainingItemCount") for page in (first, second, third)]
    assert remaining == [3, 1, None]
    assert not third.body["metadata"].get("continue")
    assert first.version == second.version == third.version


def test_pages__writes_in_between__snapshot_of_the_first_page(api: Api, widgets: str) -> None:
    _make(api, widgets, 4)
    first = api.get(f"{widgets}?limit=2")

    api.create(widgets, widget("w2b"))
    api.delete(f"{widgets}/w3")
    api.patch(f"{widgets}/w2", [{"op": "replace", "path": "/spec/size", "value": 9}])
    second = api.get(_next(widgets, first.body["metadata"]["continue"], 10))

    assert second.names == ["w2", "w3"]
    assert second.body["items"][0]["spec"]["size"] == 1


def test_pages__with_a_selector__no_remaining_count(api: Api, widgets: str) -> None:
    _make(api, widgets, 5)

    first = api.get(f"{widgets}?limit=2&labelSelector=parity%3Deven")
    second = api.get(_next(widgets, first.body["metadata"]["continue"]) + "&labelSelector=parity%3Deven")

    assert first.names + second.names == ["w0", "w2", "w4"]
    assert "remainingItemCount" not in first.body["metadata"]


def test_pages__token_expired__gone_and_a_way_on(api: Api, server: Server, widgets: str) -> None:
    _make(api, widgets, 4)
    first = api.get(f"{widgets}?limit=2")
    api.delete(f"{widgets}/w3")
    token = server.expire(first.body["metadata"]["continue"])

    refused = api.get(_next(widgets, token))
    second = api.get(_next(widgets, refused.body["metadata"]["continue"]))

    status, reason, message = refused.refusal()
    assert (status, reason) == (410, "Expired")
    assert message.startswith(EXPIRED)
    assert second.status == 200
    assert second.names == ["w2"]


def test_pages__token_is_nonsense__bad_request(api: Api, widgets: str) -> None:
    status, reason, message = api.get(_next(widgets, "nonsense")).refusal()

    assert (status, reason) == (400, "BadRequest")
    assert "continue key is not valid: " in message


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("parity=even", ["w0", "w2"]),
        ("parity==odd", ["w1", "w3"]),
        ("parity!=even", ["w1", "w3"]),
        ("number in (w0,w3)", ["w0", "w3"]),
        ("number notin (w0,w3)", ["w1", "w2"]),
        ("parity", ["w0", "w1", "w2", "w3"]),
        ("!parity", []),
        ("absent!=x", ["w0", "w1", "w2", "w3"]),
        ("parity=even,number in (w2)", ["w2"]),
    ],
)
def test_label_selector__each_operator__selects(api: Api, widgets: str, selector: str, expected: list[str]) -> None:
    _make(api, widgets, 4)

    assert api.get(f"{widgets}?labelSelector={quote(selector)}").names == expected


def test_label_selector__nonsense__bad_request(api: Api, widgets: str) -> None:
    status, reason, message = api.get(f"{widgets}?labelSelector={quote('a b c')}").refusal()

    assert (status, reason) == (400, "BadRequest")
    assert "unable to parse requirement" in message


def test_field_selector__name_and_namespace__selects(api: Api, widgets: str, place: str) -> None:
    _make(api, widgets, 2)
    everywhere = "/apis/contract.meshui.io/v1/widgets"

    by_name = api.get(f"{widgets}?fieldSelector={quote('metadata.name=w1')}")
    by_both = api.get(f"{everywhere}?fieldSelector={quote(f'metadata.namespace={place},metadata.name!=w1')}")

    assert by_name.names == ["w1"]
    assert by_both.names == ["w0"]


def test_field_selector__other_field__bad_request(api: Api, widgets: str) -> None:
    status, reason, message = api.get(f"{widgets}?fieldSelector={quote('spec.size=1')}").refusal()

    assert (status, reason) == (400, "BadRequest")
    assert "field label not supported: spec.size" in message


def test_partial_metadata__list__no_spec(api: Api, widgets: str) -> None:
    _make(api, widgets, 3)

    found = api.get(f"{widgets}?limit=2", accept=PARTIAL_LIST)

    assert (found.body["kind"], found.body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert found.names == ["w0", "w1"]
    assert found.body["metadata"]["remainingItemCount"] == 1
    item = found.body["items"][0]
    assert (item["metadata"]["labels"]["number"], "spec" in item) == ("w0", False)


def test_partial_metadata__one_object__no_spec(api: Api, widgets: str) -> None:
    made = api.create(widgets, widget("one"))

    found = api.get(f"{widgets}/one", accept=PARTIAL)

    expected = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": made.body["metadata"]}
    assert found.body == expected


def test_partial_metadata__form_of_the_other__refused(api: Api, widgets: str) -> None:
    api.create(widgets, widget("one"))

    one_as_list, list_as_one = api.get(f"{widgets}/one", accept=PARTIAL_LIST), api.get(widgets, accept=PARTIAL)

    assert one_as_list.refusal() == (500, "", "content is not a list")
    assert list_as_one.refusal()[:2] == (406, "NotAcceptable")
    assert list_as_one.body["message"].startswith("you requested PartialObjectMetadata, but the requested object is a ")


def test_list__version_not_reached_yet__timeout(api: Api, widgets: str) -> None:
    refused = api.get(f"{widgets}?resourceVersion=999999999")

    status, reason, message = refused.refusal()
    assert (status, reason) == (504, "Timeout")
    assert "Too large resource version: 999999999" in message
    assert refused.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_list__many_objects__pages_hold_all(api: Api, config_maps: str) -> None:
    names = sorted(f"c{number:03d}" for number in range(60))
    for name in names:
        api.create(config_maps, config_map(name))

    found, token = [], ""
    while True:
        page = api.get(_next(config_maps, token, 25) if token else f"{config_maps}?limit=25")
        found += [name for name in page.names if name.startswith("c")]
        token = page.body["metadata"].get("continue", "")
        if not token:
            break

    assert found == names
