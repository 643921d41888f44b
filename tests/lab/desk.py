"""Two people who move weights on the product's pages, without a browser: their forms carry what the page shows."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.test import Client

from meshui.lib.queue import drain
from tests.servers import wait_until
from tests.traffic.matrix import swept
from traffic.models import Change
from traffic.types import TERMINAL, State

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.models import User
    from meshes.models import Route

EDIT = re.compile(r'name="edit" value="([^"]*)"')
SPACE = re.compile(r"\s+")
SEEN = {name: re.compile(rf'name="{name}" value="([^"]*)"') for name in ("version", "digest")}


@dataclass
class Desk:
    """Author and approver, and the change that is on their pages."""

    author: Client
    approver: Client
    number: int = 0

    @classmethod
    def of(cls, author: User, approver: User) -> Desk:
        """Both signed in."""
        desk = cls(Client(), Client())
        desk.author.force_login(author)
        desk.approver.force_login(approver)
        return desk

    def change(self) -> Change:
        """The row as it is now."""
        return Change.objects.get(number=self.number)

    def propose(self, route: Route, first: int, second: int, *, rule: int = 0, edit: str = "") -> None:
        """The author sends the split form of the service of `route`, after an `edit` of it; the plan is made.

        The shares are those of the rule that stands in the form as number `rule`.
        """
        shares = {f"r{rule}-weight-0": str(first), f"r{rule}-weight-1": str(second)}
        words = {"title": f"Shift {route.root_service}", "reason": "v2 was good.", "route": [str(route.pk)]}
        self._go_on(self.author.post(_form(route), shares | words | ({"edit": edit} if edit else {})))
        drain()

    def edit(self, route: Route, do: str, **fields: str) -> str:
        """The author presses a button of the form that edits the route; what the form carries from then on."""
        asked = {f"r0-{name}": value for name, value in fields.items()}
        text = text_of(self.author.post(_form(route), {"do": do, "route": [str(route.pk)]} | asked))
        (edit,) = EDIT.findall(text)
        return html.unescape(edit)

    def shift(self, route: Route, first: int, second: int) -> None:
        """The whole way: proposed, approved by the other one, started, applied."""
        self.propose(route, first, second)
        self.press(self.author, "submit")
        self.press(self.approver, "approve")
        self.press(self.author, "start")
        self.wait_applied()

    def roll_back(self) -> None:
        """The author has it undone, by a change that is on their page from then on."""
        self.press(self.author, "roll-back")
        self.wait_applied()

    def press(self, who: Client, verb: str) -> None:
        """Send the form of the verb, with the version and the plan that the page shows."""
        text = self.page(who)
        seen = {name: pattern.findall(text)[0] for name, pattern in SEEN.items()}
        self._go_on(who.post(f"/changes/{self.number}/{verb}/", seen))
        drain()

    def page(self, who: Client, part: str = "") -> str:
        """/changes/<n>/, or a page below it; each run of white space as one space."""
        return text_of(who.get(f"/changes/{self.number}/{part}"))

    def wait_applied(self) -> None:
        """Until the change has ended, which is as applied."""
        wait_until(swept(lambda: self.change().state in TERMINAL), seconds=60, what="the end of the change")
        assert self.change().state == State.APPLIED, self.change().state_cause

    def _go_on(self, answer: Any) -> None:
        """To the change where the answer leads."""
        assert answer.status_code == 303, text_of(answer)
        self.number = int(answer["Location"].rstrip("/").rpartition("/")[2])


def _form(route: Route) -> str:
    return f"/services/{route.cluster.slug}/{route.root_namespace}/{route.root_service}/split/"


def text_of(answer: HttpResponse | Any) -> str:
    """A page; how its template breaks lines is its own affair."""
    assert answer.status_code in {200, 303, 422}, answer.status_code
    return SPACE.sub(" ", answer.content.decode())
