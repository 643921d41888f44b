"""Who else writes an object: a controller or a GitOps tool would put its own version back (§12 trap 22)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from meshes.types import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

OwnerClass = Literal["controller", "gitops", "ours", "human", "unknown"]
CONTROLLERS = {"Canary", "Rollout"}
GITOPS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}


def owner_of(body: dict[str, Any], *, field_manager: str) -> tuple[OwnerClass, str]:
    """The class of change-control §5.7 and a name for people, from metadata as the server gave it.

    Names in managedFields are self-declared: a hint, never a proof.
    """
    metadata = body.get("metadata") or {}
    for owner in metadata.get("ownerReferences") or []:
        if owner.get("kind") in CONTROLLERS:
            return "controller", f"{owner['kind']} {owner.get('name', '')}".strip()
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    for key, tool in GITOPS.items():
        if key in marks:
            return "gitops", tool
    if marks.get("app.kubernetes.io/managed-by") == "Helm":
        return "gitops", "Helm"
    managers = managers_of(body)
    if managers and managers[-1] == field_manager:
        return "ours", field_manager
    if any(manager.startswith("kubectl") for manager in managers):
        return "human", managers[-1]
    return "unknown", managers[-1] if managers else ""


def managers_of(body: dict[str, Any]) -> list[str]:
    """Names in managedFields, the one that wrote last comes last; each once."""
    entries = (body.get("metadata") or {}).get("managedFields") or []
    ordered = sorted((e for e in entries if not e.get("subresource")), key=lambda e: e.get("time") or "")
    names = [str(entry.get("manager") or "") for entry in ordered]
    return [name for index, name in enumerate(names) if name and name not in names[index + 1 :]]


def check_owner(owner: OwnerClass, name: str, *, target: str) -> Iterator[Finding]:
    """TRF020: nobody else drives these weights; our write would be put back, or fight."""
    if owner in {"controller", "gitops"}:
        text = f"{name} owns this object in {target} and would put its own weights back. Change it there."
        yield Finding("TRF020", "block", "metadata", text, (target,))
