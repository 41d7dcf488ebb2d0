"""What orders add up to, and what shows it: totals, rank, order lists, public feed, certificates.

Owns the schema `impact`: `ranking` (the masses of all accounts, heaviest first), `feed` (what
everybody sees, ready to be sent), `hidden_order` (what an operator keeps out of it), `certificate`
(each edition that was issued), `nameless_order` (whom no certificate names any more) and
`certificate_key` (by which documents are verified).
Invariants: nothing here changes an order or a balance. An edition says what stood of its order when
it was issued, and only the newest one holds; nothing that was signed names a person.
"""
