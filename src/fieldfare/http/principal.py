"""Who asks: the account behind a token, and what it may do."""

from typing import Literal

import msgspec

TokenKind = Literal["team_live", "team_test", "personal"]


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """What a token stands for, as cached for every request."""

    account_id: int
    """Whose wallet and orders: the team's, or the user's own for a personal token."""
    kind: TokenKind
    currency: str = "USD"
    """ISO 4217; what a card of this account is charged in."""
    may_write: bool = True
    """False for a personal token whose user has no identity (password, Google or Shopify)."""
    has_card: bool = False
    refill_below_cents: int | None = None
    """US cents under which the account's credits are refilled; None if they are not."""
    expires_in_s: float | None = None
    """Seconds from the look-up to the token's end, by the database's clock; None: no end is set."""

    @property
    def is_test(self) -> bool:
        """True for a `wren_test_` token: everything is checked and nothing takes effect."""
        return self.kind == "team_test"
