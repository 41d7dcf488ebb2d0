"""What orders add up to, and the lists that show it: totals, rank, order lists, the public feed.

Owns the schema `impact`: `ranking` (for each mass that some account has, its rank), `feed` (what
everybody sees, ready to be sent), `hidden_order` (what an operator keeps out of it).
Invariant: nothing here changes an order or a balance; but for what operators hid, whatever it owns
can be made anew from them.
"""
