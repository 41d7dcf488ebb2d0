"""The books as a test reads them, and held against all that the processor says."""

from datetime import UTC, datetime

from fieldfare.cli.checks import CHECKS, at_instant
from fieldfare.db.pool import Database, connection
from fieldfare.integrations.stripe.gateway import StripeGateway
from fieldfare.ledger.model import Book, BookTotals
from fieldfare.orders.service.trial_balance import read_trial_balance
from fieldfare.payments.service.balance import compare_balance, import_balance
from tests.support.cards import CardShop

MICRO_PER_CENT = 1_000_000


def books_of(shop: CardShop) -> BookTotals:
    """The trial balance."""

    async def read(db: Database, _: StripeGateway) -> BookTotals:
        async with connection(db) as conn, conn.transaction(isolation="repeatable_read"):
            return await read_trial_balance(conn)

    return shop.stage.do(read)


def dollars_of(books: BookTotals, book: Book) -> int:
    """What a book has come to in US cents, whole ones."""
    cents, rest = divmod(books.get((book, "USD"), 0), MICRO_PER_CENT)
    assert rest == 0, f"{book} holds a part of a cent"
    return cents


def strict_findings(shop: CardShop) -> list[str]:
    """What `fieldfare verify --processor` finds, without waiting for what is on its way."""

    async def verify(db: Database, gateway: StripeGateway) -> list[str]:
        began_at = datetime.now(UTC)
        await import_balance(db, gateway)
        found = [str(finding) for finding in await compare_balance(db, gateway)]
        async with connection(db) as conn, conn.transaction(isolation="repeatable_read"):
            for _, check in CHECKS:
                found += [str(finding) async for finding in at_instant(check, began_at)(conn)]
        return found

    return shop.stage.do(verify)
