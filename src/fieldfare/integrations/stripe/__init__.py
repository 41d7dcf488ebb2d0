"""The card processor: what we ask of Stripe, and what its answers prove.

The only place that knows the official SDK. Nothing here knows the simulator: the demo gives the
same code another address. Every call is outside any transaction.
"""
