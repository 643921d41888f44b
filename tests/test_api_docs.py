"""docs/api.md: every example is run as it is written, in order, and answers what it says."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from zeal import zeal_ignore

from accounts.tokens import NewToken, make_token
from meshui.rest.problems import KINDS
from tests.people import as_actor
from tests.traffic.factories import in_state, make_cluster, make_plan, make_route
from traffic.api import VERBS
from traffic.models import Change
from traffic.types import State

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from accounts.models import User

pytestmark = pytest.mark.django_db
DOC = (Path(__file__).resolve().parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```sh\n(.*?)  # (\d{3})\n```", DOC, re.S)
SITE = "http://testserver"
FLAGS = {"-sS", "-i"}
FILES = {"@cluster.json": re.findall(r"```json\n(.*?)\n```", DOC, re.S)[0].replace("<token>", "not-a-secret")}


@dataclass
class Curl:
    """A command of curl, as far as the examples use it."""

    who: str = ""
    method: str = "GET"
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    data: str = ""

    @classmethod
    def parsed(cls, command: str) -> Curl:
        """Fails for an option that no example has used so far."""
        words = iter(shlex.split(command.replace("\\\n", " ")))
        assert next(words) == "curl"
        found = cls()
        for word in words:
            if word in FLAGS:
                continue
            if word == "-K":
                found.who = next(words)
            elif word == "-X":
                found.method = next(words)
            elif word == "-H":
                name, _, value = next(words).partition(": ")
                found.headers[name] = value
            elif word == "--data":
                data = next(words)
                found.data = FILES.get(data, data)
            else:
                assert word.startswith("$SITE/"), word
                found.url = word
        return found

    def filled(self, values: dict[str, str]) -> Curl:
        """With the variables of the shell."""

        def fill(text: str) -> str:
            return re.sub(r"\$([A-Z]+)", lambda found: values[found[1]], text)

        headers = {name: fill(value) for name, value in self.headers.items()}
        return Curl(self.who, self.method, fill(self.url), headers, self.data)


def send(client: Client, curl: Curl, token: str) -> Any:
    """What the API answers to it."""
    kind = curl.headers.pop("Content-Type", "")
    assert bool(curl.data) == bool(kind), "curl sends another type than JSON by default"
    at = curl.url.removeprefix(SITE)
    if curl.who == "token.curl":
        client.logout()
        curl.headers["Authorization"] = f"Bearer {token}"
    return client.generic(curl.method, at, curl.data, content_type=kind, headers=curl.headers)


def test_examples__run_in_order__answer_what_they_say(
    client: Client, author: User, approver: User, admin: User, settings: Settings
) -> None:
    settings.ALLOWED_CIDRS = ["10.0.0.0/8"]
    make_route(make_cluster())
    people = {"meshui.curl": author, "approver.curl": approver, "admin.curl": admin}
    values = {"SITE": SITE, "ETAG": "", "N": ""}
    token = make_token(actor=as_actor(author), new=NewToken("pipeline", [], dt.timedelta(days=1))).text
    with zeal_ignore():
        for command, status in EXAMPLES:
            curl = Curl.parsed(command)
            client.force_login(people.get(curl.who, author))

            answer = send(client, curl.filled(values), token)

            assert answer.status_code == int(status), (command, answer.content)
            if answer.content and "number" in json.loads(answer.content):
                values |= {"ETAG": answer["ETag"], "N": str(json.loads(answer.content)["number"])}
            if curl.url.endswith("/plan/"):  # the worker's part
                make_plan(in_state(Change.objects.get(), State.DRAFT))
                Change.objects.update(version=4)

    assert len(EXAMPLES) == DOC.count("```sh") == 22
    assert Change.objects.get().state == State.QUEUED


def test_problems__kinds__all_in_the_table() -> None:
    told = dict(re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", DOC, re.M))

    assert {int(status): kind for status, kind in told.items()} == KINDS


def test_verbs__all_named() -> None:
    for verb in VERBS:
        assert f"`{verb}`" in DOC or f"/{verb}/" in DOC
