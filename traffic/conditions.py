"""What a request must say before a verb listens: the ETag that was read (change-control §4.6). No rows here."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from rest_framework.exceptions import ParseError

from meshui.lib.errors import PreconditionRequiredError, StaleError
from meshui.rest.reading import BadQueryError
from traffic.errors import StalePlanError
from traffic.types import Once, Seen

if TYPE_CHECKING:
    from rest_framework.request import Request

OURS: Final = re.compile(r'"(?P<version>[1-9]\d{0,9})-(?P<digest>[0-9a-f]{0,64})"')
SYNTAX: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
KEY: Final = re.compile(r"[!-~]{1,200}")
AGAIN: Final = "Read the change again and send its ETag as If-Match."


def seen_by(request: Request, now: Seen) -> Seen:
    """What the reader saw of the change that stands as `now`; the verb compares, under its lock.

    Raises PreconditionRequiredError without If-Match, StaleError for what was never an ETag of a change, ParseError for
    what is no entity tag.
    """
    given = request.headers.get("If-Match", "").strip()
    if not given or given == "*":
        raise PreconditionRequiredError("The request did not say which version of the change it is about.", mend=AGAIN)
    parts = [part.strip() for part in given.split(",")]
    if not all(SYNTAX.fullmatch(part) for part in parts):
        raise ParseError('If-Match holds one ETag, in quotes: "7-9f31c2e…".')
    found = [Seen(now.change_id, int(tag["version"]), tag["digest"]) for tag in map(OURS.fullmatch, parts) if tag]
    if not found:
        raise StaleError("This change never had that ETag.", mend=AGAIN)
    return now if now in found else found[0]


def require_plan(seen: Seen, now: Seen) -> None:
    """For verbs that compare the version alone: raise StalePlanError for an ETag of it with another plan.

    An older version is left to the verb, which records what it refuses.
    """
    if seen.version >= now.version and seen.digest != now.digest:
        raise StalePlanError(seen=seen.digest, current=now.digest)


def once_of(request: Request, data: dict[str, Any]) -> Once | None:
    """The Idempotency-Key with a hash of what was asked under it; None without one. Raises BadQueryError."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return None
    if not KEY.fullmatch(key):
        raise BadQueryError({"Idempotency-Key": ["Write 1 to 200 visible characters of ASCII."]})
    asked = json.dumps([request.path, request.headers.get("If-Match", ""), data], sort_keys=True, default=str)
    return Once(key, hashlib.sha256(asked.encode()).hexdigest())
