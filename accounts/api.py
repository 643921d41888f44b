"""/api/v1/me/, people/ and tokens/: who asks, who may do what. None of it is changed by a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import URLPattern, URLResolver, path
from rest_framework.response import Response

from accounts import selectors, services
from accounts.bodies import CloseBody, GrantBody
from accounts.models import Token, User
from accounts.selectors import actor_of, signed_in
from accounts.serializers import GrantSerializer, MeSerializer, PersonSerializer, TokenSerializer
from accounts.tokens import revoke_token
from meshui.lib import rights
from meshui.rest.views import ApiDetailView, ApiListView, ApiView

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class MeView(ApiDetailView):
    """/api/v1/me/: Who you are to MeshUI, and every verb that a grant of yours carries."""

    is_open = True
    tag = "me"
    serializer_class = MeSerializer

    def get_object(self, **kwargs: Any) -> dict[str, Any]:
        """Whoever asks: a person, or a token of theirs."""
        user = signed_in(self.request)
        named = {name: getattr(user, name) for name in ("username", "display_name", "time_zone")}
        return named | {"verbs": sorted(rights.evaluator().verbs(user)), "token": user.token}


class PersonListView(ApiListView[User]):
    """/api/v1/people/: Everybody by name, with their grants."""

    needs = "access.manage"
    tag = "people"
    is_scoped = True
    serializer_class = PersonSerializer
    order = ("username", "pk")

    def get_queryset(self) -> QuerySet[User]:
        """All of them."""
        return selectors.list_people()


class PersonDetailView(ApiDetailView):
    """/api/v1/people/<id>/: One person and their grants."""

    needs = "access.manage"
    tag = "people"
    serializer_class = PersonSerializer

    def get_object(self, **kwargs: Any) -> User:
        """The person of the URL."""
        return selectors.get_user(kwargs["user_id"])


class GrantView(ApiView):
    """POST /api/v1/people/<id>/grants/: Give a person a role. Nobody gives himself a vote."""

    needs = "access.manage"
    tag = "people"
    sessions_only = True
    body_class = GrantBody
    posts_as = "person_grant"
    posts_needs = "access.manage"
    posts_class = GrantSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The grant that was made."""
        self.require(self.posts_needs)
        grant = services.grant_role(actor=actor_of(request), user_id=kwargs["user_id"], **self.body_of(request))
        return Response(GrantSerializer(grant).data, 201)


class PersonVerbView(ApiView):
    """POST: the person as they are then."""

    needs = "access.manage"
    tag = "people"
    sessions_only = True
    serializer_class = PersonSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The verb decides."""
        self.require(self.needs)
        self.act(request, **kwargs)
        return Response(PersonSerializer(selectors.get_user(kwargs["user_id"])).data)

    def act(self, request: Request, **kwargs: Any) -> None:
        """The verb."""
        raise NotImplementedError


class GrantRevokeView(PersonVerbView):
    """POST /api/v1/people/<id>/grants/<id>/revoke/: Take a grant away; every session of its person ends."""

    def act(self, request: Request, **kwargs: Any) -> None:
        """At once."""
        self.body_of(request)
        services.revoke_grant(actor=actor_of(request), grant_id=kwargs["grant_id"])


class PersonCloseView(PersonVerbView):
    """POST /api/v1/people/<id>/close/: Nobody signs in to this account any more; sessions and tokens end at once."""

    body_class = CloseBody

    def act(self, request: Request, **kwargs: Any) -> None:
        """Never one's own."""
        services.close_account(actor=actor_of(request), user_id=kwargs["user_id"], **self.body_of(request))


class PersonOpenView(PersonVerbView):
    """POST /api/v1/people/<id>/open/: It may be signed in to again, with the grants it has."""

    def act(self, request: Request, **kwargs: Any) -> None:
        """With what it had."""
        self.body_of(request)
        services.open_account(actor=actor_of(request), user_id=kwargs["user_id"])


class TokenListView(ApiListView[Token]):
    """/api/v1/tokens/: Your tokens, newest first. They are made on the pages alone."""

    is_open = True
    tag = "tokens"
    is_scoped = True
    serializer_class = TokenSerializer
    order = ("-created_at", "-pk")

    def get_queryset(self) -> QuerySet[Token]:
        """Those of who asks."""
        return selectors.list_tokens(signed_in(self.request))


class TokenRevokeView(ApiView):
    """POST /api/v1/tokens/<id>/revoke/: End a token of yours, or as an Access admin anybody's."""

    is_open = True
    tag = "tokens"
    sessions_only = True
    serializer_class = TokenSerializer

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The token as it is then."""
        self.body_of(request)
        token = revoke_token(actor=actor_of(request), token_id=kwargs["token_id"])
        token.refresh_from_db()
        return Response(TokenSerializer(token).data)


ONE = "people/<uuid:user_id>/"

urlpatterns: list[URLPattern | URLResolver] = [
    path("me/", MeView.as_view(), name="me"),
    path("people/", PersonListView.as_view(), name="person-list"),
    path(ONE, PersonDetailView.as_view(), name="person-detail"),
    path(f"{ONE}grants/", GrantView.as_view(), name="person-grant"),
    path(f"{ONE}grants/<uuid:grant_id>/revoke/", GrantRevokeView.as_view(), name="grant-revoke"),
    path(f"{ONE}close/", PersonCloseView.as_view(), name="person-close"),
    path(f"{ONE}open/", PersonOpenView.as_view(), name="person-open"),
    path("tokens/", TokenListView.as_view(), name="token-list"),
    path("tokens/<uuid:token_id>/revoke/", TokenRevokeView.as_view(), name="token-revoke"),
]
