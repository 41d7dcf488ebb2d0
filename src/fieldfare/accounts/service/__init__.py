"""The use cases of accounts: `people`, `passwords` and `tokens`, all to be had from here.

`conn` first: inside the caller's transaction. `db` first: opens its own connections.
"""

from fieldfare.accounts.service.cards import find_card, keep_card
from fieldfare.accounts.service.passwords import add_password, verify_password
from fieldfare.accounts.service.people import (
    add_member,
    add_provider_identity,
    find_accounts,
    find_operator_role,
    get_account,
    list_members,
    list_public_profiles,
    make_operator,
    open_team,
    open_user,
)
from fieldfare.accounts.service.tokens import (
    find_principal,
    issue_token,
    list_tokens,
    revoke_token,
    rotate_token,
)

__all__ = [
    "add_member",
    "add_password",
    "add_provider_identity",
    "find_accounts",
    "find_card",
    "find_operator_role",
    "find_principal",
    "get_account",
    "issue_token",
    "keep_card",
    "list_members",
    "list_public_profiles",
    "list_tokens",
    "make_operator",
    "open_team",
    "open_user",
    "revoke_token",
    "rotate_token",
    "verify_password",
]
