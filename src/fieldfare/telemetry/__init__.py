"""What operators see of the product from outside: metrics, and traces if they are asked for.

Every metric stands in `families`; whoever has something to count imports it from there. Owns no
table, and nothing in here may fail a request: what cannot be told is not told.
"""
