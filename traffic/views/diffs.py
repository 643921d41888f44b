"""What is written in one target: its fragment, its text as a file, and the marks of who has read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshui.lib.errors import MissingError
from meshui.ui.htmx import go_to, is_partial, vary_on_htmx
from meshui.ui.views import ActionView, PageView
from traffic import selectors
from traffic.cards import cards_of
from traffic.forms import ViewedForm
from traffic.services.viewed import mark_viewed
from traffic.types import Seen
from traffic.views.board import board_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest

    from accounts.models import User
    from traffic.cards import TargetCard

PAGE = "traffic/change_detail.html"


class ChangeDiffView(PageView):
    """/changes/<n>/diff/<target>/: what is written in one target; ?diff= says how it is shown."""

    needs = READ
    page_template = PAGE
    partial = "diff"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The board, with this target chosen. Raises MissingError."""
        board = chosen_board(signed_in(self.request), kwargs["number"], kwargs["target"], self.request.GET)
        return super().get_context_data(**board, refusal=None, comment="", reason="", **_rest(kwargs))


class ChangeRawView(ChangeDiffView):
    """/changes/<n>/diff/<target>/raw/: the objects as they would be, as a file."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The text, never shown by the browser itself."""
        self.require()
        change = selectors.get_change(signed_in(request), kwargs["number"])
        targets = selectors.list_plan_targets(change.current_plan) if change.current_plan else ()
        card = card_with(cards_of(targets, is_sound=True), kwargs["target"])
        text = "---\n".join(item.after for item in card.objects if item.after)
        return as_file(text, f"change-{change.number}-{card.slug}.yaml")


class ChangeViewedView(ActionView):
    """POST /changes/<n>/diff/<target>/viewed/"""

    needs = READ
    form_class = ViewedForm
    form_template = f"{PAGE}#body"

    def perform(self, data: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Mark it, then on to the same place."""
        user = signed_in(self.request)
        pk = selectors.change_id(user, kwargs["number"])
        seen = Seen(pk, version=0, digest=data["digest"])
        chosen_board(user, kwargs["number"], kwargs["target"], self.request.GET)
        mark_viewed(actor=actor_of(self.request), seen=seen, target=kwargs["target"], is_viewed=data["viewed"] == "1")
        if not is_partial(self.request):
            return go_to(self.request, _back(kwargs["number"], kwargs["target"], self.request.GET))
        response = render(self.request, f"{PAGE}#diff", self.get_context_data(**kwargs))
        vary_on_htmx(response)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The page of the change as it is now."""
        board = chosen_board(signed_in(self.request), kwargs["number"], kwargs["target"], self.request.GET)
        return super().get_context_data(**{"refusal": None, **board, "comment": "", "reason": "", **_rest(kwargs)})


def chosen_board(user: User, number: int, target: str, params: Mapping[str, str]) -> dict[str, Any]:
    """The board with the target of that mark chosen. Raises MissingError, also where out of scope."""
    change = selectors.get_change(user, number)
    board = board_of(user, change, {**{name: params[name] for name in params}, "target": target})
    card_with(board["cards"], target)
    return board


def card_with(cards: list[TargetCard], slug: str) -> TargetCard:
    """The one with that mark. Raises MissingError."""
    found = next((card for card in cards if card.slug == slug), None)
    if found is None:
        raise MissingError("There is no such target in the plan.", mend="Open the change request again.")
    return found


def as_file(text: str, name: str) -> HttpResponse:
    """A download: a browser keeps it and shows nothing of it."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/octet-stream", headers=headers)


def _rest(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Without the words of the URL that the board names itself."""
    return {name: value for name, value in kwargs.items() if name not in {"number", "target"}}


def _back(number: int, target: str, params: Mapping[str, str]) -> str:
    mode = f"&diff={params['diff']}" if params.get("diff") in {"split", "neutral"} else ""
    return f"{reverse('traffic:change-detail', args=[number])}?target={target}{mode}#diff"
