"""Who and what a row needs in the database, made by the product's own verbs. To be imported once Django is set up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.test import Client

from accounts.selectors import actor_for
from accounts.services import create_user, grant_role
from audit.types import SYSTEM
from clusters.kubeconfig import parse_kubeconfig
from clusters.services import NewCluster, add_cluster

if TYPE_CHECKING:
    from accounts.models import User
    from clusters.models import Cluster

A_PERSON: Final = 10
"""Sessions; a person may have no more than a dozen streams."""
BACKEND: Final = "allauth.account.auth_backends.AuthenticationBackend"


def person(name: str, *roles: str, scope: dict[str, list[str]] | None = None) -> User:
    """A user with these roles within `scope`, without one everywhere."""
    user = create_user(actor=SYSTEM, username=name, display_name=name.title())
    for role in roles:
        grant_role(actor=SYSTEM, user_id=user.pk, role=role, scope=scope)
    return user


def browser(user: User) -> Client:
    """Who is signed in and asks for pages: all of MeshUI answers but its sockets."""
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user, backend=BACKEND)
    return client


def seconds_of_page(client: Client, path: str) -> float:
    """What one page took. Raises SystemExit where it was not one."""
    began = time.perf_counter()
    answer = client.get(path)
    seconds = time.perf_counter() - began
    if answer.status_code != 200:
        raise SystemExit(f"{path} answered {answer.status_code}.")
    return seconds


def registered(kubeconfig: str) -> Cluster:
    """The cluster that a kubeconfig opens, added by an administrator."""
    new = NewCluster("bench", "bench", "staging", parse_kubeconfig(kubeconfig.encode()))
    return add_cluster(actor=actor_for(person("bench", "cluster_admin")), new=new)


def signed_in(count: int) -> list[str]:
    """So many sessions, ten of each person."""
    found: list[str] = []
    for number in range(-(-count // A_PERSON)):
        user = person(f"reader{number}", "viewer")
        for _ in range(A_PERSON):
            session = SessionStore()
            session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
            session[BACKEND_SESSION_KEY] = BACKEND
            session.create()
            found.append(str(session.session_key))
    return found[:count]


def database_version() -> str:
    """`SQLite 3.45.1` or `PostgreSQL 18.1 (fsync off)`."""
    asked = {"sqlite": "select sqlite_version()", "postgresql": "show server_version"}[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(asked)
        (found,) = cursor.fetchone() or ("",)
    return f"SQLite {found}" if connection.vendor == "sqlite" else f"PostgreSQL {found} (fsync off)"
