"""Who asks: bearer tokens, client certificates, service account tokens."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from playground.apiserver import errors
from playground.apiserver.messages import User
from playground.apiserver.pki import TokenSigner
from playground.apiserver.store import key_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playground.apiserver.jsontypes import Json
    from playground.apiserver.messages import Request
    from playground.apiserver.store import Store

AUTHENTICATED = "system:authenticated"


class Authenticator:
    """Turns a request into a User, or refuses it with 401. Nobody is anonymous here."""

    def __init__(self, store: Store, issuer: str) -> None:
        """Service accounts are looked up in `store`; their tokens name `issuer`."""
        self._store = store
        self.issuer = issuer
        self._signer = TokenSigner()
        self._tokens: dict[str, User] = {}
        self._lock = threading.Lock()

    def issue_token(self, user: str, groups: Sequence[str]) -> str:
        """Return a new bearer token of a user in groups."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = User(user, (*groups, AUTHENTICATED))
        return token

    def revoke_token(self, token: str) -> None:
        """Let a bearer token be worth nothing from now on."""
        with self._lock:
            self._tokens.pop(token, None)

    def service_account_token(self, account: Json, seconds: int, audiences: Sequence[str]) -> tuple[str, float]:
        """Return a signed token of a ServiceAccount object and the moment at which it ends."""
        metadata = account["metadata"]
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": list(audiences) or [self.issuer],
            "sub": f"system:serviceaccount:{metadata['namespace']}:{metadata['name']}",
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "jti": secrets.token_hex(16),
            "kubernetes.io": {
                "namespace": metadata["namespace"],
                "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
            },
        }
        return self._signer.sign(claims), now + seconds

    def authenticate(self, request: Request) -> User:
        """Return who asks. Raises ApiError 401."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token:
            user = self._tokens.get(token.strip()) or self._service_account(token.strip())
        else:
            user = request.certificate
        if user is None:
            raise errors.unauthorized()
        return user

    def _service_account(self, token: str) -> User | None:
        claims = self._signer.claims(token) if token.count(".") == 2 else None
        if claims is None or self.issuer not in claims["aud"]:
            return None
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        entry = self._store.get("serviceaccounts", key_of(namespace, account["name"]))
        if entry is None or entry.object["metadata"]["uid"] != account["uid"]:
            return None
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return User(claims["sub"], groups, account["uid"])


def certificate_user(certificate: dict[str, Any] | None) -> User | None:
    """Return the user that a verified client certificate names: CN is the name, each O a group."""
    pairs = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = [value for kind, value in pairs if kind == "commonName"]
    groups = tuple(value for kind, value in pairs if kind == "organizationName")
    return User(names[0], (*groups, AUTHENTICATED)) if names else None
