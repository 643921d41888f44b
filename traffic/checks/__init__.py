"""Checks of a proposal, each with an id that is never reused. Pure: facts in, findings out.

Ids by ten: 001 weights, 010 what is asked, 020 who else is there, 030 what cannot be held, 040 backends, 050 meshes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic.checks import (
    altered_since,
    catch_all,
    dropped_match,
    duplicate_hosts,
    end_of_split,
    first_requests,
    grpc_over_http,
    losses,
    missing_backend,
    observe_only,
    open_changes,
    owner,
    ready_backends,
    removed,
    rounding,
    same_shape,
    scope,
    secret_match,
    service_profile,
    single_destination,
    something_moves,
    step_size,
    undefined_subset,
    unreachable,
    way_back,
    waypoint,
    weights_range,
    weights_sum,
    weights_zero,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from meshes.types import Finding
    from traffic.checks.base import Check
    from traffic.checks.facts import Facts

CHECKS: tuple[Check, ...] = (
    weights_sum.CHECK,
    weights_zero.CHECK,
    weights_range.CHECK,
    single_destination.CHECK,
    rounding.CHECK,
    same_shape.CHECK,
    something_moves.CHECK,
    first_requests.CHECK,
    removed.CHECK,
    step_size.CHECK,
    catch_all.CHECK,
    dropped_match.CHECK,
    unreachable.CHECK,
    secret_match.CHECK,
    owner.CHECK,
    observe_only.CHECK,
    open_changes.CHECK,
    end_of_split.CHECK,
    losses.CHECK,
    way_back.CHECK,
    altered_since.CHECK,
    missing_backend.CHECK,
    ready_backends.CHECK,
    undefined_subset.CHECK,
    duplicate_hosts.CHECK,
    service_profile.CHECK,
    grpc_over_http.CHECK,
    scope.CHECK,
    waypoint.CHECK,
)


def run_checks(facts: Facts) -> tuple[Finding, ...]:
    """What all checks say of one target: what blocks first, then by id."""
    return in_order(finding for check in CHECKS for finding in check.run(facts))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What blocks first, then by id; else as found."""
    return tuple(sorted(findings, key=lambda finding: (finding.severity != "block", finding.id)))
