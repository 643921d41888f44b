"""Who writes an object, from its metadata as the server gave it (change-control §5.7). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from traffic.checks.facts import Owner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from traffic.checks.facts import OwnerClass

CONTROLLERS = {"Canary": "Flagger", "Rollout": "Argo Rollouts"}
DRIVEN = {
    "argo-rollouts.argoproj.io/managed-by-rollouts": "Argo Rollouts",
    "rollouts.argoproj.io/gatewayapi-canary": "Argo Rollouts",
}
"""Marks that Argo Rollouts leaves on what it drives: it writes no ownerReference."""
GITOPS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "meta.helm.sh/release-name": "Helm",
}
HINTS = {
    "flagger": "Flagger",
    "rollouts-controller": "Argo Rollouts",
    "argocd": "Argo CD",
    "kustomize-controller": "Flux",
    "helm-controller": "Flux",
    "helm": "Helm",
}
"""Beginnings of names in managedFields. First come, first served."""
POD_HASH = "rollouts-pod-template-hash"


def owner_of(body: Mapping[str, Any], *, field_manager: str) -> tuple[OwnerClass, str]:
    """The class of change-control §5.7 and a name for people.

    Names in managedFields are self-declared: a hint, never a proof.
    """
    metadata = body.get("metadata") or {}
    for owner in metadata.get("ownerReferences") or []:
        if owner.get("kind") in CONTROLLERS:
            return "controller", f"{owner['kind']} {owner.get('name', '')}".strip()
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    for key, tool in DRIVEN.items():
        if key in marks:
            return "controller", f"{tool} ({marks[key]})"
    for key, tool in GITOPS.items():
        if key in marks:
            return "gitops", tool
    if marks.get("app.kubernetes.io/managed-by") == "Helm":
        return "gitops", "Helm"
    return _claimed(body, field_manager)


def owner_in_words(body: Mapping[str, Any], words: str, *, field_manager: str) -> Owner:
    """Who writes the object called `words`, with the tool that managedFields hint at."""
    owner_class, name = owner_of(body, field_manager=field_manager)
    return Owner(words, owner_class, name, hint_of(body))


def hint_of(body: Mapping[str, Any]) -> str:
    """The tool whose name stands in managedFields; empty: none that is known."""
    for manager in reversed(managers_of(body)):
        for start, tool in HINTS.items():
            if manager == start or manager.startswith(f"{start}-"):
                return tool
    return ""


def managers_of(body: Mapping[str, Any]) -> list[str]:
    """Names in managedFields, the one that wrote last comes last; each once."""
    entries = (body.get("metadata") or {}).get("managedFields") or []
    ordered = sorted((e for e in entries if not e.get("subresource")), key=lambda e: e.get("time") or "")
    names = [str(entry.get("manager") or "") for entry in ordered]
    return [name for index, name in enumerate(names) if name and name not in names[index + 1 :]]


def _claimed(body: Mapping[str, Any], field_manager: str) -> tuple[OwnerClass, str]:
    managers = managers_of(body)
    if managers and managers[-1] == field_manager:
        return "ours", field_manager
    if any(manager.startswith("kubectl") for manager in managers):
        return "human", managers[-1]
    return "unknown", managers[-1] if managers else ""
