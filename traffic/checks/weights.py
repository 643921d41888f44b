"""The checks of weights alone, for a route that has no target yet: what a form asks of every proposal."""

from traffic.checks.weights_range import of_route as check_range
from traffic.checks.weights_sum import of_route as check_sum
from traffic.checks.weights_zero import of_route as check_not_all_zero

__all__ = ["check_not_all_zero", "check_range", "check_sum"]
