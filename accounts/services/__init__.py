"""People and grants: the verbs."""

from accounts.services.own import (
    change_password,
    change_profile,
    close_account,
    end_other_sessions,
    end_session,
    open_account,
)
from accounts.services.people import (
    create_first_administrator,
    create_user,
    grant_role,
    invite_person,
    make_first_administrator_link,
    revoke_grant,
    set_first_password,
)
from accounts.services.tries import (
    TRIES_PER_ACCOUNT,
    TRIES_PER_ADDRESS,
    TRIES_WINDOW,
    TryAnswer,
    give_back_try,
    record_failed_sign_in,
    record_sign_in,
    record_sign_out,
    reserve_try,
)

__all__ = [
    "TRIES_PER_ACCOUNT",
    "TRIES_PER_ADDRESS",
    "TRIES_WINDOW",
    "TryAnswer",
    "change_password",
    "change_profile",
    "close_account",
    "create_first_administrator",
    "create_user",
    "end_other_sessions",
    "end_session",
    "give_back_try",
    "grant_role",
    "invite_person",
    "make_first_administrator_link",
    "open_account",
    "record_failed_sign_in",
    "record_sign_in",
    "record_sign_out",
    "reserve_try",
    "revoke_grant",
    "set_first_password",
]
