"""The public keys by which certificates are verified, kept in memory by each process.

A process publishes the public half of its own key before it signs anything. What must hold: a key
that was published once verifies for ever what it has signed, unless an operator withdraws it; then
it does so nowhere within a second, and nothing can be signed with it any more.
"""

from datetime import datetime

import msgspec

from fieldfare.db.cached import Cached
from fieldfare.db.changes import ChangeFeed, raise_revision
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.impact import store
from fieldfare.impact.errors import CertificateKeyRefused
from fieldfare.impact.model import CertificateKey
from fieldfare.impact.service.signing import Signer

TOPIC = "certificate_keys"


class PublishedKeys(msgspec.Struct, frozen=True, kw_only=True):
    """What verifies, and what does not any more."""

    keys: dict[str, bytes]
    """By kid, the newest first."""
    withdrawn: frozenset[str]


class KeyCache:
    """The keys as of one revision of the topic `certificate_keys`."""

    def __init__(self, feed: ChangeFeed, db: Database) -> None:
        self._cached: Cached[PublishedKeys] = Cached(feed, TOPIC)
        self._db = db

    async def current(self) -> PublishedKeys:
        """The keys; raises `Unavailable` if they must be read and cannot be."""
        return await self._cached.current(lambda: load_keys(self._db))


async def load_keys(db: Database) -> PublishedKeys:
    """The keys as they stand in the database."""
    async with connection(db) as conn:
        keys = await store.list_keys(conn)
    return PublishedKeys(
        keys={key.kid: key.public_key for key in keys if key.withdrawn_at is None},
        withdrawn=frozenset(key.kid for key in keys if key.withdrawn_at is not None),
    )


async def list_keys(conn: Connection) -> list[CertificateKey]:
    """Every key, withdrawn ones too, the newest first."""
    return await store.list_keys(conn)


async def publish_key(db: Database, signer: Signer, now: datetime) -> bool:
    """Let everybody verify what `signer` signs; False if its key is published already.

    Raises `CertificateKeyRefused` if it was withdrawn.
    """
    keys = await load_keys(db)
    if signer.kid in keys.withdrawn:
        raise CertificateKeyRefused(
            f"The certificate key {signer.kid} was withdrawn, so nothing may be signed with it. "
            "Make another one: `fieldfare certificate-keys make FILE`."
        )
    if signer.kid in keys.keys:
        return False
    async with transaction(db) as conn:
        added = await store.insert_key(
            conn, kid=signer.kid, public_key=signer.public_key, added_at=now
        )
        await raise_revision(conn, TOPIC)
    return added


async def withdraw_key(conn: Connection, kid: str, now: datetime) -> None:
    """Let nothing that a key has signed count any more; raises `CertificateKeyRefused`."""
    if not await store.update_key_withdrawn(conn, kid, now):
        raise CertificateKeyRefused(
            f"There is no certificate key {kid}. `fieldfare certificate-keys list` shows them all."
        )
    await raise_revision(conn, TOPIC)
