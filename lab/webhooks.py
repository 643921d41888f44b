"""A webhook of the operator's own in a cluster, real or emulated, while a block runs: it refuses, or it changes."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from lab.client import Object
from lab.cluster import Cluster
from lab.waiting import until
from playground.webhook import Webhook, patch_of

NAME = "operator.lab.meshui.io"
_PROBE = "lab.meshui.io/probe"


class AnyCluster(Protocol):
    """A lab Cluster or an EmulatedCluster."""

    def load(self, objects: list[Object]) -> list[Object]: ...
    def delete(self, kind: str, name: str, namespace: str = "") -> None: ...


@contextmanager
def refusing(cluster: AnyCluster, *kinds: str, message: str = "not today") -> Iterator[Webhook]:
    """Refuse every create, update and delete of `kinds` ("virtualservices.networking.istio.io") with `message`."""
    verdict = {"allowed": False, "status": {"message": message}}
    webhook = Webhook(lambda request: _allowed(request) or verdict)
    with webhook, _installed(cluster, "ValidatingWebhookConfiguration", webhook, kinds):
        yield webhook


@contextmanager
def mutating(cluster: AnyCluster, *kinds: str, patch: list[dict[str, Any]]) -> Iterator[Webhook]:
    """Change every object of `kinds` that is created or updated by a JSON Patch."""
    webhook = Webhook(lambda request: _allowed(request) or patch_of(*patch))
    with webhook, _installed(cluster, "MutatingWebhookConfiguration", webhook, kinds):
        yield webhook


def _allowed(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to our own probe; empty for all else."""
    return {"allowed": True} if request["kind"]["kind"] == "ConfigMap" else {}


@contextmanager
def _installed(cluster: AnyCluster, kind: str, webhook: Webhook, kinds: tuple[str, ...]) -> Iterator[None]:
    name = f"lab-{secrets.token_hex(4)}"
    operations = ["CREATE", "UPDATE"] + (["DELETE"] if kind.startswith("Validating") else [])
    rules = [_rule(each, operations) for each in kinds]
    probe = {"objectSelector": {"matchLabels": {_PROBE: name}}, "rules": [_rule("configmaps.", ["CREATE"])]}
    hooks = [_hook(NAME, webhook, {"rules": rules}), _hook(f"probe.{NAME}", webhook, probe)]
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}}
    cluster.load([{**head, "webhooks": hooks}])
    try:
        _wait_until_asked(cluster, webhook, name)
        yield
    finally:
        cluster.delete(kind, name)


def _rule(kind: str, operations: list[str]) -> Object:
    plural, _, group = kind.partition(".")
    return {"operations": operations, "apiGroups": [group], "apiVersions": ["*"], "resources": [plural]}


def _hook(name: str, webhook: Webhook, more: Object) -> Object:
    shared = {"sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail"}
    return {"name": name, "clientConfig": webhook.client_config, **shared, **more}


def _wait_until_asked(cluster: AnyCluster, webhook: Webhook, name: str) -> None:
    """A real API server takes a moment to know a new configuration: dry-run a ConfigMap until we hear of it."""
    if not isinstance(cluster, Cluster):
        return
    probe = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {_PROBE: name}}}

    def is_asked() -> bool:
        cluster.request("POST", "/api/v1/namespaces/default/configmaps", body=probe, query={"dryRun": "All"})
        return bool(webhook.reviews)

    until(is_asked, seconds=30, what="the API server to ask the webhook")
    webhook.reviews.clear()
