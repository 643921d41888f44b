"""What people write into a change: everybody who sees the change reads it, and history keeps it for good."""

from __future__ import annotations

from meshui.lib.logs import holds_secret
from traffic.errors import InvalidChangeError


def require_no_secret(**words: str) -> None:
    """Refuse what looks like a token or a key: InvalidChangeError names where it stands (name of the word → text)."""
    found = [name for name, text in words.items() if holds_secret(text)]
    if found:
        raise InvalidChangeError(
            f"What looks like a secret stands in the {' and the '.join(found)}. Nothing of it was kept.",
            mend="Take the token or key out. If it was a real one that somebody else could have seen, replace it.",
        )
