"""Who can own orders, and how they prove who they are: users, teams, members, API tokens.

Owns the schema `accounts`: `account` (a user or a team; cold, its wallet is the ledger's),
`identity` (a user's password, Google or Shopify log-in), `member` (a user's role in a team),
`operator` (who runs the catalogue and the books), `token` (the API's three kinds), `refill` and
`refill_failure` (whose credits are topped up by themselves, and how that went).

Invariants: of a token and of a password only a hash is kept, and a token is shown once. Team kinds
of token belong to teams, personal ones to users. Members and identities are users. What changes a
`Principal` (a token, an identity, a card, a currency, a refill, an erasure) raises the revision of
the topic `tokens` in the same transaction, as its last statement: that row stays locked until the
commit. A refill that came to nothing is counted once.
"""
