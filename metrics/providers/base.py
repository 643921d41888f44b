"""What every provider is: it measures places of one cluster, over the network, outside any transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from metrics.types import Measurement, Place


class Provider(Protocol):
    """Measures. What cannot be read of a single place or proxy is a problem of the Measurement, not an error."""

    def measure(self, places: Sequence[Place], *, step: int) -> Measurement:
        """Golden signals of `places`, which are measured every `step` seconds.

        Raises ClusterError or RefusedError where nothing can be read at all.
        """
