"""Every operation of the OpenAPI document, by everybody, with values that fit and that do not (S25).

Nothing fails, and each answer is one that the document knows. MESHUI_FUZZ=200 sends so many requests per operation and
person (a night); MESHUI_FUZZ_SEED chooses which.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from zeal import zeal_ignore

from accounts.tokens import NewToken, make_token
from accounts.types import TOKEN_VERBS
from tests.api_world import NOTHING, ROLES, Place, known_values, make_place, undone
from tests.openapi import (
    TEXTS,
    Operation,
    Values,
    example_of,
    operations,
    require_answer,
    undeclared_methods,
)
from tests.people import as_actor, make_person

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client

    from accounts.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.walks]
ROUNDS = int(os.environ.get("MESHUI_FUZZ", "3"))
SEED = os.environ.get("MESHUI_FUZZ_SEED", "1")
FOREIGN = ("id", "state", "approved_by", "fence", "is_superuser", "author", "number", "__class__")
"""What a body of none of them may hold: names of columns, mostly."""
TAKING = [pytest.param(each, id=each.name) for each in operations() if each.body is not None]


@pytest.fixture(autouse=True)
def several_requests() -> Iterator[None]:
    """A test asks again and again: not the N+1 that zeal looks for."""
    with zeal_ignore():
        yield


@pytest.fixture
def places(author: User) -> tuple[Place, ...]:
    """Of the team of the askers, of another one, of nobody."""
    return make_place("eu-west", author), make_place("us-east", author), NOTHING


class Asker:
    """Makes requests of one operation."""

    def __init__(self, operation: Operation, places: tuple[Place, ...], seed: str, token: str = "") -> None:
        self.operation, self.places, self.token = operation, places, token
        self.random = Random(f"{seed} {operation.name}")  # noqa: S311 - its choices have to come again
        self.values = Values(self.random, known_values(*places))

    def url(self) -> str:
        """Its address: of a place, or with one part that is hostile; a query that fits or not."""
        place = self.random.choice(self.places[:1] * 3 + self.places)
        path = place.path()
        for each in self.operation.parameters("path"):
            path.setdefault(each["name"], self.values.fitting(each["schema"], each["name"]))
        if path and self.random.random() < 0.1:
            named = [each["name"] for each in self.operation.parameters("path")] or ["slug"]
            path[self.random.choice(named)] = self.random.choice([text for text in TEXTS if text.strip("./ ")])
        return self.operation.url(path) + self._query()

    def headers(self) -> dict[str, str]:
        """Those that it knows, mostly as they fit."""
        found = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        for each in self.operation.parameters("header"):
            if each.get("required") or self.random.random() < 0.3:
                found[each["name"]] = str(self._one(each)).replace("\r", "").replace("\n", "")
        return {name: text.encode("latin-1", "replace").decode("latin-1") for name, text in found.items()}

    def body(self) -> bytes:
        """What it takes, or something else."""
        if self.operation.body is None:
            return b""
        is_foreign = self.random.random() < 0.5
        make = self.values.foreign if is_foreign else self.values.fitting
        return json.dumps(make(self.operation.body)).encode()

    def _query(self) -> str:
        chosen = [each for each in self.operation.parameters("query") if self.random.random() < 0.3]
        pairs = [f"{each['name']}={_quoted(self._one(each))}" for each in chosen]
        pairs += ["colour=red"] if self.random.random() < 0.05 else []
        return f"?{'&'.join(pairs)}" if pairs else ""

    def _one(self, parameter: Any) -> Any:
        make = self.values.foreign if self.random.random() < 0.3 else self.values.fitting
        return make(parameter["schema"], parameter["name"])


def _quoted(value: Any) -> str:
    return quote(str(value).encode("utf-8", "surrogatepass"))


def ask(client: Client, asker: Asker) -> Any:
    """One request and its answer; a failure is raised by the client, and the world is as it was."""
    operation = asker.operation
    url, body, headers = asker.url(), asker.body(), asker.headers()
    kind = "application/json" if operation.body is not None else ""
    with undone():
        try:
            answer = client.generic(operation.method.upper(), url, body, content_type=kind, headers=headers)
            assert answer.status_code < 500, answer.content
            require_answer(operation, answer)
        except Exception as error:
            error.add_note(f"{operation.method.upper()} {url} {headers} {body[:2000]!r} (seed {SEED})")
            raise
    return answer


@pytest.mark.parametrize("who", [*ROLES, "a token", "nobody"])
def test_s25_operations__anything_sent_by_anybody__an_answer_of_the_document(
    client: Client, places: tuple[Place, ...], who: str
) -> None:
    token, statuses = "", []
    if who in ROLES:
        client.force_login(make_person("asker", [who], scope={"cluster": ["eu-west"]}))
    elif who == "a token":
        new = NewToken("pipeline", sorted(TOKEN_VERBS - {"audit.export"}), dt.timedelta(days=1))
        token = make_token(actor=as_actor(make_person("asker", list(ROLES))), new=new).text

    for operation in operations():
        asker = Asker(operation, places, f"{SEED} {who}", token)
        statuses += [ask(client, asker).status_code for _ in range(ROUNDS)]

    assert len(statuses) > 50 * ROUNDS
    assert (set(statuses) == {401}) if who == "nobody" else (401 not in statuses)


def test_operations__all_together__each_can_succeed_for_somebody(client: Client, places: tuple[Place, ...]) -> None:
    """The walk above would prove little if everything that it sends were refused at the door."""
    client.force_login(make_person("everybody", list(ROLES)))
    never = []
    for operation in operations():
        if operation.method == "get":
            asker = Asker(operation, places[:1], SEED)
            if not any(ask(client, asker).status_code == 200 for _ in range(30)):
                never.append(operation.name)

    assert never == ["verification"]  # the chain was not checked


def test_methods__that_the_document_does_not_know__405_with_what_is_allowed(
    client: Client, places: tuple[Place, ...], author: User
) -> None:
    client.force_login(author)
    known = {(each.path, each.method): each for each in operations()}
    for path, method in undeclared_methods():
        of_path = next(each for (at, _), each in known.items() if at == path)
        values = {each["name"]: "1" for each in of_path.parameters("path")} | places[0].path()

        answer = client.generic(method.upper(), of_path.url(values), "{}", content_type="application/json")

        if answer.status_code == 403:  # a read that the author has no right to
            continue
        assert answer.status_code == 405, (method, path, answer.status_code)
        assert answer["Content-Type"] == "application/problem+json"
        allowed = {name.strip().lower() for name in answer["Allow"].split(",")} - {"head", "options"}
        assert allowed == {name for at, name in known if at == path}


@pytest.mark.parametrize("operation", TAKING)
def test_s07_body__field_that_is_none_of_it__422_by_name_and_nothing_is_done(
    client: Client, places: tuple[Place, ...], operation: Operation
) -> None:
    client.force_login(make_person("everybody", list(ROLES)))
    here = places[0]
    for name in FOREIGN:
        body = example_of(operation) | {name: "1"}
        headers = {"If-Match": here.etag}
        with undone():
            url, method = operation.url(here.path()), operation.method.upper()
            answer = client.generic(method, url, json.dumps(body), content_type="application/json", headers=headers)

        assert answer.status_code == 422, (name, answer.content)
        assert name in json.loads(answer.content)["errors"]
