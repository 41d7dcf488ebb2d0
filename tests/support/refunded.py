"""Orders of which a part, or all, went back to credits: for tests of what is shown of them."""

import asyncio
from uuid import UUID

from fieldfare.db.pool import open_database
from fieldfare.orders.service.refund import refund_order


def give_back(database_url: str, purchase_id: str, amount_cents: int | None = None) -> None:
    """Refund an order that was paid from credits: so many US cents of it, or all."""

    async def refund() -> None:
        db = await open_database(database_url, pool_size=2, application="tests")
        try:
            refunded = await refund_order(
                db, None, UUID(purchase_id), amount_minor=amount_cents, reason="A test"
            )
            assert refunded.state == "succeeded"
        finally:
            await db.close()

    asyncio.run(refund())
