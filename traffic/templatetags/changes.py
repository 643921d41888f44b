"""What pages say of changes: `{% load changes %}`."""

from __future__ import annotations

from typing import Any

from django import template

from traffic.views import waits

register = template.Library()


@register.filter
def why_me(change: Any) -> waits.Why:
    """Why this row of the inbox waits for its reader."""
    return waits.why_me(change)


@register.filter
def waits_for(change: Any) -> str:
    """Whom or what it waits for; empty: it is over."""
    return waits.waits_for(change)


@register.filter
def needs_no_vote(change: Any) -> bool:
    """Whether it restores, without anybody's approval."""
    return waits.needs_no_vote(change)
