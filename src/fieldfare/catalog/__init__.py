"""What is sold: partners, their projects, portfolios of projects, and prices with their history.

Owns the schema `catalog`. Invariants: the weights of a portfolio sum to 1 and one project at least
is priced per tonne, none per tree; prices and revisions are only ever added; every change is also
kept whole in `catalog.revision`, and every row of the catalogue can be proven from those changes.
"""
