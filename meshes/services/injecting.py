"""Which mesh takes the new pods of a namespace, where several adapters have a word to say. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from meshes.adapters.base import Problem
from meshes.adapters.registry import all_adapters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from meshes.adapters.base import Injection, MeshAdapter
    from meshes.services.stock import Stock

NONE = "none"


def ordered(stock: Stock) -> list[MeshAdapter]:
    """Adapters whose mesh was found first, else in the order of settings."""
    return sorted(all_adapters(), key=lambda adapter: not _is_there(stock, adapter))


def injected(stock: Stock, namespace: str) -> tuple[Injection | None, str]:
    """What decides for a namespace, and the kind of the mesh that takes its pods (empty: none does).

    The first adapter that injects wins. A label without a control plane that obeys it injects nothing.
    """
    said = [
        (adapter, found)
        for adapter in ordered(stock)
        if (found := stock.injections.get(adapter.kind, {}).get(namespace)) is not None
    ]
    taking = [(adapter, found) for adapter, found in said if found.state != NONE]
    if not taking:
        return (said[0][1] if said else None), ""
    adapter, found = taking[0]
    if stock.detected is not None and not _is_there(stock, adapter):
        return replace(found, state=NONE, reason=f"{found.reason}, but {adapter.label} is not installed"), ""
    return found, adapter.kind


def conflicts(stock: Stock) -> Iterator[Problem]:
    """Namespaces whose new pods two meshes take."""
    spaces = stock.namespaces
    there = [adapter for adapter in ordered(stock) if _is_there(stock, adapter)]
    for held in spaces.held.values() if spaces and len(there) > 1 else ():
        name = held.head.name
        taking = [
            (adapter, found)
            for adapter in there
            if (found := stock.injections.get(adapter.kind, {}).get(name)) is not None and found.state != NONE
        ]
        if len(taking) > 1:
            who = " and ".join(f"{adapter.label} ({found.reason})" for adapter, found in taking)
            text = f"{who} both take its new pods; {taking[0][0].label} is shown. Remove one of the labels."
            yield Problem(f"Namespace {name}", text)


def _is_there(stock: Stock, adapter: MeshAdapter) -> bool:
    detected = (stock.detected or {}).get(adapter.kind)
    return bool(detected and detected.meshes)
