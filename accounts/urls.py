"""URLs of accounts. Sign-in and sign-out bear the names that allauth asks for, outside of the namespace."""

from django.urls import URLPattern, URLResolver, include, path

from accounts.views import access, me, saved_views, signing

pages: list[URLPattern | URLResolver] = [
    path("access/", access.AccessView.as_view(), name="access"),
    path("access/tokens/", access.AllTokensView.as_view(), name="tokens"),
    path("access/sessions/", access.SessionsView.as_view(), name="sessions"),
    path("access/<uuid:user_id>/close/", access.AccountCloseView.as_view(), name="account-close"),
    path("access/<uuid:user_id>/open/", access.AccountOpenView.as_view(), name="account-open"),
    path("me/", me.MeView.as_view(), name="me"),
    path("me/password/", me.MyPasswordView.as_view(), name="my-password"),
    path("me/sessions/end-others/", me.OtherSessionsEndView.as_view(), name="other-sessions-end"),
    path("me/sessions/<uuid:session_id>/end/", access.SessionEndView.as_view(), name="session-end"),
    path("me/tokens/", me.MyTokensView.as_view(), name="my-tokens"),
    path("me/tokens/<uuid:token_id>/revoke/", me.TokenRevokeView.as_view(), name="token-revoke"),
    path("access/<uuid:user_id>/", access.PersonView.as_view(), name="person"),
    path("access/<uuid:user_id>/grants/<uuid:grant_id>/revoke/", access.GrantRevokeView.as_view(), name="grant-revoke"),
    path("first-administrator/<str:token>/", signing.FirstAdministratorView.as_view(), name="first-administrator"),
    path("set-password/<str:token>/", signing.SetPasswordView.as_view(), name="set-password"),
    path("views/", saved_views.SavedViewsView.as_view(), name="saved-views"),
    path("views/<uuid:view_id>/", saved_views.SavedViewView.as_view(), name="saved-view"),
    path("views/<uuid:view_id>/rename/", saved_views.SavedViewRenameView.as_view(), name="saved-view-rename"),
    path("views/<uuid:view_id>/default/", saved_views.SavedViewDefaultView.as_view(), name="saved-view-default"),
    path("views/<uuid:view_id>/delete/", saved_views.SavedViewDeleteView.as_view(), name="saved-view-delete"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", signing.SignInView.as_view(), name="account_login"),
    path("sign-out/", signing.SignOutView.as_view(), name="account_logout"),
    path("", include((pages, "accounts"))),
]
