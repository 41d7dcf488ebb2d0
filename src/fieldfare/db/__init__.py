"""PostgreSQL: the pool and its transactions, named queries, migrations, ids, the change feed.

Owns the schema `db`: `db.change` (topic, revision), polled by every process to know that a
cache is out of date, and the functions that lay out partitions. Nothing here knows what the
product sells.
"""
