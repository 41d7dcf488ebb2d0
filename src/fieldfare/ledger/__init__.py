"""Credits and the books: what an account holds, every change of it, and the journal.

Owns the schema `ledger`: `wallet` (the hot row of an account), `entry` (every change of a balance,
append-only), `journal` (every movement that is not an order line, as legs that sum to zero),
`adjustment_request` (changes that are too large for one operator).
Invariants: a balance equals the sum of its entries and the last one's balance after, and is never
negative at any committed moment; legs of a movement sum to zero in each currency. `deduct_v1` is
what orders call inside their own statement, and the only writer of a deduction.
"""
