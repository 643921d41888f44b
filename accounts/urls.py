"""URLs of accounts. Sign-in and sign-out bear the names that allauth asks for, outside of the namespace."""

from django.urls import URLPattern, URLResolver, include, path

from accounts.views import (
    AccessView,
    AllTokensView,
    FirstAdministratorView,
    GrantRevokeView,
    MyTokensView,
    PersonView,
    SetPasswordView,
    SignInView,
    SignOutView,
    TokenRevokeView,
)

access: list[URLPattern | URLResolver] = [
    path("access/", AccessView.as_view(), name="access"),
    path("access/tokens/", AllTokensView.as_view(), name="tokens"),
    path("me/tokens/", MyTokensView.as_view(), name="my-tokens"),
    path("me/tokens/<uuid:token_id>/revoke/", TokenRevokeView.as_view(), name="token-revoke"),
    path("access/<uuid:user_id>/", PersonView.as_view(), name="person"),
    path("access/<uuid:user_id>/grants/<uuid:grant_id>/revoke/", GrantRevokeView.as_view(), name="grant-revoke"),
    path("first-administrator/<str:token>/", FirstAdministratorView.as_view(), name="first-administrator"),
    path("set-password/<str:token>/", SetPasswordView.as_view(), name="set-password"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", SignInView.as_view(), name="account_login"),
    path("sign-out/", SignOutView.as_view(), name="account_logout"),
    path("", include((access, "accounts"))),
]
