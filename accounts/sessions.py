"""Who is signed in where: a row beside each session. Killing one deletes the session itself, so it is gone at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.sessions.models import Session

from accounts.models import UserSession
from accounts.selectors import source_of
from meshui.lib.clock import db_now, now
from meshui.ui.visitors import SEEN, is_unused

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.sessions.backends.base import SessionBase
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from accounts.models import User

NOTED_EVERY: Final = timedelta(seconds=60)
BEGUN: Final = "begun"
ROW: Final = "row"
BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def begin(request: HttpRequest, user: User) -> UserSession:
    """Note the session that `request` has now; its key was made anew by the sign-in."""
    session = request.session
    if not session.session_key:
        session.save()
    moment = now()
    if earlier := session.get(ROW):
        UserSession.objects.filter(pk=earlier).update(ended_at=moment, ended_why="Signed in again.", session_key=None)
    source = source_of(request)
    row = UserSession.objects.create(
        user=user,
        session_key=session.session_key,
        address=source.ip,
        browser=browser_of(source.user_agent),
        started_at=moment,
        seen_at=moment,
    )
    session[SEEN] = session[BEGUN] = moment.timestamp()
    session[ROW] = str(row.pk)
    session.save()
    return row


def is_over(session: SessionBase) -> bool:
    """Whether nobody used it for too long (SESSION_IDLE_SECONDS), or it is too old (SESSION_COOKIE_AGE)."""
    moment = now().timestamp()
    old: bool = moment - session.get(BEGUN, moment) >= settings.SESSION_COOKIE_AGE
    return old or is_unused({SEEN: session.get(SEEN, moment)})


def note(session: SessionBase) -> None:
    """Note that it is used: once a minute, in the session and beside it. One without a row is nobody's: it is ended."""
    moment = now()
    if moment.timestamp() - session.get(SEEN, 0) < NOTED_EVERY.total_seconds():
        return
    session[SEEN] = moment.timestamp()
    session.setdefault(BEGUN, moment.timestamp())
    if not UserSession.objects.filter(session_key=session.session_key).update(seen_at=moment):
        session.flush()  # its row went with a restored database, or it is of a release without rows


def lapse(session: SessionBase) -> None:
    """End one that is over by itself."""
    end(UserSession.objects.filter(session_key=session.session_key), "Nobody used it for too long.")
    session.flush()


def live() -> QuerySet[UserSession]:
    """Those that can still be used."""
    moment = now()
    return UserSession.objects.filter(
        ended_at__isnull=True,
        seen_at__gt=moment - timedelta(seconds=settings.SESSION_IDLE_SECONDS),
        started_at__gt=moment - timedelta(seconds=settings.SESSION_COOKIE_AGE),
    ).select_related("user")


def of(user: User, key: str) -> list[tuple[UserSession, bool]]:
    """Where a person is signed in, newest use first; whether each is the one with `key`. One query."""
    return [(row, row.session_key == key) for row in live().filter(user=user).order_by("-seen_at", "pk")]


def rename(old: str, new: str) -> None:
    """The session with the key `old` goes on under `new`."""
    UserSession.objects.filter(session_key=old).update(session_key=new)


def end(rows: QuerySet[UserSession], why: str) -> int:
    """End them: the sessions are deleted, the rows stay and say why. How many."""
    found = list(rows.filter(ended_at__isnull=True).values_list("pk", "session_key"))
    Session.objects.filter(pk__in=[key for _, key in found]).delete()
    return UserSession.objects.filter(pk__in=[pk for pk, _ in found]).update(
        ended_at=db_now(), ended_why=why, session_key=None
    )


def end_all_of(user_id: UUID, why: str, *, but: str = "") -> int:
    """End every session of one person but the one with the key `but`. How many."""
    rows = UserSession.objects.filter(user_id=user_id)
    return end(rows.exclude(session_key=but) if but else rows, why)


def browser_of(agent: str) -> str:
    """`Firefox on Linux`, as far as the browser says so."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "an unknown browser"
