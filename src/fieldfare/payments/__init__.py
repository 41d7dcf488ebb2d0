"""Money asked of cards, and what the processor knows of it.

Owns the schema `payments`: `payment` (a request frozen to the byte, and what became of it),
`top_up` (credits bought by card), `refund`, `dispute`, `inbox` (the processor's events, each once),
`exchange_rate`, `exception` (what a person has to look at), `balance_transaction` (the processor's
own record of what moved), `balance_import` (how far it is ours).
Invariants: a payment is never called failed while its outcome is unknown; what is sent again are
the frozen bytes under the same key, and only within 23 hours; a top-up is charged and credited
once; the journal's book `processor` comes to what the processor's record does. What an order is, is
not known here: news of its payment travels up through the outbox.
"""
