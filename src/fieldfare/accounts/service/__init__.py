"""The use cases of accounts, a module for each kind of thing, all to be had from here.

`conn` first: inside the caller's transaction. `db` first: opens its own connections.
"""

from fieldfare.accounts.service.cards import find_card, keep_card
from fieldfare.accounts.service.operators import check_operator
from fieldfare.accounts.service.passwords import add_password, change_password, verify_password
from fieldfare.accounts.service.people import (
    add_member,
    add_provider_identity,
    find_accounts,
    find_billing_address,
    find_operator_role,
    get_account,
    hold_account,
    list_members,
    list_public_profiles,
    make_operator,
    open_team,
    open_user,
)
from fieldfare.accounts.service.refills import (
    each_refill,
    find_last_refill_failure,
    find_refill,
    find_refill_failure,
    lock_refill,
    note_refill_failed,
    note_refill_worked,
    set_refill,
    switch_refill_off,
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
    "change_password",
    "check_operator",
    "each_refill",
    "find_accounts",
    "find_billing_address",
    "find_card",
    "find_last_refill_failure",
    "find_operator_role",
    "find_principal",
    "find_refill",
    "find_refill_failure",
    "get_account",
    "hold_account",
    "issue_token",
    "keep_card",
    "list_members",
    "list_public_profiles",
    "list_tokens",
    "lock_refill",
    "make_operator",
    "note_refill_failed",
    "note_refill_worked",
    "open_team",
    "open_user",
    "revoke_token",
    "rotate_token",
    "set_refill",
    "switch_refill_off",
    "verify_password",
]
