"""Audit actions of accounts and their stable codes (never reused)."""

from __future__ import annotations

from typing import Final

ACTIONS: Final = {
    "accounts.user.created": "USER.CREATE",
    "accounts.administrator.created": "USER.FIRST_ADMIN",
    "accounts.grant.created": "GRANT.CREATE",
    "accounts.grant.revoked": "GRANT.REVOKE",
    "accounts.link.created": "LINK.CREATE",
    "accounts.user.closed": "USER.CLOSE",
    "accounts.user.opened": "USER.OPEN",
    "accounts.profile.changed": "PROFILE.CHANGE",
    "accounts.token.created": "TOKEN.CREATE",
    "accounts.token.revoked": "TOKEN.REVOKE",
    "accounts.password.set": "PASSWORD.SET",
    "accounts.session.started": "SESSION.START",
    "accounts.session.ended": "SESSION.END",
    "accounts.view.saved": "VIEW.SAVE",
    "accounts.view.renamed": "VIEW.RENAME",
    "accounts.view.default_set": "VIEW.DEFAULT",
    "accounts.view.deleted": "VIEW.DELETE",
}
