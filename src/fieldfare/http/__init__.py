"""The edge: who asks, what the body says, what comes back, and that a retry takes effect once.

Owns the schema `http`: `http.idempotency_key`, what was answered to a request that made something,
and `http.heartbeat`, by which processes share rate limits.
Invariant: a key's row is written in the commit that makes what it answers for.
"""
