"""Money asked of cards, and what the processor knows of it.

Owns the schema `payments`: `payment` (a request frozen to the byte, and what became of it),
`refund`, `dispute`, `inbox` (the processor's events, each once), `exchange_rate`, `exception`
(what a person has to look at).
Invariants: a payment is never called failed while its outcome is unknown; what is sent again are
the frozen bytes under the same key, and only within 23 hours; what a payment was for is not known
here: news of it travels up through the outbox.
"""
