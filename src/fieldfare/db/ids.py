"""New ids: version 7 UUIDs for rows, version 4 for whatever must not be guessed."""

from uuid import UUID, uuid4

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """An id for a row; within a process each is greater than the one before."""
    return uuid7()


def new_secret_id() -> UUID:
    """122 bits from the operating system's random source: for slugs and tokens."""
    return uuid4()
