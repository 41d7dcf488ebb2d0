"""Accounts, members and tokens as the rest of the product sees them.

What must hold: no struct prints a secret. `IssuedToken` carries one, so its repr leaves it out.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from fieldfare.http.principal import TokenKind

AccountKind = Literal["user", "team"]
MemberRole = Literal["owner", "admin", "developer", "viewer"]
OperatorRole = Literal["admin", "bookkeeper", "support"]
ProviderKind = Literal["google", "shopify"]
TokenState = Literal["active", "replaced", "expired", "revoked"]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user or a team, as far as everybody who works on it needs to know."""

    id: int
    kind: AccountKind
    name: str
    billing_email: str | None
    currency: str
    """ISO 4217; what a card of this account is charged in."""
    language: str
    created_at: datetime


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A user's place in a team."""

    team_id: int
    user_id: int
    name: str
    role: MemberRole


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a token once it was shown: everything but the token."""

    id: UUID
    account_id: int
    kind: TokenKind
    hint: str
    """Its last four characters."""
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None


class IssuedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A new token, for the one time that it is shown."""

    id: UUID
    account_id: int
    kind: TokenKind
    label: str
    token: str

    def __repr__(self) -> str:
        """Without the token: a repr ends up in logs."""
        return f"IssuedToken(id={self.id}, account_id={self.account_id}, kind={self.kind!r})"


class PasswordIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A password as it is kept."""

    id: int
    user_id: int
    secret: str
    """Its Argon2id hash, with the parameters it was made with."""

    def __repr__(self) -> str:
        """Without the hash, which must not reach a log either."""
        return f"PasswordIdentity(id={self.id}, user_id={self.user_id})"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What an account that chose to be public shows to everybody."""

    account_id: int
    name: str
    image_url: str | None
    profile_url: str | None


class Refill(msgspec.Struct, frozen=True, kw_only=True):
    """When an account's credits are topped up by themselves, and how that went of late."""

    account_id: int
    below_cents: int
    """US cents; a balance under it is refilled."""
    amount_cents: int
    """US cents that one refill adds."""
    failures: int
    """How many came to nothing in a row."""
    is_on: bool
    changed_at: datetime
    """When its owner last set it or switched it off."""


class RefillFailure(msgspec.Struct, frozen=True, kw_only=True):
    """A refill that came to nothing."""

    id: UUID
    """The top-up's, or one of its own where no card could be asked."""
    account_id: int
    amount_cents: int
    """US cents that were to be added."""
    code: str
    """Why: the bank's or the processor's word, or the code of a refusal of ours."""
    number: int
    """Which one in a row it was, from 1."""
    left_on: bool
    """Whether refills are tried again after it."""
    failed_at: datetime


class AccountToErase(msgspec.Struct, frozen=True, kw_only=True):
    """An account that is about to lose all that it tells of persons, or has lost it."""

    id: int
    kind: AccountKind
    name: str
    stripe_customer: str | None
    """Left until the processor has deleted it."""
    erased_at: datetime | None


class ErasedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What went with an account, in numbers; nothing if it had gone before."""

    tokens: int
    identities: int
    members: int
    operators: int
    """1 for a user who was an operator."""
