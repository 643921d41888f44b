"""Who holds a stream of live data, and what they may see: read for all streams of the process at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.core.exceptions import ValidationError
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string

from meshui.lib import clock, rights

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from uuid import UUID

    from meshui.lib.bus import Subject
    from meshui.lib.rights import Place, Reach

VERB: Final = "inventory.read"
"""What every stream needs: each tells that something moved which a page with this verb shows."""
ONE: Final = re.compile(r"([a-z]+)-([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)")
MOST_TOPICS: Final = 64


class Topic(NamedTuple):
    """`changes` (all that the reader sees: no key), `change-12`, `clusters`, `cluster-eu-west`."""

    text: str
    kind: str
    key: str = ""


class Asked(NamedTuple):
    """A topic as its address names it."""

    text: str
    kind: str
    name: str


SEEN: Final = "seen"
"""In a session: when a person last used it, in seconds. What a page fetches by itself is no use."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in, and where they may read; None: nowhere."""

    user_id: UUID
    reach: Reach | None

    def sees(self, places: Iterable[Place]) -> bool:
        """Whether all of that is theirs to read."""
        return self.reach is not None and self.reach.holds(places)


def parse_topics(text: str) -> tuple[Asked, ...] | None:
    """`changes,change-12`; None: not of this grammar."""
    words = text.split(",")
    found = [_asked(word) for word in dict.fromkeys(words)]
    whole = tuple(asked for asked in found if asked is not None)
    return whole if len(whole) == len(words) <= MOST_TOPICS else None


def _asked(word: str) -> Asked | None:
    if word.endswith("s") and word[:-1] in settings.LIVE_SUBJECTS:
        return Asked(word, word[:-1], "")
    match = ONE.fullmatch(word)
    return Asked(word, match[1], match[2]) if match and match[1] in settings.LIVE_SUBJECTS else None


def read_visitors(sessions: Collection[str]) -> dict[str, Visitor]:
    """Session key → who is signed in by it, for those sessions that are good now. Three queries, however many."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    rows = store.get_model_class().objects.filter(session_key__in=sessions, expire_date__gt=clock.now())
    data = {row.session_key: store().decode(row.session_data) for row in rows}
    users = _users(data.values())
    signed_in = {key: user for key, found in data.items() if (user := _user(found, users)) is not None}
    reaches = rights.evaluator().reaches({user.pk for user in signed_in.values()}, VERB)
    return {key: Visitor(user.pk, reaches.get(user.pk)) for key, user in signed_in.items()}


def _users(sessions: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The active accounts that the sessions name, by id as text."""
    model, ids = get_user_model(), set()
    for data in sessions:
        try:
            ids.add(model._meta.pk.to_python(data.get(SESSION_KEY)))  # noqa: SLF001 - Django's public way to the fields
        except ValidationError:
            continue
    return {str(user.pk): user for user in model.objects.filter(pk__in=ids - {None}, is_active=True)}


def _user(data: Mapping[str, Any], users: Mapping[str, Any]) -> Any:
    """The account of one session, if it was begun by a backend in force and with the password of today."""
    user = users.get(str(data.get(SESSION_KEY)))
    if user is None or is_unused(data) or data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    return user if constant_time_compare(data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()) else None


def is_unused(data: Mapping[str, Any]) -> bool:
    """Whether nobody used the session with this data for too long."""
    moment = clock.now().timestamp()
    return bool(moment - data.get(SEEN, moment) >= settings.SESSION_IDLE_SECONDS)


def find_subjects(kind: str, *, names: Collection[str] = (), keys: Collection[str] = ()) -> list[Subject]:
    """The subjects of one kind by the names of their URLs, or by id. One query."""
    found: list[Subject] = import_string(settings.LIVE_SUBJECTS[kind])(names=names, keys=keys)
    return found


def read_subjects(asked: Iterable[Asked]) -> dict[str, Subject]:
    """Text of a topic → its subject, where there is one. A query a kind."""
    names: dict[str, dict[str, str]] = {}
    for topic in asked:
        if topic.name:
            names.setdefault(topic.kind, {})[topic.name] = topic.text
    return {
        texts[subject.name]: subject for kind, texts in names.items() for subject in find_subjects(kind, names=[*texts])
    }


def allowed(visitor: Visitor, asked: Iterable[Asked], subjects: Mapping[str, Subject]) -> tuple[Topic, ...]:
    """The topics that `visitor` may hear. What is not there and what they may not see are left out alike."""
    if visitor.reach is None:
        return ()
    found = []
    for topic in asked:
        subject = subjects.get(topic.text)
        if not topic.name:
            found.append(Topic(topic.text, topic.kind))
        elif subject is not None and visitor.sees(subject.places):
            found.append(Topic(topic.text, topic.kind, subject.key))
    return tuple(found)
