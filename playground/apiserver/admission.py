"""Admission: hooks in this process, and webhooks as configured by objects in the store."""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from playground.apiserver import errors
from playground.apiserver.jsontypes import clone
from playground.apiserver.patches import apply_json_patch
from playground.apiserver.resources import ADMISSION
from playground.apiserver.selectors import label_selector_matches
from playground.apiserver.webhooks import WebhookError, call_webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from playground.apiserver.calls import Call
    from playground.apiserver.jsontypes import Json
    from playground.apiserver.resources import Resource
    from playground.apiserver.store import Store

    Service: TypeAlias = Callable[[Json], Json]


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What a hook is asked. `object` is None at DELETE, `old_object` at CREATE."""

    operation: str
    resource: str
    namespace: str
    name: str
    object: Json | None
    old_object: Json | None
    user: str
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Denial:
    """What a hook answers to refuse."""

    message: str
    code: int = 400
    webhook: str = "hook.playground"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be admitted, with the call that brings it."""

    call: Call
    operation: str
    object: Json | None
    old: Json | None

    @property
    def labels(self) -> list[Json]:
        """The label sets that an objectSelector is asked about."""
        return [obj["metadata"].get("labels") or {} for obj in (self.object, self.old) if obj]


def denied(webhook: str, message: str, code: int, reason: str = "") -> errors.ApiError:
    """Return the refusal that a webhook's answer becomes; it is never less than 400."""
    text = f'admission webhook "{webhook}" denied the request'
    text += f": {message}" if message else " without explanation"
    return errors.ApiError(max(code, 400), reason, text)


class Admission:
    """Asks everybody who has a say, mutating ones first. Never called with the store locked."""

    def __init__(self, store: Store) -> None:
        """Read webhook configurations from `store`."""
        self._store = store
        self._hooks: list[tuple[Callable[[AdmissionRequest], Denial | None], frozenset[str]]] = []
        self.services: dict[tuple[str, str], Service] = {}  # (namespace, name) → AdmissionReview → AdmissionReview

    def add_hook(self, hook: Callable[[AdmissionRequest], Denial | None], resources: Collection[str]) -> None:
        """Ask `hook` about writes of `resources` (all, if empty)."""
        self._hooks.append((hook, frozenset(resources)))

    def remove_hook(self, hook: Callable[[AdmissionRequest], Denial | None]) -> None:
        """Ask `hook` no more."""
        self._hooks = [pair for pair in self._hooks if pair[0] is not hook]

    def mutate(self, subject: Subject) -> Json | None:
        """Return the object as the mutating webhooks want it. Raises ApiError if one refuses."""
        if subject.call.is_trusted:
            return subject.object
        for webhook in self._webhooks("mutatingwebhookconfigurations", subject):
            response = self._ask(webhook, subject)
            if response and response.get("patch") and subject.object is not None:
                patch = json.loads(base64.b64decode(response["patch"]))
                subject = replace(subject, object=apply_json_patch(subject.object, patch))
        return subject.object

    def validate(self, subject: Subject) -> None:
        """Raise ApiError if a hook or a validating webhook refuses."""
        if subject.call.is_trusted:
            return
        call = subject.call
        for hook, resources in self._hooks:
            if not resources or call.resource.key in resources:
                verdict = hook(_question(subject))
                if verdict is not None:
                    raise denied(verdict.webhook, verdict.message, verdict.code)
        for webhook in self._webhooks("validatingwebhookconfigurations", subject):
            self._ask(webhook, subject)

    def _webhooks(self, kind: str, subject: Subject) -> Iterator[Json]:
        if subject.call.resource.group == ADMISSION:
            return  # nobody guards the guards: the real server does not call webhooks for these kinds either
        for entry in self._store.entries(f"{kind}.{ADMISSION}")[0]:
            for webhook in entry.object.get("webhooks") or ():
                if self._concerns(webhook, subject):
                    yield webhook

    def _concerns(self, webhook: Json, subject: Subject) -> bool:
        call = subject.call
        if not any(_rule_matches(rule, subject) for rule in webhook.get("rules") or ()):
            return False
        selector = webhook.get("objectSelector") or {}
        if not any(label_selector_matches(selector, labels) for labels in subject.labels):
            return False
        if not call.resource.namespaced and call.resource.key != "namespaces":
            return True
        namespace = self._store.get("namespaces", call.target.namespace)
        labels = (namespace.object["metadata"].get("labels") or {}) if namespace else {}
        return label_selector_matches(webhook.get("namespaceSelector") or {}, labels)

    def _ask(self, webhook: Json, subject: Subject) -> Json | None:
        """Return a webhook's answer; None if it cannot be reached and may be ignored. Raises ApiError if it refuses."""
        name = webhook["name"]
        if subject.call.is_dry_run and webhook.get("sideEffects") not in {"None", "NoneOnDryRun"}:
            raise errors.bad_request(f'admission webhook "{name}" does not support dry run')
        try:
            response = self._send(webhook, _review(subject))["response"]
        except WebhookError as error:
            if webhook.get("failurePolicy", "Fail") == "Ignore":
                return None
            text = f'failed calling webhook "{name}": failed to call webhook: {error}'
            raise errors.internal(text) from error
        subject.call.warnings += response.get("warnings") or ()
        if response.get("allowed"):
            return dict(response)
        status = response.get("status") or {}
        message, reason = status.get("message", ""), status.get("reason", "")
        raise denied(name, message or reason, status.get("code", 0), reason)

    def _send(self, webhook: Json, review: Json) -> Json:
        config = webhook["clientConfig"]
        if "url" in config:
            return call_webhook(config, review, webhook.get("timeoutSeconds", 10))
        service = config["service"]
        handler = self.services.get((service["namespace"], service["name"]))
        if handler is None:
            raise WebhookError(f'service "{service["name"]}" not found')
        return handler(review)


def _rule_matches(rule: Json, subject: Subject) -> bool:
    call = subject.call
    resource = call.target.full_resource
    resources = rule.get("resources") or ()
    is_resource = bool({"*/*", resource}.intersection(resources)) or ("*" in resources and "/" not in resource)
    return (
        is_resource
        and bool({"*", subject.operation}.intersection(rule.get("operations") or ()))
        and bool({"*", call.resource.group}.intersection(rule.get("apiGroups") or ()))
        and bool({"*", call.resource.version}.intersection(rule.get("apiVersions") or ()))
        and rule.get("scope", "*") in {"*", "Namespaced" if call.resource.namespaced else "Cluster"}
    )


def _question(subject: Subject) -> AdmissionRequest:
    call = subject.call
    return AdmissionRequest(
        operation=subject.operation,
        resource=call.resource.key,
        namespace=call.target.namespace,
        name=call.target.name,
        object=clone(subject.object),
        old_object=clone(subject.old),
        user=call.user.name,
        dry_run=call.is_dry_run,
    )


def _review(subject: Subject) -> Json:
    call = subject.call
    resource: Resource = call.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    named = {"group": resource.group, "version": resource.version, "resource": resource.plural}
    request: dict[str, Any] = {"uid": str(uuid.uuid4()), "kind": kind, "resource": named}
    request |= {"requestKind": kind, "requestResource": named, "operation": subject.operation}
    request |= {"name": call.target.name, "namespace": call.target.namespace, "dryRun": call.is_dry_run}
    request["userInfo"] = {"username": call.user.name, "groups": list(call.user.groups)}
    request |= {"object": subject.object, "oldObject": subject.old}
    if call.target.subresource:
        request["subResource"] = request["requestSubResource"] = call.target.subresource
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
