"""Orders: an offset, tree or project order is one purchase with a line for each project.

Owns the schema `orders`: `purchase` (priced once and frozen), `line` (a project's part, written
when paid), `party` (what it holds of persons; erasable), `tag` (metadata to filter by), `refund`
and `refund_line` (what went back, split like the order), and the small registries `charge` and
`certificate_slug`.
Invariants: lines add up to their purchase in money and mass, exactly; a line's partner and margin
parts add up to it; a paid purchase has one debit or charge, and an unpaid one has no line; no more
goes back than was paid, and when all of a charge is back, nothing of its lines stands.
"""
