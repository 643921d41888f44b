"""What pages say of checks: `{% load checks %}`. Findings may be values or the JSON that a plan keeps of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import template

from traffic.checks import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from traffic.checks.base import Check

register = template.Library()
BY_ID: Final = {check.id: check for check in CHECKS}


@register.filter
def check_of(finding_id: str) -> Check | None:
    """The check with this id; None: an old plan names one that is gone."""
    return BY_ID.get(finding_id)


@register.filter
def quiet_checks(findings: Iterable[Any]) -> list[Check]:
    """The checks that said nothing, in the order of their ids."""
    spoken = {finding["id"] if isinstance(finding, dict) else finding.id for finding in findings}
    return [BY_ID[check_id] for check_id in sorted(BY_ID.keys() - spoken)]
