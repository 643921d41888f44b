"""Webhooks: asked about writes and dry runs, believed when they refuse or change."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab.waiting import until
from playground.webhook import Webhook, patch_of
from tests.contract.objects import GROUP, config_map, widget

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.contract.api import Api

CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1"
NAME = "sizes.contract.meshui.io"


def _configuration(kind: str, client_config: dict[str, str], place: str, **more: Any) -> dict[str, Any]:
    rule = {"operations": ["CREATE", "UPDATE", "DELETE"], "apiGroups": [GROUP], "apiVersions": ["v1"]}
    hook = {
        "name": NAME,
        "clientConfig": client_config,
        "rules": [{**rule, "resources": ["widgets"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **more,
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind}
    return {**head, "metadata": {"name": f"contract-{secrets.token_hex(4)}"}, "webhooks": [hook]}


@contextmanager
def _installed(api: Api, kind: str, client_config: dict[str, str], place: str, **more: Any) -> Iterator[None]:
    path = f"{CONFIGURATIONS}/{kind.lower()}s"
    made = api.create(path, _configuration(kind, client_config, place, **more))
    assert made.status == 201, made.body
    try:
        yield
    finally:
        api.delete(f"{path}/{made.body['metadata']['name']}")


def _no_big_ones(request: dict[str, Any]) -> dict[str, Any]:
    spec = (request["object"] or {}).get("spec", {})
    if spec.get("size", 0) > 50:
        return {"allowed": False, "status": {"message": "size is above 50"}}
    return {"allowed": True, "warnings": ["be careful"] if spec.get("size") == 50 else []}


def _until_asked(api: Api, path: str) -> None:
    """A real server takes a moment to know a new configuration."""
    until(lambda: api.create(f"{path}?dryRun=All", widget("probe", 51)).status == 400, seconds=30, what="the webhook")


def test_validating_webhook__refuses__its_words_reach_the_client(api: Api, widgets: str, place: str) -> None:
    with (
        Webhook(_no_big_ones) as webhook,
        _installed(api, "ValidatingWebhookConfiguration", webhook.client_config, place),
    ):
        _until_asked(api, widgets)
        refused = api.create(widgets, widget("one", 51))
        taken = api.create(widgets, widget("one", 49))

    message = f'admission webhook "{NAME}" denied the request: size is above 50'
    assert refused.refusal() == (400, "", message)
    assert taken.status == 201


def test_validating_webhook__patch_and_dry_run__asked_too(api: Api, widgets: str, place: str) -> None:
    api.create(widgets, widget("one"))
    with (
        Webhook(_no_big_ones) as webhook,
        _installed(api, "ValidatingWebhookConfiguration", webhook.client_config, place),
    ):
        _until_asked(api, widgets)
        operations = [{"op": "replace", "path": "/spec/size", "value": 60}]
        dry = api.patch(f"{widgets}/one?dryRun=All", operations)
        wet = api.patch(f"{widgets}/one", operations)

    assert dry.refusal() == wet.refusal()
    assert wet.status == 400
    asked = [each["request"] for each in webhook.reviews if each["request"]["name"] == "one"]
    assert [request["dryRun"] for request in asked] == [True, False]
    last = asked[-1]
    assert (last["operation"], last["namespace"]) == ("UPDATE", place)
    assert (last["oldObject"]["spec"]["size"], last["object"]["spec"]["size"]) == (1, 60)
    assert last["resource"] == {"group": GROUP, "version": "v1", "resource": "widgets"}
    assert "system:masters" in last["userInfo"]["groups"]


def test_validating_webhook__delete__asked_with_the_old_object(api: Api, widgets: str, place: str) -> None:
    api.create(widgets, widget("one"))
    with Webhook(lambda request: {"allowed": request["operation"] != "DELETE"} | _no_big_ones(request)) as webhook:
        webhook.decide = lambda request: (
            {"allowed": False} if request["operation"] == "DELETE" else _no_big_ones(request)
        )
        with _installed(api, "ValidatingWebhookConfiguration", webhook.client_config, place):
            _until_asked(api, widgets)
            refused = api.delete(f"{widgets}/one")

    message = f'admission webhook "{NAME}" denied the request without explanation'
    assert refused.refusal() == (400, "", message)
    assert webhook.reviews[-1]["request"]["object"] is None
    assert webhook.reviews[-1]["request"]["oldObject"]["metadata"]["name"] == "one"
    assert api.get(f"{widgets}/one").status == 200


def test_validating_webhook__warns__client_is_told(api: Api, widgets: str, place: str) -> None:
    with (
        Webhook(_no_big_ones) as webhook,
        _installed(api, "ValidatingWebhookConfiguration", webhook.client_config, place),
    ):
        _until_asked(api, widgets)
        taken = api.create(widgets, widget("one", 50))

    assert taken.status == 201
    assert taken.headers["Warning"] == '299 - "be careful"'


def test_validating_webhook__side_effects_unknown__no_dry_run(api: Api, widgets: str, place: str) -> None:
    with (
        Webhook(_no_big_ones) as webhook,
        _installed(api, "ValidatingWebhookConfiguration", webhook.client_config, place, sideEffects="NoneOnDryRun"),
    ):
        _until_asked(api, widgets)
        taken = api.create(f"{widgets}?dryRun=All", widget("one", 1))

    assert taken.status == 201


def test_validating_webhook__out_of_reach__failure_policy_decides(api: Api, widgets: str, place: str) -> None:
    with Webhook(_no_big_ones) as webhook:
        config = webhook.client_config
    with _installed(api, "ValidatingWebhookConfiguration", config, place, failurePolicy="Ignore"):
        ignored = api.create(widgets, widget("one"))
    with _installed(api, "ValidatingWebhookConfiguration", config, place, failurePolicy="Fail"):
        path = f"{widgets}?dryRun=All"
        until(lambda: api.create(path, widget("two")).status == 500, seconds=30, what="the webhook")
        failed = api.create(widgets, widget("two"))

    assert ignored.status == 201
    status, reason, message = failed.refusal()
    assert (status, reason) == (500, "InternalError")
    assert message.startswith(
        f'Internal error occurred: failed calling webhook "{NAME}": failed to call webhook: Post '
    )


def test_validating_webhook__other_kind_or_namespace__not_asked(
    api: Api, widgets: str, config_maps: str, place: str
) -> None:
    elsewhere = f"/apis/{GROUP}/v1/namespaces/default/widgets"
    with (
        Webhook(_no_big_ones) as webhook,
        _installed(api, "ValidatingWebhookConfiguration", webhook.client_config, place),
    ):
        _until_asked(api, widgets)
        before = len(webhook.reviews)
        other_kind = api.create(config_maps, config_map("one"))
        other_place = api.create(f"{elsewhere}?dryRun=All", widget("one", 60))

    assert (other_kind.status, other_place.status) == (201, 201)
    assert len(webhook.reviews) == before


def test_mutating_webhook__patches__stored_as_patched_and_still_judged(api: Api, widgets: str, place: str) -> None:
    def decide(request: dict[str, Any]) -> dict[str, Any]:
        size = request["object"]["spec"]["size"]
        return patch_of({"op": "replace", "path": "/spec/size", "value": size * 2})

    with Webhook(decide) as webhook:
        rule = {"operations": ["CREATE"], "apiGroups": [GROUP], "apiVersions": ["*"], "resources": ["*"]}
        with _installed(api, "MutatingWebhookConfiguration", webhook.client_config, place, rules=[rule]):
            probe = f"{widgets}?dryRun=All"
            until(lambda: api.create(probe, widget("p", 2)).body["spec"]["size"] == 4, seconds=30, what="the webhook")
            doubled = api.create(widgets, widget("one", 21))
            refused = api.create(widgets, widget("two", 51))

    assert doubled.body["spec"]["size"] == 42
    assert api.get(f"{widgets}/one").body["spec"]["size"] == 42
    assert refused.refusal()[:2] == (422, "Invalid")
    assert "spec.size: Invalid value: 102" in refused.body["message"]
