"""What the house tells: the outbox, and mail such as receipts.

Owns the schema `notifications`: `outbox` (what must be heard of, written in the commit that makes
it true) and `sent` (every mail that was taken up, by its stable Message-ID). Invariants: a mail is
in the hands of at most one worker at a time, and one that left or was refused for good is not sent
again. Neither table holds a person's data: ids, instants and reply codes only.
"""
