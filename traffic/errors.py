"""What the verbs of a change answer when they refuse."""

from __future__ import annotations

from meshui.lib.errors import DeniedError, GoneError, InvalidError, MissingError, RefusedError, StaleError

__all__ = [
    "ChangeGoneError",
    "ChangeMissingError",
    "DeniedError",
    "InvalidChangeError",
    "KeyReusedError",
    "LeaseLostError",
    "RefusedError",
    "StaleChangeError",
    "StalePlanError",
]


class ChangeMissingError(MissingError):
    """No such change, or not one this actor may know of."""

    def __init__(self) -> None:
        super().__init__("There is no such change request.")


class InvalidChangeError(InvalidError):
    """The proposal cannot stand as it is."""


class KeyReusedError(InvalidError):
    """Another request was sent under this key."""

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was sent with another request.", mend="Take a new key for each new request."
        )


class StaleChangeError(StaleError):
    """The change moved since it was read."""

    def __init__(self, *, seen: int, current: int) -> None:
        super().__init__(
            f"This change request moved on since you opened it (version {seen}, now {current}).",
            mend="Read it again below, then decide.",
        )


class StalePlanError(StaleError):
    """Another plan is in force than the one that was read."""

    def __init__(self, *, seen: str, current: str) -> None:
        super().__init__(
            f"The plan you read ({seen[:7] or 'none'}) is no longer the one in force ({current[:7] or 'none'}).",
            mend="Read the new plan below, then decide.",
        )


class ChangeGoneError(GoneError):
    """The change is no longer in a state in which this can be done."""


class LeaseLostError(GoneError):
    """Another runner holds the target: this one stops and touches nothing."""

    def __init__(self) -> None:
        super().__init__("Another runner holds this target now.")
