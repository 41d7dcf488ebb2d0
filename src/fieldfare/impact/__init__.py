"""What orders add up to, and the lists that show it: totals, rank, equivalents, the order lists.

Owns the schema `impact`: `ranking` (for each mass that some account has, its rank).
Invariant: nothing here changes an order or a balance; whatever it owns can be made anew from them.
"""
