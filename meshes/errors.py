"""What the verbs of the inventory answer when they will not do what was asked."""

from __future__ import annotations

from typing import ClassVar

from meshui.lib.errors import RefusedError


class TooSoonError(RefusedError):
    """It was asked for a moment ago."""

    status: ClassVar[int] = 429
    retryable: ClassVar[bool] = True
