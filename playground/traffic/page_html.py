"""The demo's own page as HTML. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMITS = {"latency_ms": 10_000.0, "error_percent": 100.0}
WORDS = {"latency_ms": ("Latency", "ms"), "error_percent": ("Errors", "%")}


def page_html(state: Mapping[str, Mapping[str, Any]], missing: str) -> str:
    """The whole page; `state` as DemoPage gives it, `missing` says why there is no traffic."""
    tables = "".join(_table(cluster, found) for cluster, found in state.items())
    why = f"<p>No traffic: {escape(missing)}.</p>" if missing else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MeshUI demo: traffic</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="style.css"></head>
<body><h1>Traffic of the demo</h1>
<p>What each version does, and what its callers got. This page belongs to the demo, not to MeshUI.</p>
<form method="post" action="reset"><p><button>Reset demo</button>
All as it was at the start, in about half a minute. Sign in again then, with the same passwords.</p></form>
{why}{tables}</body></html>
"""


def _table(cluster: str, found: Mapping[str, Any]) -> str:
    rows = "".join(_row(cluster, name, state) for name, state in found.items())
    head = '<tr><th>Version</th><th class="n">Answers</th><th class="n">Failed</th><th>Latency and errors</th></tr>'
    return f"<h2>{escape(cluster)}</h2><table>{head}{rows}</table>"


def _row(cluster: str, name: str, state: Mapping[str, Any]) -> str:
    total = sum(state["answers"].values())
    failed = sum(number for status, number in state["answers"].items() if not status.startswith("2"))
    share = f"{100 * failed / total:.1f} %" if total else ""
    hidden = "".join(
        f'<input type="hidden" name="{key}" value="{escape(value)}">'
        for key, value in (("cluster", cluster), ("workload", name))
    )
    fields = "".join(_field(key, name, state[key]) for key in LIMITS)
    form = f'<form method="post" action="profile">{hidden}{fields}<button>Set</button></form>'
    return f'<tr><td>{escape(name)}</td><td class="n">{total}</td><td class="n">{share}</td><td>{form}</td></tr>'


def _field(key: str, name: str, value: float) -> str:
    word, unit = WORDS[key]
    label = f'aria-label="{word} of {escape(name)}"'
    return (
        f'<input type="number" name="{key}" min="0" max="{LIMITS[key]:g}" step="any" value="{value:g}" {label}> {unit} '
    )
