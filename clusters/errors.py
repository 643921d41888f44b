"""What the verbs of clusters answer when they will not do what was asked."""

from __future__ import annotations

from typing import ClassVar

from meshui.lib.errors import RefusedError


class TooOftenError(RefusedError):
    """It was asked for too often; it may be asked again after `retry_after` seconds."""

    status: ClassVar[int] = 429
    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, mend=f"Try again in {retry_after} s.")
        self.retry_after = retry_after
