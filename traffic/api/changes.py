"""/api/v1/changes/: reading them, proposing, previewing and editing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.response import Response

from accounts.selectors import actor_of, signed_in
from accounts.types import READ
from meshui.rest.etags import is_unchanged
from meshui.rest.views import KEPT, ApiDetailView, ApiListView, ApiView, Write
from traffic import selectors
from traffic.api.faces import answer_with, face_of, told_what_is_now
from traffic.bodies import AmendBody, PreviewBody, ProposeBody, ReviseBody, wish_words
from traffic.conditions import once_of, require_plan, seen_by
from traffic.filters import ChangeFilter
from traffic.models import Change
from traffic.proposals import AskedShares, preview_of, proposal_of, proposed, wish_of, wish_of_change
from traffic.serializers import ChangeDetailSerializer, ChangeSerializer, PreviewSerializer
from traffic.services.propose import edit_change, propose_change
from traffic.spots import asked_of_change

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import User
    from meshui.rest.serializers import Body
    from traffic.proposals import Wish


class ChangeListView(ApiListView[Change]):
    """/api/v1/changes/: Changes, newest first."""

    needs = READ
    tag = "changes"
    is_scoped = True
    filterset_class = ChangeFilter
    serializer_class = ChangeSerializer
    order = ("-number",)
    takes_key = True
    body_class = ProposeBody
    posts_as = "change_propose"
    posts_needs = "change.propose"
    posts_class = ChangeDetailSerializer
    posts_etag = True

    def get_queryset(self) -> QuerySet[Change]:
        """All that the reader may see."""
        return selectors.list_changes(signed_in(self.request))

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Propose other shares, edits or the end of a split: a draft, which has yet to be planned."""
        self.require(self.posts_needs)
        user, data = signed_in(request), self.body_of(request)
        once = once_of(request, data)
        number = selectors.earlier_result(user, once)
        if number is None:
            proposal = proposal_of(user, AskedShares(**wish_words(data)))
            number = propose_change(actor=actor_of(request), proposal=proposal, once=once).number
        return answer_with(user, number, 201)


def revising(name: str, body: type[Body]) -> Write:
    """An edit of a change, about the ETag that was read."""
    return Write(name, "change.edit", body, ChangeDetailSerializer, has_etag=True, is_conditional=True)


class ChangeDetailView(ApiDetailView):
    """/api/v1/changes/<n>/: One change: targets, plan, findings, votes, how far it is."""

    needs = READ
    tag = "changes"
    serializer_class = ChangeDetailSerializer
    writes = {"PUT": revising("change_revise", ReviseBody), "PATCH": revising("change_amend", AmendBody)}

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """It, or 304 where nothing of it can have moved under the ETag that the reader has."""
        user = signed_in(request)
        change = selectors.get_change(user, kwargs["number"])
        if is_unchanged(request, change.etag) and selectors.is_told_by_etag(change):
            return self.shown(request, None, etag=change.etag)
        data = ChangeDetailSerializer(face_of(change)).data
        return Response(data, headers={"ETag": change.etag, **KEPT})

    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Edit all of it, from the route as it is now: a draft again, and every approval is void."""
        return self._edited(request, kwargs["number"])

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Edit a part of it, from what it wants now: a draft again, and every approval is void."""
        return self._edited(request, kwargs["number"])

    def _edited(self, request: Request, number: int) -> Response:
        """404 comes first, then 428, 412 and 422; the verb then says 412, 409 or 403 under its lock."""
        user = signed_in(request)
        now = selectors.seen_now(user, number)
        with told_what_is_now(user, number):
            seen = seen_by(request, now)
            require_plan(seen, now)
            proposal = proposed(self._wish(user, number, wish_words(self.body_of(request))))
            edit_change(actor=actor_of(request), seen=seen, proposal=proposal)
        return answer_with(user, number)

    def _wish(self, user: User, number: int, words: dict[str, Any]) -> Wish:
        change = selectors.get_change(user, number)
        if self.request.method == "PATCH":
            return wish_of_change(user, change, words)
        at = asked_of_change(change).at
        return wish_of(user, AskedShares(at.namespace, at.service, **words))


class ChangePreviewView(ApiView):
    """POST /api/v1/changes/preview/: What a proposal would write, and what the checks say; nothing is kept."""

    needs = READ
    tag = "changes"
    body_class = PreviewBody
    serializer_class = PreviewSerializer
    problems = (404,)

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """From what was last read of the clusters; for readers, too."""
        self.require()
        user, data = signed_in(request), self.body_of(request)
        change = selectors.get_change(user, data["change"]) if "change" in data else None
        wish = wish_of(user, AskedShares(**wish_words(data)))
        shown = {"desired": wish.desired.to_json(), "targets": preview_of(wish, change)}
        return Response(PreviewSerializer(shown).data)
