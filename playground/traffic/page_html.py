"""The demo's own page as HTML. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMITS = {"latency_ms": 10_000.0, "error_percent": 100.0}
WORDS = {"latency_ms": ("Latency", "ms"), "error_percent": ("Errors", "%")}
BAD_PERCENT = 5
NOTHING = "\u2013"
HEADS = (
    "<tr><th>Version</th><th>Share</th>"
    '<th class="n">Answers/s</th><th class="n">Failed</th><th class="n">Since the start</th>'
    "<th>How it behaves: answers after, fails</th></tr>"
)


def page_html(state: Mapping[str, Mapping[str, Any]], missing: str) -> str:
    """The whole page; `state` as DemoPage gives it, `missing` says why there is no traffic."""
    tables = "".join(_table(cluster, found) for cluster, found in state.items())
    why = f"<p>No traffic: {escape(missing)}.</p>" if missing else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MeshUI demo: traffic</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="style.css">
<script src="page.js" defer></script></head>
<body><h1>Traffic of the demo</h1>
<p>What each version does, and what its callers got. This page belongs to the demo, not to MeshUI.</p>
<p id="note">Sums since the start, as the callers counted them.</p>
<form method="post" action="reset"><p><button>Reset demo</button>
All as it was at the start, in about half a minute. Sign in again then, with the same passwords.</p></form>
{why}{tables}</body></html>
"""


def _table(cluster: str, found: Mapping[str, Any]) -> str:
    apps = [state["app"] for state in found.values()]
    firsts = [app not in apps[:number] for number, app in enumerate(apps)]
    rows = "".join(
        _row(cluster, name, state, is_first=first) for (name, state), first in zip(found.items(), firsts, strict=True)
    )
    return f'<h2>{escape(cluster)}</h2><div class="w"><table>{HEADS}{rows}</table></div>'


def _row(cluster: str, name: str, state: Mapping[str, Any], *, is_first: bool) -> str:
    total = sum(state["answers"].values())
    failed = sum(number for status, number in state["answers"].items() if not status.startswith("2"))
    share = f"{100 * failed / total:.0f} %" if total else NOTHING
    hidden = "".join(
        f'<input type="hidden" name="{key}" value="{escape(value)}">'
        for key, value in (("cluster", cluster), ("workload", name))
    )
    fields = "".join(_field(key, name, state[key]) for key in LIMITS)
    form = f'<form method="post" action="profile">{hidden}{fields}<button>Set</button> {_fail(name)}</form>'
    marks = f'data-cluster="{escape(cluster)}" data-workload="{escape(name)}" data-app="{escape(state["app"])}"'
    return (
        f"<tr {marks}{' class=first' if is_first else ''}><td>{escape(name)}</td>"
        f'<td class="s"><meter data-meter aria-label="Share of {escape(name)}"></meter>'
        f" <span data-share>{NOTHING}</span></td>"
        f'<td class="n" data-rate>{NOTHING}</td><td class="n" data-failed>{share}</td>'
        f'<td class="n" data-total>{total}</td>'
        f"<td>{form}</td></tr>"
    )


def _fail(name: str) -> str:
    """One click instead of three: that version fails a little from now on."""
    label = f'aria-label="Let {escape(name)} fail {BAD_PERCENT} %"'
    return f'<button name="error_percent" value="{BAD_PERCENT}" {label}>Fail {BAD_PERCENT} %</button>'


def _field(key: str, name: str, value: float) -> str:
    word, unit = WORDS[key]
    label = f'aria-label="{word} of {escape(name)}"'
    return (
        f'<input type="number" name="{key}" min="0" max="{LIMITS[key]:g}" step="any" value="{value:g}" {label}> {unit} '
    )
