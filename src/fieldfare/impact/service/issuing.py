"""Issuing certificates, when somebody first looks, and forgetting whom they name.

An order writes nothing of it. The first look at its certificate issues an edition, which draws a
number and a salt and keeps a hash of the name; later looks find it, until something was refunded.
What must hold: an edition is issued under the locks that a refund and an erasure take, of the order
and of its account, so that it says what was so before, or what is so after, and never a part of
each. A name that is erased by then is in no edition.
"""

import contextlib
import secrets
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID

import msgspec

from fieldfare.accounts.errors import AccountNotFound
from fieldfare.accounts.model import Account
from fieldfare.accounts.service import get_account, hold_account
from fieldfare.db.pool import Connection, Database, connection, transaction
from fieldfare.impact import rules, store
from fieldfare.impact.model import Certificate, CertificateRecord, CertifiedProject, Edition
from fieldfare.orders.model import CertifiedOrder
from fieldfare.orders.service.certified import find_certified_order, lock_order
from fieldfare.orders.service.desk import certificate_url

FindPurchase: TypeAlias = Callable[[Connection], Awaitable[UUID | None]]
ReadAccount: TypeAlias = Callable[[Connection, int], Awaitable[Account]]
SALT_BYTES = 16
FALLBACK_LANGUAGE = "en"
ERASED_AT_ONCE = 1_000


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """An order with the newest edition of its certificate, and whom it may name."""

    order: CertifiedOrder
    edition: Edition
    purchaser: str | None
    language: str

    def shown(self, projects: tuple[CertifiedProject, ...], public_url: str) -> Certificate:
        """The certificate, not yet signed."""
        salt = self.edition.salt
        return Certificate(
            group_id=self.order.group_id,
            number=rules.show_number(self.edition.number),
            purchaser=self.purchaser,
            purchaser_salt=salt.hex() if salt and self.purchaser is not None else None,
            issued_at=self.edition.issued_at,
            state=rules.state_of(self.order),
            projects=projects,
            language=self.language,
            url=certificate_url(public_url, self.order.certificate_slug),
            signed=None,
        )


async def find_issued(
    db: Database, find_purchase: FindPurchase, account_id: int | None
) -> Issued | None:
    """The newest edition, issued now if none holds; None without such an order of the account."""
    async with connection(db) as conn:
        purchase_id = await find_purchase(conn)
        if purchase_id is None:
            return None
        record = await store.find_record(conn, purchase_id)
        found = await _read(conn, purchase_id, record, get_account) if record.newest else None
    if found is not None and not found.is_of(account_id):
        return None
    if found is not None and found.holds:
        return found.issued()
    async with transaction(db) as conn:
        await lock_order(conn, purchase_id)
        record = await store.find_record(conn, purchase_id)
        found = await _read(conn, purchase_id, record, hold_account)
        if found is None or not found.is_of(account_id):
            return None
        return found.issued() if found.holds else await _issue(conn, found)


class _Found(msgspec.Struct, frozen=True, kw_only=True):
    """What is on record of an order and its certificate."""

    order: CertifiedOrder
    newest: Edition | None
    purchaser: str | None
    language: str

    def is_of(self, account_id: int | None) -> bool:
        """Whether the order is that account's; None asks for anybody's."""
        return account_id in (None, self.order.account_id)

    @property
    def holds(self) -> bool:
        """Whether the newest edition does."""
        return rules.still_holds(self.newest, self.order, self.purchaser)

    def issued(self, edition: Edition | None = None) -> Issued:
        """With the edition that holds."""
        holding = edition or self.newest
        assert holding is not None, "an edition holds"
        return Issued(
            order=self.order, edition=holding, purchaser=self.purchaser, language=self.language
        )


async def _read(
    conn: Connection, purchase_id: UUID, record: CertificateRecord, read_account: ReadAccount
) -> _Found | None:
    order = await find_certified_order(conn, purchase_id)
    if order is None:
        return None
    purchaser, language = None, FALLBACK_LANGUAGE
    # Of an account that was erased there is neither a name nor a language.
    with contextlib.suppress(AccountNotFound):
        account = await read_account(conn, order.account_id)
        purchaser, language = order.on_behalf_of_name or account.name, account.language
    return _Found(
        order=order,
        newest=record.newest,
        purchaser=None if record.is_nameless else purchaser,
        language=language,
    )


async def _issue(conn: Connection, found: _Found) -> Issued:
    """A new edition; the caller has locked the order and holds the account."""
    order, purchaser = found.order, found.purchaser
    salt = None if purchaser is None else secrets.token_bytes(SALT_BYTES)
    is_as_paid = found.newest is None and rules.says_what_was_bought(order)
    edition = Edition(
        number=_draw_number(),
        purchase_id=order.purchase_id,
        account_id=order.account_id,
        edition=1 if found.newest is None else found.newest.edition + 1,
        figures=rules.digest_of(order),
        purchaser_hash=rules.hash_name(salt, purchaser) if salt and purchaser else None,
        salt=salt,
        issued_at=order.paid_at if is_as_paid else datetime.now(UTC),
    )
    while not await store.insert_edition(conn, edition):
        edition = msgspec.structs.replace(edition, number=_draw_number())
    return found.issued(edition)


def _draw_number() -> str:
    drawn = [secrets.randbelow(len(rules.ALPHABET)) for _ in range(rules.DRAWN_CHARACTERS)]
    return rules.number_from(drawn)


async def forget_purchaser(conn: Connection, purchase_id: UUID, now: datetime) -> int:
    """Let the certificates of an order name nobody from now on; gives how many did.

    Documents that were signed before stay true; who was meant cannot be found out from them. The
    order is locked, so that no edition is issued meanwhile.
    """
    await lock_order(conn, purchase_id)
    await store.insert_nameless(conn, purchase_id, now)
    return await store.erase_salts_of_order(conn, purchase_id)


async def forget_purchasers(db: Database, account_id: int) -> int:
    """The same for all orders of an account that is erased, in short transactions.

    By now no edition is issued that names anybody: whoever issued one kept the account from being
    erased until it was on record, and who comes later finds it erased.
    """
    forgotten = 0
    while True:
        async with transaction(db) as conn:
            gone = await store.erase_salts(conn, account_id, ERASED_AT_ONCE)
        forgotten += gone
        if gone < ERASED_AT_ONCE:
            return forgotten
