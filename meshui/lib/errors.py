"""What a verb answers when it will not do what was asked."""

from __future__ import annotations

from typing import ClassVar


class RefusedError(Exception):
    """A request that was understood and refused; nothing was changed.

    `message` says what and where, `mend` how to go on; both are fit for the user. `status` is the HTTP answer,
    `retryable` whether the same request may succeed later; `more` is what the API says besides.
    """

    status: ClassVar[int] = 400
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.more: dict[str, object] = {}

    def __str__(self) -> str:
        return f"{self.message} {self.mend}".strip()


class InvalidError(RefusedError):
    """The input is not acceptable as it stands."""

    status = 422


class DeniedError(RefusedError):
    """The actor may not do this."""

    status = 403


class MissingError(RefusedError):
    """There is no such object, or the actor may not know of it."""

    status = 404


class GoneError(RefusedError):
    """The object is no longer in a state in which this can be done."""

    status = 409


class StaleError(RefusedError):
    """The object moved since it was read; read it again."""

    status = 412


class PreconditionRequiredError(RefusedError):
    """The request must say which version it means."""

    status = 428


class UnavailableError(RefusedError):
    """Something this needs is down; nothing was changed."""

    status = 503
    retryable = True
