"""A Stripe of one's own: the v1 API as the official SDK speaks it, with faults on demand.

It is a process of its own (`fieldfare simulate stripe`). What must hold:

- Each request takes effect in one transaction that is committed before its answer leaves, or not at
  all; with a home on disk a `kill -9` loses nothing that was answered.
- An idempotency key gives one effect and one answer for 24 hours of the simulator's clock.
- `list` is exact, `search` lags; events may come late, twice, out of order or never.
- `/_control/` tells the truth: what was charged, and every request with what it did.

Where a request runs: `server` (the connection) → `api` (key, faults, transaction) → `routes` →
one module for each kind of object. `control` is the test's hand, `background` sends events and runs
what is due later.
"""
